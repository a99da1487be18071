// Credentials out of use: themselves, and whatever they prove.
#include "broker/revocations.h"

#include <doctest/doctest.h>

#include <vector>

#include "test/broker/broker_fixture.h"

using namespace broker_test;
using broker::Reason, broker::Revocations;

namespace {

// blueprint ◀── aide ◀── desk, and mail apart from them.
broker::policy::Config Chain() {
  broker::policy::Config config;
  for (const char* name : {"blueprint", "aide", "desk", "mail"}) {
    config.credentials[name].name = name;
  }
  config.credentials["aide"].proof = "blueprint";
  config.credentials["desk"].proof = "aide";
  return config;
}

}  // namespace

TEST_CASE("A credential is out of use while it or what proves it is revoked") {
  struct Row {
    const char* why;
    std::vector<const char*> revoked;
    const char* asked;
    const char* because;  // empty: it may be used
  };
  const Row rows[] = {
      {"nothing is revoked", {}, "mail", ""},
      {"itself is", {"mail"}, "mail", "mail"},
      {"another is", {"aide"}, "mail", ""},
      {"its proof is", {"blueprint"}, "aide", "blueprint"},
      {"its proof's proof is", {"blueprint"}, "desk", "blueprint"},
      {"what it proves is", {"desk"}, "aide", ""},
      {"itself and its proof are: the nearest is named", {"blueprint", "desk"}, "desk", "desk"},
      {"a name that the configuration has no more is", {"gone"}, "mail", ""},
  };
  const auto config = Chain();
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Revocations revocations;
    for (const char* name : row.revoked) revocations.Add(name);
    CHECK(revocations.Find(config, config.credentials.at(row.asked)).value_or("") == row.because);
    for (const char* name : row.revoked) revocations.Lift(name);
    CHECK_FALSE(revocations.Find(config, config.credentials.at(row.asked)));
  }
}

TEST_CASE("With a credential falls what it proves, and nothing else") {
  using Names = std::set<std::string>;
  CHECK(broker::WithDependents(Chain(), "blueprint") == Names{"aide", "blueprint", "desk"});
  CHECK(broker::WithDependents(Chain(), "aide") == Names{"aide", "desk"});
  CHECK(broker::WithDependents(Chain(), "mail") == Names{"mail"});
}

TEST_CASE("What a predecessor revoked is added to what was revoked here") {
  Revocations revocations;
  revocations.Add("mail");
  revocations.Adopt({"aide"});
  CHECK(revocations.all() == std::set<std::string>{"aide", "mail"});
}

TEST_CASE("A revoked credential yields nothing, not even what is cached, until it is back in use") {
  Fixture f;
  Revocations revocations;
  broker::Broker broker{
      {f.cache, f.minter, f.ledger, f.clock, [] { return true; }, {}, nullptr, &revocations},
      std::make_shared<const broker::policy::Config>(OneAgent())};
  f.cache.cached = f.Token();
  const auto ask = [&] {
    return AskAtOnce(broker, f.caller, Fixture::Asking({"Mail.Read"}), "r1");
  };
  REQUIRE(ask());
  revocations.Add("aid-mail");
  const auto refused = ask();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().refusal.reason == Reason::kCredentialRevoked);
  CHECK(f.ledger.entries.back().reason == "credential_revoked");
  revocations.Lift("aid-mail");
  CHECK(ask());
}

TEST_CASE("A mint with a revoked credential reads no secret and asks nobody") {
  Fixture f;
  Revocations revocations;
  revocations.Add("aid-mail");
  auto ports = f.ports();
  ports.revocations = &revocations;
  broker::Minter minter{ports};
  const auto config = OneAgent();
  const auto minted = minter.Mint(config, config.credentials.at("aid-mail"), {}, {});
  REQUIRE_FALSE(minted);
  CHECK(minted.error().reason == Reason::kCredentialRevoked);
  CHECK(f.http.seen.empty());
  CHECK(f.ledger.entries.empty());
}
