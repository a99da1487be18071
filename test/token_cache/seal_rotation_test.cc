#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "test/token_cache/store_folder.h"
#include "token_cache/sealed_store.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind;

namespace {

SecretId Id(int n) { return {"credential-" + std::to_string(n), SecretKind::kRefreshToken}; }

}  // namespace

TEST_CASE("After a rotation only the new key opens the store, and everything is in it") {
  StoreFolder folder;
  folder.Initialise();
  {
    const auto store = folder.Unsealed();
    for (int n = 0; n < 50; ++n)
      REQUIRE((*store)->Put(Id(n), Secret::CopyOf("secret " + std::to_string(n)), 0).has_value());
    REQUIRE((*store)->PutMarker("head", "helpdesk 7 cc").has_value());
    const auto report = (*store)->RotateSeal(StoreFolder::Kek('n'), {});
    REQUIRE(report.has_value());
    CHECK(report->secrets == 50);
    CHECK(report->data_key == 2);
    CHECK_FALSE((*store)->rotation_pending());
    CHECK(Text((*store)->Get(Id(7))->value) == "secret 7");
    CHECK((*store)->Put(Id(7), Secret::CopyOf("later"), 1).value() == 2);
  }
  CHECK(folder.Unsealed('k').error().code == ErrorCode::kDenied);
  const auto store = folder.Unsealed('n');
  REQUIRE(store.has_value());
  CHECK(Text((*store)->Get(Id(7))->value) == "later");
  CHECK(Text((*store)->Get(Id(49))->value) == "secret 49");
  CHECK((*store)->GetMarker("head").value() == "helpdesk 7 cc");
  CHECK((*store)->RotateSeal(StoreFolder::Kek('m'), {})->data_key == 3);
}

TEST_CASE("Nothing in the files is as it was before the rotation") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE((*store)->Put(Id(1), Secret::CopyOf(std::string(100, 's')), 0).has_value());
  // The ciphertext of the only secret: the longest run that the log has and a rotated file must
  // not.
  const std::string before = folder.Bytes(folder.wal());
  REQUIRE((*store)->RotateSeal(StoreFolder::Kek('n'), {}).has_value());
  const std::string database = folder.Bytes(folder.path());
  const std::string log = folder.Bytes(folder.wal());
  CHECK(log.empty());
  size_t shared = 0;
  for (size_t at = 0; at + 32 <= before.size(); at += 32) {
    const std::string piece = before.substr(at, 32);
    if (piece.find_first_not_of(piece[0]) == std::string::npos) continue;  // padding
    if (database.find(piece) != std::string::npos) ++shared;
  }
  CHECK(shared < 40);  // page headers and the schema's text
}

TEST_CASE("An interrupted rotation is finished by the next start") {
  StoreFolder folder;
  folder.Initialise();
  {
    const auto store = folder.Unsealed();
    for (int n = 0; n < 20; ++n) REQUIRE((*store)->Put(Id(n), Secret::CopyOf("s"), 0).has_value());
  }
  {
    // The ledger accepts the first commit of the rotation and refuses the last.
    const auto store = folder.Unsealed();
    const uint64_t first = (*store)->generation() + 1;
    folder.witness.refuse_from = first + 1;
    CHECK_FALSE((*store)->RotateSeal(StoreFolder::Kek('n'), {}).has_value());
    CHECK((*store)->rotation_pending());
    folder.witness.refuse_from.reset();
  }
  CHECK(folder.Unsealed('k').error().code == ErrorCode::kDenied);
  const auto store = folder.Unsealed('n');
  REQUIRE(store.has_value());
  CHECK((*store)->rotation_pending());
  CHECK(Text((*store)->Get(Id(3))->value) == "s");
  const auto report = (*store)->ResumeRotation();
  REQUIRE(report.has_value());
  CHECK(report->secrets == 20);
  CHECK_FALSE((*store)->rotation_pending());
  CHECK((*store)->ResumeRotation()->secrets == 0);
}

TEST_CASE("Readers and writers go on while the seal rotates") {
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  for (int n = 0; n < 30; ++n) REQUIRE((*store)->Put(Id(n), Secret::CopyOf("1"), 0).has_value());
  std::atomic<bool> rotating{true};
  std::atomic<int> faults{0};
  std::thread reader([&] {
    for (int n = 0; rotating || n < 30; n = (n + 1) % 60) {
      const auto got = (*store)->Get(Id(n % 30));
      if (!got || (Text(got->value) != "1" && Text(got->value) != "2")) ++faults;
    }
  });
  std::thread writer([&] {
    for (int n = 0; n < 30; ++n) {
      if (!(*store)->Put(Id(n), Secret::CopyOf("2"), 1)) ++faults;
    }
  });
  for (const char kek : {'n', 'm', 'l'}) CHECK((*store)->RotateSeal(StoreFolder::Kek(kek), {}));
  writer.join();
  rotating = false;
  reader.join();
  CHECK(faults == 0);
  for (int n = 0; n < 30; ++n) CHECK(Text((*store)->Get(Id(n))->value) == "2");
}
