#include "sidecar/broker/head_keeper.h"

#include <doctest/doctest.h>

#include <optional>

using namespace sidecar;
using broker::ErrorCode, broker::Fail;
using sidecar::broker_role::HeadKeeper;

namespace {

struct Fixture {
  ipc::LedgerState ledger{.seq = 40, .leaf_hex = "aa"};
  std::optional<std::string> stored;
  int writes = 0;
  HeadKeeper keeper{{[this] { return broker::Result<ipc::LedgerState>(ledger); },
                     [this]() -> broker::Result<std::string> {
                       if (!stored) return Fail(ErrorCode::kNotFound, "fake");
                       return *stored;
                     },
                     [this](const std::string& head) {
                       stored = head;
                       ++writes;
                       return broker::Status{};
                     }}};
};

}  // namespace

TEST_CASE("A ledger that is behind what it acknowledged is not believed") {
  // clang-format off
  struct Row { const char* what; const char* stored; uint64_t seq; const char* leaf; bool good; ErrorCode code = ErrorCode::kConflict; };
  const Row rows[] = {
      {"its end was cut",                        "41:bb", 40, "aa", false},
      {"it was emptied",                         "41:bb", 0,  "",   false},
      {"another entry stands in the same place", "40:bb", 40, "aa", false},
      {"what was noted is malformed",            "40",    40, "aa", false, ErrorCode::kCorrupt},
      {"what was noted is empty",                "",      40, "aa", false, ErrorCode::kCorrupt},
      {"it stands where it was noted",           "40:aa", 40, "aa", true},
      {"it went on since",                       "39:99", 40, "aa", true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Fixture f;
    f.stored = row.stored;
    f.ledger.seq = row.seq;
    f.ledger.leaf_hex = row.leaf;
    const auto compared = f.keeper.Compare();
    CHECK(compared.has_value() == row.good);
    if (!compared) CHECK(compared.error().code == row.code);
  }
}

TEST_CASE("The first start has nothing to compare with") {
  Fixture f;
  CHECK(f.keeper.Compare().has_value());
}

TEST_CASE("A head is noted once, and again when it moved") {
  Fixture f;
  REQUIRE(f.keeper.Keep());
  REQUIRE(f.keeper.Keep());
  CHECK(f.writes == 1);
  CHECK(f.stored == "40:aa");
  f.ledger = {.seq = 41, .leaf_hex = "bb"};
  REQUIRE(f.keeper.Keep());
  CHECK(f.stored == "41:bb");
}
