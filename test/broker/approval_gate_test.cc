// Broker: a rule that waits for a person's yes.
#include <doctest/doctest.h>

#include <memory>

#include "test/broker/broker_fixture.h"
#include "test/fakes/entra_answers.h"

using namespace broker_test;
using namespace std::chrono_literals;
using broker::Reason;
using broker::ledger::EntryType;

namespace {

/// The only rule waits.
struct GateFixture : FakeMintPorts {
  FakeTokenCache cache;
  broker::Revocations revocations;
  broker::Minter minter{ports()};
  broker::Approvals approvals{{vault.store, ledger, clock, random, [this](std::string_view agent) {
                                 return broker.kills().IsStopped(agent);
                               }}};
  bool room = true;
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; },
                         [this](broker::Broker::Job job) {
                           if (room) job();
                           return room;
                         },
                         nullptr, &revocations, &approvals},
                        Gated()};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};

  GateFixture() {
    const auto secret = broker::Secret::CopyOf("refresh");
    REQUIRE(vault.store.Put({"aid-mail", broker::SecretKind::kRefreshToken}, secret, 0));
  }
  void EntraAnswers() {
    auto claims = entra_answers::UserClaims();
    claims["tid"] = kTenant;
    claims["oid"] = kUser;
    claims["appid"] = kApp;
    http.Push(200, entra_answers::TokenBody(claims));
  }
  static broker::SharedConfig Gated() {
    auto config = OneAgent();
    config.agents["helpdesk"].rules[0].decision = "approve";
    return std::make_shared<const broker::policy::Config>(std::move(config));
  }
  auto Ask(std::chrono::seconds wait = {}, const std::string& purpose = {}) {
    auto request = Fixture::Asking({"Mail.Read"});
    request.wait = wait;
    request.context.purpose = purpose;
    return AskAtOnce(broker, caller, request, "r");
  }
  broker::Reason Refused() {
    const auto got = Ask();
    REQUIRE_FALSE(got.has_value());
    return got.error().refusal.reason;
  }
  /// One has asked and a person has said yes: who asks again has a token, as far as Entra goes.
  void Grant() {
    CHECK(Refused() == Reason::kApprovalPending);
    Say(true);
    EntraAnswers();
  }
  /// One asks, and is held for half a minute. Its refusals, as they come.
  std::shared_ptr<const std::vector<Reason>> Hold() {
    const auto answers = std::make_shared<std::vector<Reason>>();
    auto request = Fixture::Asking({"Mail.Read"});
    request.wait = 30s;
    broker.IssueToken(caller, request, "r", [answers](auto result) {
      REQUIRE_FALSE(result.has_value());
      answers->push_back(result.error().refusal.reason);
    });
    return answers;
  }
  void Say(bool yes) {
    const auto all = approvals.List();
    REQUIRE_FALSE(all.empty());
    const broker::policy::Facts lead{.uid = 2001, .gid = 2001};
    const broker::Approvals::Decision decision{.id = all.front().id,
                                               .digest = all.front().digest,
                                               .person = &lead,
                                               .asker_gids = {},
                                               .why = {},
                                               .who = {}};
    REQUIRE((yes ? approvals.Approve(decision) : approvals.Deny(decision)).has_value());
  }
};

}  // namespace

TEST_CASE("What the requester is to decide is refused where nobody is proven to be one") {
  GateFixture f;
  auto config = *GateFixture::Gated();
  config.agents["helpdesk"].rules[0].approval_by.names = {"requester"};
  config.agents["helpdesk"].rules[0].approval_by.requester = true;
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  CHECK(f.Refused() == Reason::kMissingField);
  CHECK(f.approvals.List().empty());
}

TEST_CASE("A kept token does not serve a rule that waits, and nobody asks Entra before the yes") {
  GateFixture f;
  f.cache.cached = Fixture{}.Token();
  f.cache.next = f.cache.cached;
  CHECK(f.Refused() == Reason::kApprovalPending);
  CHECK(f.http.seen.empty());
  f.Say(true);
  f.EntraAnswers();
  const auto issued = f.Ask();
  REQUIRE(issued.has_value());
  CHECK(f.http.seen.size() == 1);
  CHECK(f.cache.keys.empty());  // and it is not kept
  const auto& entry = f.ledger.entries.back();
  CHECK(entry.type == EntryType::kTokenIssued);
  CHECK(entry.approval_id == f.approvals.List().front().id);
  CHECK(entry.approval_digest == f.approvals.List().front().digest);
  CHECK(entry.approval_by == "uid:2001");
  CHECK(f.Refused() == Reason::kApprovalPending);  // one yes, one token
  CHECK(f.approvals.List().size() == 2);
}

TEST_CASE("A crash between the counted use and the durable release gives no second token") {
  GateFixture f;
  f.Grant();
  f.ledger.holds = true;
  bool answered = false;
  f.broker.IssueToken(f.caller, Fixture::Asking({"Mail.Read"}), "r",
                      [&](const auto&) { answered = true; });
  CHECK_FALSE(answered);  // counted, and not released: here it dies
  broker::Approvals after{
      {f.vault.store, f.ledger, f.clock, f.random, [](std::string_view) { return false; }}};
  REQUIRE(after.Load().has_value());
  REQUIRE(after.List().size() == 1);
  CHECK(after.List().front().state == broker::ApprovalState::kUsed);
  f.ledger.LetGo();
}

TEST_CASE("A release that the ledger refuses costs the use, and the token is nobody's") {
  GateFixture f;
  f.Grant();
  f.ledger.refuses = [](const auto& entry) { return entry.type == EntryType::kTokenIssued; };
  CHECK(f.Refused() == Reason::kInternal);
  CHECK(f.approvals.List().front().state == broker::ApprovalState::kUsed);
}

TEST_CASE("A mint that failed costs no use") {
  GateFixture f;
  CHECK(f.Refused() == Reason::kApprovalPending);
  f.Say(true);
  f.Refused();
  CHECK(f.approvals.List().front().state == broker::ApprovalState::kGranted);
  CHECK(f.approvals.List().front().uses_left == 1);
}

TEST_CASE("What is refused without a person is refused at once, and asks nobody") {
  // clang-format off
  struct Row { const char* what; std::function<void(GateFixture&)> spoil; Reason why; };
  const Row rows[] = {
      {"a stopped agent",        [](auto& f) { f.broker.Stop("helpdesk"); },                  Reason::kKilled},
      {"a caller that is gone",  [](auto& f) { f.caller.alive = [] { return false; }; },      Reason::kCallerGone},
      {"another agent",          [](auto& f) { f.caller.agent = "billing"; },                 Reason::kNoRule},
      {"no room",                [](auto& f) { f.room = false; },                             Reason::kOverloaded},
      {"a ledger that is away",  [](auto& f) { f.ledger.fail_with = broker::ErrorCode::kUnavailable; }, Reason::kLedgerUnavailable},
      {"a store that is away",   [](auto& f) { f.vault.store.fail_with = broker::ErrorCode::kUnavailable; }, Reason::kStoreUnavailable},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    GateFixture f;
    row.spoil(f);
    CHECK(f.Refused() == row.why);
    CHECK(f.approvals.List().empty());
  }
  GateFixture f;
  const auto hostile = f.Ask({}, "yes\xe2\x80\xae");  // what no window lets through
  REQUIRE_FALSE(hostile.has_value());
  CHECK(hostile.error().refusal.reason == Reason::kValueOutOfRange);
  CHECK(f.approvals.List().empty());
}

TEST_CASE("A request that waits for a person is refused at the moment of the stop, once") {
  GateFixture f;
  const auto answers = f.Hold();
  CHECK(answers->empty());  // held, and no thread is
  f.broker.Stop("helpdesk");
  CHECK(*answers == std::vector{Reason::kKilled});
  f.approvals.Tick();
  f.clock.Advance(1min);
  f.approvals.Tick();
  CHECK(answers->size() == 1);
  CHECK(f.approvals.List().front().state == broker::ApprovalState::kKilled);
}

TEST_CASE("A request that waits has its answer when its time is over, and the denial with it") {
  for (const bool denied : {false, true}) {
    CAPTURE(denied);
    GateFixture f;
    const auto answers = f.Hold();
    if (denied) f.Say(false);
    f.clock.Advance(30s);
    f.approvals.Tick();
    CHECK(*answers == std::vector{denied ? Reason::kApprovalDenied : Reason::kApprovalPending});
  }
}

TEST_CASE("A held request is judged by the rules of now, and not released by those of before") {
  GateFixture f;
  const auto answers = f.Hold();
  auto without = *GateFixture::Gated();
  without.agents["helpdesk"].rules.clear();
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(without)));
  f.EntraAnswers();
  f.Say(true);
  CHECK(*answers == std::vector{Reason::kApprovalPending});
  CHECK(f.http.seen.empty());
  CHECK(f.Refused() == Reason::kNoRule);
}

TEST_CASE("A held request of a credential that is revoked is told so, and nobody is asked again") {
  GateFixture f;
  const auto answers = f.Hold();
  f.revocations.Add("aid-mail");
  f.approvals.EndOf({"aid-mail"});
  f.approvals.Tick();
  CHECK(*answers == std::vector{Reason::kCredentialRevoked});
  CHECK(f.approvals.List().size() == 1);
}

TEST_CASE("A revocation while the use is counted stands: nothing is released after it") {
  GateFixture f;
  f.Grant();
  f.vault.store.on_put = [&](const broker::SecretId& id) {
    if (id.name.starts_with("approval-")) f.revocations.Add("aid-mail");
  };
  CHECK(f.Refused() == Reason::kCredentialRevoked);
  CHECK(f.ledger.entries.back().type == EntryType::kTokenDenied);
}

TEST_CASE("A person says yes to all that the token can do, not to what was asked for alone") {
  GateFixture f;
  auto wide = *GateFixture::Gated();
  auto& rule = wide.agents["helpdesk"].rules[0];
  rule.scopes = {"Mail.Read", "Mail.Send"};
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(wide));
  CHECK(f.Refused() == Reason::kApprovalPending);
  CHECK(f.approvals.List().front().shown.find(R"("can_also":["Mail.Send"])") != std::string::npos);
  f.Say(true);
  rule.scopes.push_back("Files.ReadWrite.All");  // the yes was to less
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(wide));
  CHECK(f.Refused() == Reason::kApprovalPending);
  CHECK(f.http.seen.empty());
}

TEST_CASE("A dry run says that people would be asked, and asks none") {
  GateFixture f;
  auto request = Fixture::Asking({"Mail.Read"});
  request.dry_run = true;
  const auto dry = AskAtOnce(f.broker, f.caller, request, "r");
  REQUIRE(dry.has_value());
  CHECK(dry->waits);
  CHECK(f.approvals.List().empty());
}
