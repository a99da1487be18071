#include "broker/policy/config_bundle.h"

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;

namespace {

PreparedConfig Prepared() {
  const std::vector<SourceFile> files = {
      {"/etc/purser/purser.toml", fixture::With("\"contoso.onmicrosoft.com\"", "\"env:TENANT\"")},
      {"/etc/purser/agents.d/b.toml", "[agent.billing]\nuser = \"billing\"\n"}};
  const FakeAccounts accounts;
  auto prepared = PrepareConfig({files, accounts, fixture::TestEnv, {2000}});
  REQUIRE(prepared.has_value());
  return *std::move(prepared);
}

}  // namespace

TEST_CASE("A role without files, accounts and environment parses what the supervisor parsed") {
  const PreparedConfig prepared = Prepared();
  const auto decoded = DecodeConfigBundle(Encode(prepared.bundle));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == prepared.bundle);
  const auto config = ParseBundle(*decoded);
  REQUIRE(config.has_value());
  CHECK(config->sha256 == prepared.config.sha256);
  CHECK(config->tenant.id == prepared.config.tenant.id);
  CHECK(config->agents.at("helpdesk").selectors.uid == 2001);
  CHECK(config->admin.operator_gids == prepared.config.admin.operator_gids);
}

TEST_CASE("A bundle without the machine's answers does not parse") {
  ConfigBundle bundle = Prepared().bundle;
  bundle.users.clear();
  CHECK_FALSE(ParseBundle(bundle).has_value());
}

TEST_CASE("The checks hold in a bundle as in files") {
  ConfigBundle bundle = Prepared().bundle;
  bundle.own_uids = {2001};
  CHECK_FALSE(ParseBundle(bundle).has_value());
  bundle.own_uids = {};
  bundle.groups_of[2001].push_back(3002);
  CHECK_FALSE(ParseBundle(bundle).has_value());
}

TEST_CASE("A bundle cut, extended or with a false count is corrupt") {
  const std::string bytes = Encode(Prepared().bundle);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(DecodeConfigBundle(bytes.substr(0, size)).has_value());
  }
  CHECK_FALSE(DecodeConfigBundle(bytes + '\0').has_value());
  std::string many = bytes;
  many.replace(many.find('\n') + 1, 4, "\xff\xff\xff\xff");
  CHECK_FALSE(DecodeConfigBundle(many).has_value());
}
