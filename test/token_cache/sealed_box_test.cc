#include "token_cache/sealed_box.h"

#include <doctest/doctest.h>

#include "test/token_cache/store_folder.h"

using broker::ErrorCode, broker::SecretKind;
using token_cache::IndexEntry, token_cache::OpenBox, token_cache::SecretAad, token_cache::StoreId;

namespace {

/// All that a stored secret is bound to.
struct Place {
  StoreId store{1, 2, 3};
  std::string tenant = "tenant-a";
  IndexEntry entry{{"aid-mail", SecretKind::kRefreshToken}, 7, 41};

  [[nodiscard]] std::string Aad() const { return SecretAad(store, tenant, entry); }
};

}  // namespace

TEST_CASE("A row moved to another place does not open, whatever that place differs in") {
  struct Row {
    const char* moved_to;
    void (*move)(Place&);
  };
  // clang-format off
  const Row rows[] = {
      {"another store",      [](Place& p) { p.store[15] = 1; }},
      {"another tenant",     [](Place& p) { p.tenant = "tenant-b"; }},
      {"no tenant",          [](Place& p) { p.tenant.clear(); }},
      {"another credential", [](Place& p) { p.entry.id.name = "aid-calendar"; }},
      {"another kind",       [](Place& p) { p.entry.id.kind = SecretKind::kClientSecret; }},
      {"an older version",   [](Place& p) { p.entry.version = 6; }},
      {"a newer version",    [](Place& p) { p.entry.version = 8; }},
      {"another generation", [](Place& p) { p.entry.generation = 40; }},
      {"a border that moved", [](Place& p) { p.tenant += 'a'; p.entry.id.name = "id-mail"; }},
  };
  // clang-format on
  FakeRandom random;
  const token_cache::DataKey key = token_cache::NewDataKey(1, random);
  const std::string box = SealBox(key, Place{}.Aad(), "refresh-token", random);
  const auto at_home = OpenBox(key, Place{}.Aad(), box);
  REQUIRE(at_home.has_value());
  CHECK(Text(*at_home) == "refresh-token");
  for (const Row& row : rows) {
    CAPTURE(row.moved_to);
    Place place;
    row.move(place);
    const auto opened = OpenBox(key, place.Aad(), box);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("A box does not open under another data key, nor under its own with another id") {
  FakeRandom random;
  const token_cache::DataKey key = token_cache::NewDataKey(1, random);
  const token_cache::DataKey other = token_cache::NewDataKey(1, random);
  std::string box = SealBox(key, Place{}.Aad(), "refresh-token", random);
  CHECK(OpenBox(other, Place{}.Aad(), box).error().code == ErrorCode::kCorrupt);
  box[3] = 2;
  const token_cache::DataKey renamed{2,
                                     broker::Secret::CopyOf(key.bytes.Expose(broker::Exit::kTest))};
  CHECK(OpenBox(renamed, Place{}.Aad(), box).error().code == ErrorCode::kCorrupt);
}
