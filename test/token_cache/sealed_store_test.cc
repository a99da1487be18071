#include "token_cache/sealed_store.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <thread>
#include <vector>

#include "test/token_cache/store_folder.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind;
using token_cache::SealedStore;

namespace {

const SecretId kMail{"aid-mail", SecretKind::kRefreshToken};
const SecretId kAdmin{"admin-app", SecretKind::kCertificate};

/// Runs SQL on the file behind the store's back.
void Tamper(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* fault = nullptr;
  const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &fault);
  INFO((fault == nullptr ? "" : fault));
  REQUIRE(code == SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace

TEST_CASE("What was put is got, with versions that count up from one") {
  StoreFolder folder;
  folder.Initialise();
  {
    const auto store = folder.Unsealed();
    REQUIRE(store.has_value());
    CHECK((*store)->Get(kMail).error().code == ErrorCode::kNotFound);
    CHECK((*store)->Put(kMail, Secret::CopyOf("first"), 0).value() == 1);
    CHECK((*store)->Put(kMail, Secret::CopyOf("second"), 1).value() == 2);
    CHECK((*store)->Put(kAdmin, Secret::CopyOf("pem"), std::nullopt).value() == 1);
    CHECK((*store)->Put(kMail, Secret::CopyOf("third"), 1).error().code == ErrorCode::kConflict);
    CHECK((*store)->Put(kMail, Secret::CopyOf("third"), 0).error().code == ErrorCode::kConflict);
  }
  const auto again = folder.Unsealed();
  REQUIRE(again.has_value());
  const auto mail = (*again)->Get(kMail);
  REQUIRE(mail.has_value());
  CHECK(Text(mail->value) == "second");
  CHECK(mail->version == 2);
  CHECK((*again)->Get({"aid-mail", SecretKind::kClientSecret}).error().code ==
        ErrorCode::kNotFound);
  const auto list = (*again)->List();
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 2);
  CHECK((*list)[0].id == kAdmin);
  CHECK((*list)[1].id == kMail);
  CHECK((*list)[1].version == 2);
}

TEST_CASE("Neither names nor secrets stand in the file") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE((*store)->Put(kMail, Secret::CopyOf("canary-refresh-token"), 0).has_value());
  for (const std::string& bytes : {folder.Bytes(folder.path()), folder.Bytes(folder.wal())}) {
    CHECK(!bytes.empty());
    CHECK(bytes.find("canary") == std::string::npos);
    CHECK(bytes.find("aid-mail") == std::string::npos);
    CHECK(bytes.find("tenant-a") == std::string::npos);
  }
}

TEST_CASE("A store that is not there, not private, not new or not unsealed is refused") {
  StoreFolder folder;
  CHECK(folder.Open().error().code == ErrorCode::kNotFound);
  CHECK_FALSE(std::filesystem::exists(folder.path()));

  folder.Initialise();
  const auto twice =
      SealedStore::Initialise(folder.path(), "tenant-a", StoreFolder::Kek('x'), {}, folder.random);
  CHECK(twice.error().code == ErrorCode::kConflict);

  chmod(folder.path().c_str(), 0640);
  const auto shared = folder.Open();
  CHECK(shared.error().code == ErrorCode::kDenied);
  CHECK(shared.error().detail.find("chmod 0600") != std::string::npos);
  chmod(folder.path().c_str(), 0600);

  const auto store = folder.Open();
  REQUIRE(store.has_value());
  CHECK((*store)->sealed());
  CHECK((*store)->Get(kMail).error().code == ErrorCode::kUnavailable);
  CHECK((*store)->Put(kMail, Secret::CopyOf("x"), 0).error().code == ErrorCode::kUnavailable);
  CHECK((*store)->List().error().code == ErrorCode::kUnavailable);
  CHECK((*store)->GetMarker("head").error().code == ErrorCode::kUnavailable);
  CHECK((*store)->RotateSeal(StoreFolder::Kek('n'), {}).error().code == ErrorCode::kUnavailable);

  CHECK(folder.Open().error().code == ErrorCode::kUnavailable);  // held by the one above
}

TEST_CASE("Files are private from the first moment, and stay two") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE((*store)->Put(kMail, Secret::CopyOf("x"), 0).has_value());
  size_t files = 0;
  for (const auto& file :
       std::filesystem::directory_iterator(std::filesystem::path(folder.path()).parent_path())) {
    CAPTURE(file.path());
    struct stat facts{};
    CHECK(stat(file.path().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    ++files;
  }
  CHECK(files == 2);  // the database and its log
}

TEST_CASE("Another key-encryption key, and another tenant, do not open the store") {
  StoreFolder folder;
  folder.Initialise();
  CHECK(folder.Unsealed('x').error().code == ErrorCode::kDenied);
  const auto other = folder.Open("tenant-b");
  REQUIRE(other.has_value());
  CHECK((*other)->Unseal(StoreFolder::Kek('k'), {}).error().code == ErrorCode::kCorrupt);
  CHECK((*other)->Unseal(Secret::CopyOf("short"), {}).error().code == ErrorCode::kDenied);
  CHECK((*other)->sealed());
}

TEST_CASE("A failed attempt to unseal changes nothing, before and after a successful one") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Open();
  CHECK_FALSE((*store)->Unseal(StoreFolder::Kek('x'), {}).has_value());
  CHECK((*store)->sealed());
  CHECK((*store)->Unseal(StoreFolder::Kek('k'), {}).has_value());
  CHECK_FALSE((*store)->Unseal(StoreFolder::Kek('x'), {}).has_value());
  CHECK_FALSE((*store)->sealed());
}

TEST_CASE("What cannot be a secret or a name is refused") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  const auto code = [&](const SecretId& id, size_t size) {
    return (*store)->Put(id, Secret::Allocate(size), 0).error().code;
  };
  CHECK(code({"", SecretKind::kInternal}, 1) == ErrorCode::kInvalidRequest);
  CHECK(code({std::string(256, 'n'), SecretKind::kInternal}, 1) == ErrorCode::kInvalidRequest);
  CHECK(code(kMail, token_cache::kMaxSecretBytes + 1) == ErrorCode::kInvalidRequest);
  CHECK((*store)->Put(kMail, Secret::Allocate(token_cache::kMaxSecretBytes), 0).has_value());
  CHECK((*store)->Put(kAdmin, Secret(), 0).has_value());
  CHECK((*store)->Get(kAdmin)->value.empty());
}

TEST_CASE("An intent that the ledger refuses leaves everything as it was") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE((*store)->Put(kMail, Secret::CopyOf("old"), 0).has_value());
  folder.witness.fail_intend = ErrorCode::kUnavailable;
  CHECK((*store)->Put(kMail, Secret::CopyOf("new"), 1).error().code == ErrorCode::kUnavailable);
  CHECK((*store)->PutMarker("head", "x").error().code == ErrorCode::kUnavailable);
  CHECK((*store)->RotateSeal(StoreFolder::Kek('n'), {}).error().code == ErrorCode::kUnavailable);
  CHECK(Text((*store)->Get(kMail)->value) == "old");
  folder.witness.fail_intend.reset();
  CHECK((*store)->Put(kMail, Secret::CopyOf("new"), 1).value() == 2);
}

TEST_CASE("A row that vanished is damage; a row that never was is not") {
  for (const char* sql :
       {"DELETE FROM secret", "DELETE FROM bucket", "UPDATE secret SET key = zeroblob(32)"}) {
    CAPTURE(sql);
    StoreFolder folder;
    folder.Initialise();
    REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("x"), 0).has_value());
    Tamper(folder.path(), sql);
    const auto store = folder.Unsealed();
    REQUIRE(store.has_value());
    CHECK((*store)->Get(kMail).error().code == ErrorCode::kCorrupt);
  }
  for (const char* sql :
       {"DELETE FROM state", "DELETE FROM header", "DROP TABLE secret",
        "UPDATE state SET value = zeroblob(64)", "PRAGMA journal_mode = DELETE"}) {
    CAPTURE(sql);
    StoreFolder folder;
    folder.Initialise();
    Tamper(folder.path(), sql);
    CHECK(folder.Unsealed().error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("A row moved to another name, kind, version or store does not open") {
  StoreFolder folder;
  folder.Initialise();
  const SecretId other_name{"aid-calendar", SecretKind::kRefreshToken};
  const SecretId other_kind{"aid-mail", SecretKind::kClientSecret};
  {
    const auto store = folder.Unsealed();
    REQUIRE((*store)->Put(kMail, Secret::CopyOf("mail"), 0).has_value());
    REQUIRE((*store)->Put(other_name, Secret::CopyOf("calendar"), 0).has_value());
    REQUIRE((*store)->Put(other_kind, Secret::CopyOf("kind"), 0).has_value());
  }
  // Every row gets the value of the row after it.
  Tamper(
      folder.path(),
      "CREATE TEMP TABLE was AS SELECT key, value, row_number() OVER (ORDER BY key) n FROM secret;"
      "UPDATE secret SET value = (SELECT b.value FROM was a JOIN was b ON b.n = a.n % 3 + 1"
      " WHERE a.key = secret.key);");
  const auto store = folder.Unsealed();
  for (const SecretId& id : {kMail, other_name, other_kind})
    CHECK((*store)->Get(id).error().code == ErrorCode::kCorrupt);
}

TEST_CASE("An older row, with or without its bucket, does not pass for the present one") {
  for (const bool with_bucket : {false, true}) {
    CAPTURE(with_bucket);
    StoreFolder folder;
    folder.Initialise();
    REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("old"), 0).has_value());
    Tamper(folder.path(),
           "CREATE TABLE s AS SELECT * FROM secret; CREATE TABLE b AS SELECT * FROM bucket");
    REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("new"), 1).has_value());
    Tamper(folder.path(),
           "UPDATE secret SET value = (SELECT value FROM s WHERE s.key = secret.key)");
    if (with_bucket)
      Tamper(folder.path(),
             "UPDATE bucket SET value = (SELECT value FROM b WHERE b.key = bucket.key)");
    CHECK((*folder.Unsealed())->Get(kMail).error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("An older copy of the file put back is noticed, and a newer one than the ledger's too") {
  StoreFolder folder;
  folder.Initialise();
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  const std::string copy = folder.Bytes(folder.path());
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("two"), 1).has_value());
  folder.Overwrite(folder.path(), copy);
  std::filesystem::remove(folder.wal());
  const auto older = folder.Unsealed();
  CHECK(older.error().code == ErrorCode::kConflict);
  CHECK(older.error().detail.find("older copy") != std::string::npos);

  const auto store = folder.Open();
  CHECK((*store)->Unseal(StoreFolder::Kek('k'), {.confirmed = 0, .intended = 0}).error().code ==
        ErrorCode::kConflict);
}

TEST_CASE("An older copy that is accepted opens, and fits the ledger from then on") {
  StoreFolder folder;
  folder.Initialise();
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  const std::string copy = folder.Bytes(folder.path());
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("two"), 1).has_value());
  folder.Overwrite(folder.path(), copy);
  std::filesystem::remove(folder.wal());
  {
    const auto store = folder.Open();
    auto bounds = folder.bounds();
    bounds.accept_restored = true;
    CHECK((*store)->Unseal(StoreFolder::Kek('x'), bounds).error().code == ErrorCode::kDenied);
    REQUIRE((*store)->Unseal(StoreFolder::Kek('k'), bounds));
    CHECK((*store)->generation() > bounds.intended);
  }
  const auto store = folder.Unsealed();
  REQUIRE(store.has_value());
  CHECK((*store)->Get(kMail)->value.Expose(broker::Exit::kDeriveKey) == "one");
  CHECK((*store)->Put(kMail, Secret::CopyOf("three"), 1).has_value());
}

TEST_CASE("A ledger that knows less than the store is accepted, and is told of all from then on") {
  StoreFolder folder;
  folder.Initialise();
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  {
    const auto store = folder.Open();
    REQUIRE((*store)->Unseal(StoreFolder::Kek('k'), {.accept_restored = true}));
    CHECK((*store)->generation() == folder.bounds().intended);
  }
  CHECK(folder.Unsealed().has_value());
}

TEST_CASE("A log that was deleted takes its commits with it, and that is noticed") {
  StoreFolder folder;
  folder.Initialise();
  auto store = folder.Unsealed();
  REQUIRE((*store)->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  const std::string database = folder.Bytes(folder.path());  // as a crash would leave it
  store->reset();
  std::filesystem::remove(folder.wal());
  folder.Overwrite(folder.path(), database);
  CHECK(folder.Unsealed().error().code == ErrorCode::kConflict);
}

TEST_CASE("A crash between intent, commit and confirmation is not mistaken for an older copy") {
  StoreFolder folder;
  folder.Initialise();
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  const auto store = folder.Open();
  const auto kek = StoreFolder::Kek('k');
  CHECK((*store)->Unseal(kek, {.confirmed = 1, .intended = 2}).has_value());  // intent, no commit
  CHECK((*store)->Unseal(kek, {.confirmed = 0, .intended = 1}).has_value());  // commit, no confirm
  CHECK((*store)->Unseal(kek, {.confirmed = 1, .intended = 1}).has_value());
  CHECK_FALSE((*store)->Unseal(kek, {.confirmed = 2, .intended = 2}).has_value());
}

TEST_CASE("A confirmation that fails does not undo the commit") {
  StoreFolder folder;
  folder.Initialise();
  folder.witness.fail_confirm = ErrorCode::kUnavailable;
  REQUIRE((*folder.Unsealed())->Put(kMail, Secret::CopyOf("one"), 0).has_value());
  CHECK(folder.witness.confirmed() == 0);
  CHECK(Text((*folder.Unsealed())->Get(kMail)->value) == "one");
}

TEST_CASE("A marker is replaced without a new generation, and missed when it vanishes") {
  StoreFolder folder;
  folder.Initialise();
  {
    const auto store = folder.Unsealed();
    CHECK((*store)->GetMarker("head").error().code == ErrorCode::kNotFound);
    REQUIRE((*store)->PutMarker("head", "helpdesk 1 aa").has_value());
    const uint64_t generation = (*store)->generation();
    REQUIRE((*store)->PutMarker("head", "helpdesk 2 bb").has_value());
    CHECK((*store)->generation() == generation);
    CHECK((*store)
              ->PutMarker("head", std::string(token_cache::kMaxMarkerBytes + 1, 'x'))
              .error()
              .code == ErrorCode::kInvalidRequest);
  }
  CHECK((*folder.Unsealed())->GetMarker("head").value() == "helpdesk 2 bb");
  Tamper(folder.path(), "DELETE FROM marker");
  CHECK((*folder.Unsealed())->GetMarker("head").error().code == ErrorCode::kCorrupt);
}

TEST_CASE("Threads read and write at once, and no write is lost") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE((*store)->Put(kMail, Secret::CopyOf("0"), 0).has_value());
  constexpr int kThreads = 4, kRounds = 25;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kRounds;) {
        const auto got = (*store)->Get(kMail);
        if (!got) return;
        const auto next = Secret::CopyOf(std::to_string(std::stoi(Text(got->value)) + 1));
        if ((*store)->Put(kMail, next, got->version)) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(Text((*store)->Get(kMail)->value) == std::to_string(kThreads * kRounds));
}
