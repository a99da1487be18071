#include "token_cache/sealed_store.h"

#include <algorithm>
#include <new>
#include <utility>

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret,
    broker::SecretId, broker::Status, broker::StoredSecret, broker::StoredSecretInfo;
using Table = SqliteFile::Table;

// The full arena of secrets is an error of this one request.
template <class Function>
auto Guarded(const Function& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  }
}

size_t BucketOf(const std::string& row_key) { return static_cast<uint8_t>(row_key.front()); }
static_assert(kBuckets == 256, "BucketOf takes one byte of the row's key");

std::string BucketKey(size_t number) { return {static_cast<char>(number)}; }

Status CheckId(const SecretId& id) {
  if (id.name.empty() || id.name.size() > kMaxNameBytes)
    return Fail(ErrorCode::kInvalidRequest, "name of a secret: 1 to 255 bytes");
  return {};
}

Status CheckGeneration(uint64_t found, GenerationBounds bounds) {
  const std::string text = "generation " + std::to_string(found) + " of the store";
  if (found < bounds.confirmed)
    return Fail(ErrorCode::kConflict,
                text + " is older than generation " + std::to_string(bounds.confirmed) +
                    ", which the ledger confirms: an older copy was put back" +
                    std::string(kIfRestored));
  if (found > bounds.intended)
    return Fail(ErrorCode::kConflict, text + " was never announced to the ledger, which knows " +
                                          std::to_string(bounds.intended) +
                                          ": the ledger was cut, or this is another's store" +
                                          std::string(kIfRestored));
  return {};
}

// What the witness is told that such a commit changes; not its first version: nothing is new.
const SecretId kRestoredId{"restored", broker::SecretKind::kInternal};
constexpr uint64_t kRestoredVersion = 2;

auto Find(Bucket& bucket, const SecretId& id) {
  return std::ranges::lower_bound(bucket, id, {}, &IndexEntry::id);
}

}  // namespace

Result<std::unique_ptr<SealedStore>> SealedStore::Open(const std::string& path, std::string tenant,
                                                       broker::StoreWitness& witness,
                                                       broker::Random& random) {
  auto file = SqliteFile::Open(path);
  if (!file) return std::unexpected(file.error());
  const auto bytes = (*file)->Read(Table::kHeader, "");
  if (!bytes) return std::unexpected(bytes.error());
  auto header = ParseHeader(bytes->value_or(""));
  if (!header) return std::unexpected(header.error());
  return std::unique_ptr<SealedStore>(
      new SealedStore(std::move(*file), std::move(*header), std::move(tenant), witness, random));
}

SealedStore::SealedStore(std::unique_ptr<SqliteFile> file, SealHeader header, std::string tenant,
                         broker::StoreWitness& witness, broker::Random& random)
    : file_(std::move(file)),
      header_(std::move(header)),
      tenant_(std::move(tenant)),
      witness_(witness),
      random_(random) {}

Kdf SealedStore::kdf() const {
  const std::scoped_lock lock(db_mutex_);
  return header_.kdf;
}

void SealedStore::Forget() {
  const std::scoped_lock lock(rotation_mutex_, write_mutex_, db_mutex_);
  keys_.reset();
}

bool SealedStore::sealed() const {
  const std::scoped_lock lock(db_mutex_);
  return !keys_.has_value();
}

uint64_t SealedStore::generation() const {
  const std::scoped_lock lock(db_mutex_);
  return state_.generation;
}

Status SealedStore::Unseal(const Secret& kek, GenerationBounds bounds) {
  return Guarded([&]() -> Status {
    const std::scoped_lock lock(write_mutex_);
    Status fits;
    {
      const std::scoped_lock database(db_mutex_);
      auto keys = OpenKeys(kek);
      if (!keys) return std::unexpected(keys.error());
      auto state = ReadState(*keys);
      if (!state) return std::unexpected(state.error());
      if (state->tenant != tenant_)
        return Fail(ErrorCode::kCorrupt, "this store belongs to tenant " + state->tenant);
      fits = CheckGeneration(state->generation, bounds);
      if (!fits && !bounds.accept_restored) return fits;
      keys_ = std::move(*keys);
      state_ = std::move(*state);
    }
    if (fits) return {};
    // Beyond all that either of the two has seen, and announced: from here on they agree.
    StoreState next = state_;
    next.generation = std::max(next.generation, bounds.intended) + 1;
    return CommitWitnessed({}, std::move(next), kRestoredId, kRestoredVersion);
  });
}

Result<SealedStore::Keys> SealedStore::OpenKeys(const Secret& kek) const {
  if (header_.data_keys.empty())
    return Fail(ErrorCode::kDenied, "the store has no keys yet: a key vault wraps the first one");
  if (kek.size() != kKeyBytes || KekId(kek, header_.store_id) != header_.kek_id)
    return Fail(ErrorCode::kDenied, "the store was sealed with another key-encryption key");
  Keys keys;
  auto name_key = Unwrap(header_.name_key, kek, header_);
  if (!name_key) return std::unexpected(name_key.error());
  keys.name_key = std::move(name_key->bytes);
  for (const WrappedKey& wrapped : header_.data_keys) {
    auto key = Unwrap(wrapped, kek, header_);
    if (!key) return std::unexpected(key.error());
    keys.data.push_back(std::move(*key));
  }
  return keys;
}

Result<StoreState> SealedStore::ReadState(const Keys& keys) {
  const auto box = file_->Read(Table::kState, "");
  if (!box) return std::unexpected(box.error());
  if (!*box) return Fail(ErrorCode::kCorrupt, "the store's state record has vanished");
  ++opened_;
  const auto plain = OpenBox(keys.data.back(), StateAad(header_.store_id), **box);
  if (!plain) return std::unexpected(plain.error());
  return ParseState(plain->Expose(Exit::kDeriveKey));
}

Status SealedStore::CheckUnsealed() const {
  if (!keys_) return Fail(ErrorCode::kUnavailable, "the store is sealed");
  return {};
}

Result<Secret> SealedStore::Open(std::string_view aad, std::string_view box) {
  ++opened_;
  for (const DataKey& key : keys_->data) {
    if (key.id == BoxKeyId(box)) return OpenBox(key, aad, box);
  }
  return Fail(ErrorCode::kCorrupt, "record sealed with an unknown data key");
}

Result<Bucket> SealedStore::ReadBucket(size_t number) {
  const uint64_t generation = state_.bucket_generation.at(number);
  if (generation == 0) return Bucket{};
  const auto box = file_->Read(Table::kBucket, BucketKey(number));
  if (!box) return std::unexpected(box.error());
  if (!*box) return Fail(ErrorCode::kCorrupt, "a bucket of the index has vanished");
  const auto plain = Open(BucketAad(header_.store_id, number, generation), **box);
  if (!plain) return std::unexpected(plain.error());
  return ParseBucket(plain->Expose(Exit::kDeriveKey));
}

Result<Secret> SealedStore::ReadSecret(const std::string& row_key, const IndexEntry& entry) {
  const auto box = file_->Read(Table::kSecret, row_key);
  if (!box) return std::unexpected(box.error());
  if (!*box) return Fail(ErrorCode::kCorrupt, "the secret of " + entry.id.name + " has vanished");
  return Open(SecretAad(header_.store_id, tenant_, entry), **box);
}

Result<StoredSecret> SealedStore::Get(const SecretId& id) {
  return Guarded([&]() -> Result<StoredSecret> {
    if (const auto sound = CheckId(id); !sound) return std::unexpected(sound.error());
    const std::scoped_lock lock(db_mutex_);
    if (const auto open = CheckUnsealed(); !open) return std::unexpected(open.error());
    const std::string row_key = RowKey(keys_->name_key, id);
    auto bucket = ReadBucket(BucketOf(row_key));
    if (!bucket) return std::unexpected(bucket.error());
    const auto entry = Find(*bucket, id);
    if (entry == bucket->end() || entry->id != id)
      return Fail(ErrorCode::kNotFound, "never stored: " + id.name);
    auto value = ReadSecret(row_key, *entry);
    if (!value) return std::unexpected(value.error());
    return StoredSecret{std::move(*value), entry->version};
  });
}

Result<std::vector<StoredSecretInfo>> SealedStore::List() {
  return Guarded([&]() -> Result<std::vector<StoredSecretInfo>> {
    std::vector<StoredSecretInfo> all;
    for (size_t number = 0; number < kBuckets; ++number) {
      const std::scoped_lock lock(db_mutex_);
      if (const auto open = CheckUnsealed(); !open) return std::unexpected(open.error());
      const auto bucket = ReadBucket(number);
      if (!bucket) return std::unexpected(bucket.error());
      for (const IndexEntry& entry : *bucket) all.push_back({entry.id, entry.version});
    }
    std::ranges::sort(all, {}, &StoredSecretInfo::id);
    return all;
  });
}

SqliteFile::Row SealedStore::HeaderRow(const SealHeader& header) const {
  return {Table::kHeader, "", EncodeHeader(header)};
}

SqliteFile::Row SealedStore::StateRow(const StoreState& state, const DataKey& key) {
  return {Table::kState, "", SealBox(key, StateAad(header_.store_id), EncodeState(state), random_)};
}

SqliteFile::Row SealedStore::BucketRow(size_t number, const Bucket& bucket, uint64_t generation) {
  return {Table::kBucket, BucketKey(number),
          SealBox(newest(), BucketAad(header_.store_id, number, generation), EncodeBucket(bucket),
                  random_)};
}

Result<Bucket> SealedStore::BucketForWriting(size_t number) {
  const std::scoped_lock lock(db_mutex_);
  if (const auto open = CheckUnsealed(); !open) return std::unexpected(open.error());
  return ReadBucket(number);
}

Status SealedStore::CommitWitnessed(std::vector<SqliteFile::Row> rows, StoreState next,
                                    const SecretId& id, uint64_t version) {
  rows.push_back(StateRow(next, newest()));
  const uint64_t generation = next.generation;
  if (const auto told = witness_.Intend(generation, id, version); !told) return told;
  {
    const std::scoped_lock lock(db_mutex_);
    if (const auto done = file_->Commit(rows); !done) return done;
    state_ = std::move(next);
  }
  // The commit stands whatever comes of this: a generation that was announced and not confirmed
  // opens like one that was.
  [[maybe_unused]] const Status confirmed = witness_.Confirm(generation, id, version);
  return {};
}

Result<uint64_t> SealedStore::Put(const SecretId& id, const Secret& value,
                                  std::optional<uint64_t> expected_version) {
  return Guarded([&]() -> Result<uint64_t> {
    if (const auto sound = CheckId(id); !sound) return std::unexpected(sound.error());
    if (value.size() > kMaxSecretBytes)
      return Fail(ErrorCode::kInvalidRequest, "a secret is at most 64 KiB");
    const std::scoped_lock lock(write_mutex_);
    if (sealed()) return Fail(ErrorCode::kUnavailable, "the store is sealed");
    return PutLocked(id, value, expected_version);
  });
}

Result<uint64_t> SealedStore::PutLocked(const SecretId& id, const Secret& value,
                                        std::optional<uint64_t> expected_version) {
  const std::string row_key = RowKey(keys_->name_key, id);
  const size_t number = BucketOf(row_key);
  auto bucket = BucketForWriting(number);
  if (!bucket) return std::unexpected(bucket.error());
  auto entry = Find(*bucket, id);
  const bool known = entry != bucket->end() && entry->id == id;
  const uint64_t current = known ? entry->version : 0;
  if (expected_version && *expected_version != current)
    return Fail(ErrorCode::kConflict, id.name + " is at version " + std::to_string(current));
  if (!known) entry = bucket->insert(entry, IndexEntry{.id = id});

  StoreState next = state_;
  ++next.generation;
  next.bucket_generation.at(number) = next.generation;
  entry->version = current + 1;
  entry->generation = next.generation;
  const uint64_t version = entry->version;
  std::string box = SealBox(newest(), SecretAad(header_.store_id, tenant_, *entry),
                            value.Expose(Exit::kSealToDisk), random_);
  std::vector<SqliteFile::Row> rows;
  rows.push_back({Table::kSecret, row_key, std::move(box)});
  rows.push_back(BucketRow(number, *bucket, next.generation));
  if (const auto done = CommitWitnessed(std::move(rows), std::move(next), id, version); !done)
    return std::unexpected(done.error());
  return version;
}

Status SealedStore::PutMarker(const std::string& name, const std::string& text) {
  return Guarded([&]() -> Status {
    const SecretId id{name, broker::SecretKind::kInternal};
    if (const auto sound = CheckId(id); !sound) return sound;
    if (text.size() > kMaxMarkerBytes)
      return Fail(ErrorCode::kInvalidRequest, "a marker is at most 32 KiB");
    const std::scoped_lock lock(write_mutex_);
    if (sealed()) return Fail(ErrorCode::kUnavailable, "the store is sealed");
    SqliteFile::Row row{
        Table::kMarker, name,
        SealBox(newest(), MarkerAad(header_.store_id, tenant_, name), text, random_)};
    if (!state_.markers.contains(name)) {
      if (state_.markers.size() == kMaxMarkers)
        return Fail(ErrorCode::kInvalidRequest, "too many markers");
      StoreState next = state_;
      ++next.generation;
      next.markers.insert(name);
      return CommitWitnessed({std::move(row)}, std::move(next), id, 1);
    }
    const std::scoped_lock database(db_mutex_);
    return file_->Commit({std::move(row)});
  });
}

Result<std::string> SealedStore::GetMarker(const std::string& name) {
  return Guarded([&]() -> Result<std::string> {
    const std::scoped_lock lock(db_mutex_);
    if (const auto open = CheckUnsealed(); !open) return std::unexpected(open.error());
    if (!state_.markers.contains(name)) return Fail(ErrorCode::kNotFound, "no marker " + name);
    const auto box = file_->Read(Table::kMarker, name);
    if (!box) return std::unexpected(box.error());
    if (!*box) return Fail(ErrorCode::kCorrupt, "the marker " + name + " has vanished");
    const auto plain = Open(MarkerAad(header_.store_id, tenant_, name), **box);
    if (!plain) return std::unexpected(plain.error());
    return std::string(plain->Expose(Exit::kPassToRole));
  });
}

}  // namespace token_cache
