// Taking credentials out of use and back, and forgetting tokens, over the operator's socket.
#include <doctest/doctest.h>

#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using broker::SecretKind;
using broker::ledger::EntryType, broker::ledger::Outcome;
using nlohmann::json;

namespace {

struct Revoking : Fixture {
  Revoking() {
    auto config = ThreeCredentials();
    config.credentials["vm"] = {.name = "vm", .kind = "managed-identity"};
    config.credentials["desk"] = {.name = "desk", .kind = "agent-identity", .proof = "vm"};
    config.credentials["kept"] = {.name = "kept", .kind = "client-secret", .vault = "corp"};
    config.agents["helpdesk"].name = "helpdesk";
    broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
    REQUIRE(revoked.Load());
  }
  Reply Revoke(const json& body, const Peer& peer = kOperator) {
    return Ask(peer, "POST", "/v1/revoke", body.dump());
  }
  std::string Stored(const char* name, SecretKind kind) {
    const auto got = vault.store.Get({name, kind});
    return got ? std::string(got->value.Expose(broker::Exit::kTest)) : "none";
  }
  // As a broker that starts on the same store would.
  bool RevokedAfterRestart(const char* name) {
    broker::Revocations known;
    REQUIRE(RevokedCredentials(vault.store, known).Load());
    return known.Has(name);
  }
};

}  // namespace

TEST_CASE("A revoked credential's secret is destroyed, and it stays revoked over a restart") {
  Revoking f;
  f.Ask(kOperator, "PUT", "/v1/credentials/client-secret/secret", f.Sealed("the~secret"));
  REQUIRE(f.Stored("client-secret", SecretKind::kClientSecret) == "the~secret");
  const auto told = f.Revoke({{"credential", "client-secret"}, {"why", "stolen"}});
  CHECK(told.status == 200);
  CHECK(told.body["revoked"] == "client-secret");
  CHECK(told.body["destroyed"] == json{"client secret"});
  CHECK(told.body["durable"] == true);
  CHECK(told.body["alive"] == json::array());
  CHECK(f.Stored("client-secret", SecretKind::kClientSecret).empty());
  CHECK(f.revocations.Has("client-secret"));
  CHECK(f.RevokedAfterRestart("client-secret"));
  CHECK(f.cache.evicted.back() == "client-secret");
  const auto& entry = f.ledger.entries.back();
  CHECK(entry.type == EntryType::kSecretRevoked);
  CHECK(entry.outcome == Outcome::kSuccess);
  CHECK(entry.credential_name == "client-secret");
  CHECK(entry.caller->uid == 5);
  CHECK(std::get<std::string>(entry.change.at("why")) == "stolen");
}

TEST_CASE("A new secret brings it back to use; a refresh token's credential waits for its login") {
  Revoking f;
  f.Revoke({{"credential", "client-secret"}});
  CHECK(
      f.Ask(kOperator, "PUT", "/v1/credentials/client-secret/secret", f.Sealed("new~one")).status ==
      200);
  CHECK_FALSE(f.revocations.Has("client-secret"));
  CHECK_FALSE(f.RevokedAfterRestart("client-secret"));
  auto config = ThreeCredentials();
  config.credentials["refresh-token"].confidential = true;
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  f.Revoke({{"credential", "refresh-token"}});
  CHECK(
      f.Ask(kOperator, "PUT", "/v1/credentials/refresh-token/secret", f.Sealed("new~one")).status ==
      200);
  CHECK(f.revocations.Has("refresh-token"));
}

TEST_CASE("A login or a secret that was begun before a revocation does not undo it") {
  const auto log_in = [](Revoking& f) {
    f.http.Push(200,
                R"({"device_code":"d","user_code":"A","verification_uri":"https://x.example/",)"
                R"("expires_in":900,"interval":5})");
    const auto begun = f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login");
    REQUIRE(begun.status == 200);
    return "/v1/logins/" + begun.body["id"].get<std::string>();
  };
  Revoking ended;
  const std::string poll = log_in(ended);
  const size_t asked = ended.http.seen.size();
  ended.Revoke({{"credential", "refresh-token"}});
  CHECK(ended.Ask(kOperator, "GET", poll).reason() == "not_found");
  CHECK(ended.http.seen.size() == asked);

  Revoking others;
  const std::string other = log_in(others);
  others.Revoke({{"credential", "vm"}});
  others.http.Push(400, R"({"error":"authorization_pending","error_codes":[70016]})");
  CHECK(others.Ask(kOperator, "GET", other).body["done"] == false);

  Revoking late;  // while the new secret is being stored
  late.vault.store.on_put = [&](const broker::SecretId& id) {
    if (id.name != "client-secret") return;
    late.vault.store.on_put = {};
    late.Revoke({{"credential", "client-secret"}});
  };
  const auto set =
      late.Ask(kOperator, "PUT", "/v1/credentials/client-secret/secret", late.Sealed("new~one"));
  CHECK(set.reason() == "conflict");
  CHECK(late.revocations.Has("client-secret"));
  CHECK(late.RevokedAfterRestart("client-secret"));
  CHECK(late.Stored("client-secret", SecretKind::kClientSecret).empty());
}

TEST_CASE("What it proves falls with it") {
  Revoking f;
  const auto told = f.Revoke({{"credential", "vm"}});
  CHECK(told.body["affected"] == json{"desk", "vm"});
  CHECK(f.cache.evicted == std::vector<std::string>{"desk", "vm"});
  CHECK(told.body["destroyed"] == json::array());
}

TEST_CASE("What purser holds no secret of is released again, with a reason, and recorded first") {
  for (const char* name : {"vm", "kept"}) {
    CAPTURE(name);
    Revoking f;
    f.Revoke({{"credential", name}});
    const json release = {{"credential", name}, {"why", "clean"}};
    f.ledger.fail_with = ErrorCode::kUnavailable;
    CHECK(f.Ask(kOperator, "POST", "/v1/release", release.dump()).reason() == "ledger_unavailable");
    CHECK(f.revocations.Has(name));
    f.ledger.fail_with.reset();
    CHECK(f.Ask(kOperator, "POST", "/v1/release", release.dump()).status == 200);
    CHECK_FALSE(f.revocations.Has(name));
    CHECK_FALSE(f.RevokedAfterRestart(name));
  }
}

TEST_CASE(
    "A revocation works although nothing can be recorded or stored, and says that it is not") {
  Revoking f;
  f.ledger.fail_with = ErrorCode::kUnavailable;
  auto told = f.Revoke({{"credential", "vm"}});
  CHECK(told.status == 200);
  CHECK(told.body["recorded"] == false);
  CHECK(f.revocations.Has("vm"));
  f.ledger.fail_with.reset();
  f.vault.store.fail_with = ErrorCode::kUnavailable;
  told = f.Revoke({{"credential", "certificate"}});
  CHECK(told.body["durable"] == false);
  CHECK(told.body.contains("why_not_durable"));
  CHECK(f.revocations.Has("certificate"));
  CHECK(f.ledger.entries.back().outcome == Outcome::kFailure);
}

TEST_CASE("What is revoked while the store is closed is stored when it opens, with what it knew") {
  Revoking f;
  f.Revoke({{"credential", "vm"}});
  broker::Revocations later;
  RevokedCredentials starting(f.vault.store, later);
  CHECK_FALSE(starting.Revoke("kept"));
  CHECK(later.Has("kept"));
  CHECK_FALSE(f.RevokedAfterRestart("kept"));
  REQUIRE(starting.Load());
  CHECK(later.all() == std::set<std::string>{"kept", "vm"});
  CHECK(f.RevokedAfterRestart("kept"));
  CHECK(f.RevokedAfterRestart("vm"));
}

TEST_CASE("With two_person_release nobody puts a credential back to use alone") {
  Revoking f;
  auto config = *f.broker.config();
  config.admin.two_person_release = true;
  config.agents["vm"].name = "vm";
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
  f.Revoke({{"credential", "vm"}});
  const std::string release = json{{"credential", "vm"}, {"why", "clean"}}.dump();
  auto colleague = kOperator;
  colleague.caller.facts.uid = 6;
  CHECK(f.Ask(kOperator, "POST", "/v1/release", release).body["proposed"] == true);
  CHECK(f.ledger.entries.back().outcome == Outcome::kPending);
  CHECK(f.ledger.entries.back().credential_name == "vm");
  CHECK(f.revocations.Has("vm"));
  SUBCASE("who proposed it does not confirm it") {
    CHECK(f.Ask(kOperator, "POST", "/v1/release", release).reason() == "conflict");
    CHECK(f.revocations.Has("vm"));
  }
  SUBCASE("another operator confirms it, and the entry names both") {
    CHECK(f.Ask(colleague, "POST", "/v1/release", release).status == 200);
    CHECK_FALSE(f.revocations.Has("vm"));
    const auto& entry = f.ledger.entries.back();
    CHECK(entry.outcome == Outcome::kSuccess);
    CHECK(entry.caller->uid == 6);
    CHECK(std::get<int64_t>(entry.change.at("proposed_by")) == 5);
  }
  SUBCASE("a revocation since then makes it void") {
    f.Revoke({{"credential", "desk"}});
    CHECK(f.Ask(colleague, "POST", "/v1/release", release).body["proposed"] == true);
    CHECK(f.revocations.Has("vm"));
  }
  SUBCASE("it confirms nothing for an agent of the same name") {
    f.broker.Stop("vm");
    const std::string agent = json{{"agent", "vm"}, {"why", "clean"}}.dump();
    CHECK(f.Ask(colleague, "POST", "/v1/release", agent).body["proposed"] == true);
    CHECK(f.broker.kills().IsStopped("vm"));
    CHECK(f.revocations.Has("vm"));
  }
}

TEST_CASE("An agent is revoked by the stop that a kill is, and its release") {
  Revoking f;
  const auto told = f.Revoke({{"agent", "helpdesk"}, {"why", "spam"}});
  CHECK(told.body["stopped"] == "helpdesk");
  CHECK(f.broker.kills().IsStopped("helpdesk"));
  CHECK(f.ledger.entries.back().type == EntryType::kKillEngaged);
  CHECK(f.ledger.entries.back().target_id == "POST /v1/revoke");
}

TEST_CASE("What is no order changes nothing, and is in the ledger") {
  // clang-format off
  struct Row { const char* why; const char* path; const char* body; const char* want; };
  const Row rows[] = {
      {"nothing named",                    "/v1/revoke",  "{}",                                            "missing_field"},
      {"a reason alone",                   "/v1/revoke",  R"({"why":"x"})",                                "missing_field"},
      {"a credential and an agent",        "/v1/revoke",  R"({"credential":"vm","agent":"helpdesk"})",     "missing_field"},
      {"a credential that is a number",    "/v1/revoke",  R"({"credential":7})",                           "wrong_type"},
      {"a credential that there is not",   "/v1/revoke",  R"({"credential":"vn"})",                        "not_found"},
      {"an agent that there is not",       "/v1/revoke",  R"({"agent":"helpdisk"})",                       "not_found"},
      {"all agents: that is a kill",       "/v1/revoke",  R"({"all":true})",                               "unknown_field"},
      {"a token that is a text",           "/v1/revoke",  R"({"token_seq":"1"})",                          "wrong_type"},
      {"a token below zero",               "/v1/revoke",  R"({"token_seq":-1})",                           "wrong_type"},
      {"a token that was not released",    "/v1/revoke",  R"({"token_seq":4711})",                         "not_found"},
      {"a token at Entra",                 "/v1/revoke",  R"({"token_seq":1,"upstream":true})",            "unknown_field"},
      {"Entra, but not really",            "/v1/revoke",  R"({"credential":"vm","upstream":false})",       "wrong_type"},
      {"Entra, of whom is not stopped",    "/v1/upstream", R"({"agent":"helpdesk"})",                      "conflict"},
      {"a reason with a control character", "/v1/revoke", R"({"credential":"vm","why":"a\u0007b"})",       "value_out_of_range"},
      {"a release of what is in use",      "/v1/release", R"({"credential":"vm","why":"x"})",              "conflict"},
      {"a release of nothing known",       "/v1/release", R"({"credential":"vn","why":"x"})",              "not_found"},
      {"a release without a reason",       "/v1/release", R"({"credential":"vm"})",                        "missing_field"},
      {"a release of both",                "/v1/release", R"({"credential":"vm","agent":"a","why":"x"})",  "unknown_field"},
      {"a release of what was destroyed",  "/v1/release", R"({"credential":"certificate","why":"x"})",     "conflict"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Revoking f;
    f.revocations.Add("certificate");
    CHECK(f.Ask(kOperator, "POST", row.path, row.body).reason() == row.want);
    CHECK(f.revocations.all() == std::set<std::string>{"certificate"});
    REQUIRE(f.ledger.entries.size() == 1);
    CHECK(f.ledger.entries[0].type == EntryType::kAdminDenied);
  }
}

TEST_CASE("What cannot be ended at Entra is revoked here all the same, and said") {
  Revoking f;
  const auto told = f.Revoke({{"credential", "client-secret"}, {"upstream", true}});
  CHECK(told.status == 200);
  CHECK(f.revocations.Has("client-secret"));
  REQUIRE(told.body["upstream"].size() == 1);
  CHECK(told.body["upstream"][0]["done"] == false);
  CHECK(told.body["upstream"][0]["detail"].get<std::string>().find("[admin] upstream") !=
        std::string::npos);
  CHECK(f.ledger.entries.back().target_kind == "upstream");
  CHECK(f.ledger.entries.back().outcome == Outcome::kFailure);
  CHECK(f.http.seen.empty());
}

TEST_CASE("Only an operator revokes") {
  for (const Peer& peer : {kAuditor, kStranger}) {
    Revoking f;
    CHECK(f.Revoke({{"credential", "vm"}}, peer).reason() == "role_missing");
    CHECK(f.Revoke({{"agent", "helpdesk"}}, peer).reason() == "role_missing");
    CHECK(f.Revoke({{"credential", "vm"}, {"upstream", true}}, peer).reason() == "role_missing");
    CHECK(f.Ask(peer, "POST", "/v1/upstream", R"({"all":true})").reason() == "role_missing");
    CHECK(f.revocations.all().empty());
    CHECK_FALSE(f.broker.kills().IsStopped("helpdesk"));
  }
}
