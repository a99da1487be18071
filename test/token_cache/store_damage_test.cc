// Flips bits in the store's files, and fills it with a hundred thousand secrets.
#include <doctest/doctest.h>

#include <array>
#include <map>

#include "test/token_cache/sqlite_calls.h"
#include "test/token_cache/store_folder.h"
#include "token_cache/sealed_box.h"
#include "token_cache/sealed_store.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind;
using token_cache::SealedStore;

namespace {

SecretId Id(size_t n) { return {"credential-" + std::to_string(n), SecretKind::kRefreshToken}; }

constexpr size_t kSecrets = 12;
constexpr size_t kFlips = kSanitized ? 500 : 4000;

/// A store of kSecrets answers what it should, or an error that is not "never stored".
/// Returns whether it opened.
bool CheckNothingWrong(StoreFolder& folder) {
  const auto store = folder.Unsealed();
  if (!store) {
    CHECK(store.error().code != ErrorCode::kNotFound);
    return false;
  }
  for (size_t n = 0; n < kSecrets; ++n) {
    const auto got = (*store)->Get(Id(n));
    if (got) {
      CHECK(Text(got->value) == "second secret " + std::to_string(n));
      CHECK(got->version == 2);
    } else {
      CHECK(got.error().code != ErrorCode::kNotFound);
    }
  }
  const auto list = (*store)->List();
  CHECK((!list || list->size() == kSecrets));
  const auto marker = (*store)->GetMarker("head");
  CHECK((marker ? *marker == "helpdesk 9 ff" : marker.error().code != ErrorCode::kNotFound));
  return true;
}

/// Flips `flips` single bits, evenly spread, of the file at `path`.
void FlipBits(StoreFolder& folder, const std::string& path, size_t flips) {
  const std::string database = StoreFolder::Bytes(folder.path());
  const std::string log = StoreFolder::Bytes(folder.wal());
  const std::string& target = path == folder.path() ? database : log;
  REQUIRE(target.size() > 4096);
  REQUIRE(CheckNothingWrong(folder));
  size_t refused = 0;
  for (size_t i = 0; i < flips; ++i) {
    // An odd stride visits every bit position of a byte, and does not favour a page's start.
    const size_t bit = (i * (target.size() * 8 / flips) + i * 31) % (target.size() * 8);
    CAPTURE(bit);
    std::string damaged = target;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    StoreFolder::Overwrite(folder.path(), path == folder.path() ? damaged : database);
    StoreFolder::Overwrite(folder.wal(), path == folder.path() ? log : damaged);
    if (!CheckNothingWrong(folder)) ++refused;
  }
  CHECK(refused > 0);
  MESSAGE(flips << " bits flipped in " << path << ": " << refused << " stores refused as a whole");
}

void Fill(StoreFolder& folder, std::unique_ptr<SealedStore>& store) {
  folder.Initialise();
  store = std::move(*folder.Unsealed());
  REQUIRE(store->PutMarker("head", "helpdesk 9 ff").has_value());
  for (size_t n = 0; n < kSecrets; ++n)
    REQUIRE(store->Put(Id(n), Secret::CopyOf("first secret " + std::to_string(n)), 0).has_value());
  for (size_t n = 0; n < kSecrets; ++n)
    REQUIRE(store->Put(Id(n), Secret::CopyOf("second secret " + std::to_string(n)), 1).has_value());
}

}  // namespace

TEST_CASE("No flipped bit of the database yields a wrong secret or hides one") {
  StoreFolder folder;
  std::unique_ptr<SealedStore> store;
  Fill(folder, store);
  store.reset();
  {
    const auto copied = folder.Unsealed();
  }  // closing it has copied the log into the database
  StoreFolder::Overwrite(folder.wal(), "");
  FlipBits(folder, folder.path(), kFlips);
}

TEST_CASE("No flipped bit of the log yields a wrong secret or hides one") {
  StoreFolder folder;
  std::unique_ptr<SealedStore> store;
  Fill(folder, store);
  const std::string database = StoreFolder::Bytes(folder.path());  // as a crash would leave them
  const std::string log = StoreFolder::Bytes(folder.wal());
  store.reset();
  StoreFolder::Overwrite(folder.path(), database);
  StoreFolder::Overwrite(folder.wal(), log);
  FlipBits(folder, folder.wal(), kFlips);
}

TEST_CASE("A hundred thousand secrets open without being read, and a Put rewrites little") {
  using token_cache::Bucket, token_cache::IndexEntry, token_cache::kBuckets;
  constexpr size_t kMany = 100000;
  StoreFolder folder;
  // Written straight into the file: the store itself would sync a hundred thousand times.
  const Secret kek = StoreFolder::Kek('k');
  token_cache::SealHeader header;
  header.kek_id = token_cache::KekId(kek, header.store_id);
  const token_cache::DataKey names = token_cache::NewDataKey(0, folder.random);
  const token_cache::DataKey key = token_cache::NewDataKey(1, folder.random);
  header.name_key = token_cache::Wrap(names, kek, header, folder.random);
  header.data_keys = {token_cache::Wrap(key, kek, header, folder.random)};
  std::array<std::map<SecretId, IndexEntry>, kBuckets> buckets;
  std::vector<token_cache::SqliteFile::Row> rows;
  using Table = token_cache::SqliteFile::Table;
  for (size_t n = 0; n < kMany; ++n) {
    const IndexEntry entry{.id = Id(n), .version = 1, .generation = 1};
    const std::string row_key = token_cache::RowKey(names.bytes, entry.id);
    buckets.at(static_cast<unsigned char>(row_key[0])).emplace(entry.id, entry);
    rows.push_back({Table::kSecret, row_key,
                    SealBox(key, token_cache::SecretAad(header.store_id, "tenant-a", entry),
                            "secret " + std::to_string(n), folder.random)});
  }
  token_cache::StoreState state{.generation = 1, .tenant = "tenant-a"};
  for (size_t number = 0; number < kBuckets; ++number) {
    Bucket bucket;
    for (const auto& [id, entry] : buckets.at(number)) bucket.push_back(entry);
    state.bucket_generation.at(number) = 1;
    rows.push_back({Table::kBucket, std::string(1, static_cast<char>(number)),
                    SealBox(key, token_cache::BucketAad(header.store_id, number, 1),
                            EncodeBucket(bucket), folder.random)});
  }
  rows.push_back({Table::kHeader, "", EncodeHeader(header)});
  rows.push_back(
      {Table::kState, "",
       SealBox(key, token_cache::StateAad(header.store_id), EncodeState(state), folder.random)});
  REQUIRE(token_cache::SqliteFile::Create(folder.path(), rows).has_value());

  SqliteCalls::Install();
  const auto store = folder.Open();
  REQUIRE(store.has_value());
  REQUIRE((*store)->Unseal(kek, {.confirmed = 1, .intended = 1}).has_value());
  CHECK((*store)->test_only_opened() == 1);  // the state record
  CHECK(Text((*store)->Get(Id(77777))->value) == "secret 77777");
  CHECK((*store)->test_only_opened() == 3);  // a bucket and a secret
  CHECK((*store)->Get(Id(kMany)).error().code == ErrorCode::kNotFound);
  SqliteCalls::Instance() = {};
  CHECK((*store)->Put(Id(5), Secret::CopyOf("new"), 1).value() == 2);
  CHECK(SqliteCalls::Instance().bytes < 128 << 10);
  CHECK(Text((*store)->Get(Id(5))->value) == "new");
  CHECK((*store)->List()->size() == kMany);
}
