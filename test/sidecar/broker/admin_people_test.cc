// People who sign in on the operator's socket: what it gives them, and what it never does.
#include "test/fakes/test_issuer.h"
#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using broker::policy::Config;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

namespace {

constexpr const char* kApp = "33333333-0000-4000-8000-000000000001";
constexpr const char* kAda = "44444444-0000-4000-8000-000000000001";
constexpr const char* kOperators = "55555555-0000-4000-8000-000000000001";
constexpr const char* kLeads = "55555555-0000-4000-8000-000000000002";
constexpr const char* kNobody = "55555555-0000-4000-8000-000000000003";
inline const Peer kAgent{{"", {.uid = 9, .gid = 9}, {}}, true};
inline const Peer kAgentsGroup{{"", {.uid = 7, .gid = 7, .groups = {99}}, {}}, true};
inline const Peer kRoot{{"", {.uid = 0, .gid = 0}, {}}, true};

const TestIssuer& Issuer() {
  static const TestIssuer issuer("key-1");
  return issuer;
}

Config WithPeople() {
  Config config = ThreeCredentials();
  config.admin.client_id = kApp;
  config.admin.operator_entra.groups = {kOperators};
  config.admin.approver_entra.groups = {kLeads};
  config.agents["helpdesk"].selectors.uid = 9;
  config.agents["desk"].selectors.gid = 99;
  return config;
}

// The service with a tenant where `claims` are what the next person gets.
struct Setup : Fixture {
  explicit Setup(const Config& config = WithPeople()) {
    Use(config);
    http.respond = [this](const broker::HttpRequest& request) { return Answer(request); };
  }
  void Use(const Config& config) { broker.SetConfig(std::make_shared<const Config>(config)); }
  broker::Result<broker::HttpResponse> Answer(const broker::HttpRequest& request) const {
    if (request.url.ends_with("/devicecode")) {
      return FakeHttp::Answer(200, R"({"device_code":"d","user_code":"WDJB-MJHT","expires_in":900,)"
                                   R"("verification_uri":"https://m.example/","interval":5})");
    }
    if (request.url.ends_with("/keys")) return FakeHttp::Answer(200, Issuer().Jwks());
    if (pending) return FakeHttp::Answer(400, R"({"error":"authorization_pending"})");
    const json body = {{"token_type", "Bearer"}, {"id_token", Issuer().Sign(claims)}};
    return FakeHttp::Answer(200, body.dump());
  }
  Reply As(const Peer& peer, const std::string& session, std::string method, std::string path,
           std::string body = {}) {
    std::string request, answer;
    sidecar::ipc::Encode(sidecar::ipc::AdminRequest{"req-1", std::move(method), std::move(path),
                                                    std::move(body), session},
                         &request);
    service.Handle(peer, request, &answer);
    const auto decoded = sidecar::ipc::DecodeAnswer(answer);
    REQUIRE(decoded.has_value());
    return {decoded->status, json::parse(decoded->body)};
  }
  Reply SignIn(const Peer& peer) {
    const Reply begun = As(peer, "", "POST", "/v1/sign-ins");
    if (begun.status != 200) return begun;
    return As(peer, "", "POST", "/v1/sign-ins/" + begun.body["id"].get<std::string>());
  }
  std::string Session(const Peer& peer) {
    const Reply signed_in = SignIn(peer);
    REQUIRE(signed_in.status == 200);
    return signed_in.body["session"];
  }
  int64_t Now() const {
    return std::chrono::duration_cast<seconds>(clock.WallNow().time_since_epoch()).count();
  }

  json claims = {{"aud", kApp},
                 {"tid", kTenant},
                 {"iss", std::string("https://login.microsoftonline.com/") + kTenant + "/v2.0"},
                 {"oid", kAda},
                 {"nbf", Now()},
                 {"exp", Now() + 3600},
                 {"groups", {kOperators}}};
  bool pending = false;
};

constexpr const char* kOthers = "/v1/sign-out/others";
constexpr const char* kEverybody = R"({"all":true,"why":"device lost"})";
constexpr const char* kWhy = R"({"all":true,"why":"over"})";

}  // namespace

TEST_CASE("Who signs in holds the roles of their groups, and the ledger names them") {
  Setup s;
  const std::string session = s.Session(kStranger);
  CHECK(session.size() == 2 * People::kSecretBytes);
  CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminSignedIn);
  CHECK(s.ledger.entries.back().outcome == broker::ledger::Outcome::kSuccess);
  CHECK(s.ledger.entries.back().user_oid == kAda);
  CHECK(s.As(kStranger, session, "GET", "/v1/status").status == 200);
  CHECK(s.As(kStranger, session, "POST", "/v1/reload").status == 200);
  CHECK(s.ledger.entries.back().user_oid == kAda);
  CHECK(s.As(kStranger, session, "POST", "/v1/sign-out").status == 200);
  CHECK(s.As(kStranger, session, "GET", "/v1/status").reason() == "role_missing");
  for (const auto& seen : s.http.seen) CHECK(seen.body.find("offline_access") == std::string::npos);
  for (const auto& entry : s.ledger.entries) {
    CHECK(entry.target_id.find(session) == std::string::npos);
  }
}

TEST_CASE("Roles are those of the groups of this machine and of the session together") {
  Setup s;
  s.claims["groups"] = {kLeads};
  const std::string session = s.Session(kAuditor);
  CHECK(s.As(kAuditor, session, "GET", "/v1/status").status == 200);
  const auto approve = R"({"digest":"x"})";
  CHECK(s.As(kAuditor, session, "POST", "/v1/approvals/00/approve", approve).reason() ==
        "not_found");
  CHECK(s.As(kAuditor, "", "POST", "/v1/approvals/00/approve", approve).reason() == "role_missing");
  CHECK(s.As(kAuditor, session, "POST", "/v1/reload").reason() == "role_missing");
}

TEST_CASE("A session is no role for anybody and anything else") {
  Setup s;
  const std::string session = s.Session(kStranger);
  const auto refused = [&](const Peer& peer, const std::string& shown) {
    return s.As(peer, shown, "GET", "/v1/approvals").reason() == "role_missing" &&
           s.As(peer, shown, "POST", "/v1/reload").reason() == "role_missing";
  };
  const Peer other{{"", {.uid = 8, .gid = 7}, {}}, true};
  CHECK(refused(other, session));
  CHECK(refused(kStranger, ""));
  CHECK(refused(kStranger, session.substr(1)));
  CHECK(refused(kStranger, session + "0"));
  CHECK(refused(kStranger, std::string(64, '0')));
  CHECK(s.As(other, session, "POST", "/v1/sign-out").reason() == "not_found");
  SUBCASE("after its time") {
    s.clock.Advance(hours(1));
    CHECK(refused(kStranger, session));
  }
  SUBCASE("after its time, though the machine slept meanwhile") {
    s.clock.AdvanceWall(hours(1));
    CHECK(refused(kStranger, session));
  }
  SUBCASE("after its time, though the date was put back") {
    s.clock.AdvanceWall(-hours(48));
    s.clock.Advance(hours(1));
    CHECK(refused(kStranger, session));
  }
  SUBCASE("after a shorter time, once that is configured") {
    Config config = WithPeople();
    config.admin.session = minutes(10);
    s.clock.Advance(minutes(10));
    CHECK_FALSE(refused(kStranger, session));
    s.Use(config);
    CHECK(refused(kStranger, session));
  }
  SUBCASE("with another registration") {
    Config config = WithPeople();
    config.admin.client_id = kAda;
    s.Use(config);
    CHECK(refused(kStranger, session));
  }
  SUBCASE("once the group is in no role any more") {
    Config config = WithPeople();
    config.admin.operator_entra = {};
    s.Use(config);
    CHECK(refused(kStranger, session));
  }
  SUBCASE("once its user is an agent's") {
    Config config = WithPeople();
    config.agents["helpdesk"].selectors.uid = kStranger.caller.facts.uid;
    s.Use(config);
    CHECK(refused(kStranger, session));
  }
  CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminDenied);
}

TEST_CASE("Behind sudo nobody acts in the name of who signed in behind it") {
  Config config = WithPeople();
  config.admin.require_person = true;
  Setup s(config);
  const auto sudo = [](std::optional<uint32_t> loginuid) {
    return Peer{{"", {.uid = 0, .gid = 0, .loginuid = loginuid}, {}}, true};
  };
  REQUIRE(s.As(kRoot, "", "POST", "/v1/kill", kWhy).status == 200);
  const std::string session = s.Session(sudo(1001));
  for (const auto& other : {std::optional<uint32_t>(1002), std::optional<uint32_t>()}) {
    CHECK(s.As(sudo(other), session, "POST", "/v1/release", kWhy).reason() == "person_required");
    CHECK(s.ledger.entries.back().user_oid.empty());
    CHECK(s.As(sudo(other), session, "POST", "/v1/sign-out").reason() == "not_found");
  }
  CHECK(s.As(sudo(1001), session, "POST", "/v1/release", kWhy).status == 200);
  s.pending = true;
  const std::string begun = s.As(sudo(1001), "", "POST", "/v1/sign-ins").body["id"];
  CHECK(s.As(sudo(1002), "", "POST", "/v1/sign-ins/" + begun).reason() == "not_found");
}

TEST_CASE("Who is no operator of the tenant signs in to nothing") {
  Setup s;
  SUBCASE("a person in no group that is named") {
    s.claims["groups"] = {kNobody};
    const auto done = s.SignIn(kStranger);
    CHECK(done.body["roles"].empty());
    const std::string session = done.body["session"];
    CHECK(s.As(kStranger, session, "GET", "/v1/status").reason() == "role_missing");
  }
  SUBCASE("whose groups Entra left out") {
    s.claims["_claim_names"] = {{"groups", "src1"}};
    const auto done = s.SignIn(kStranger);
    CHECK(done.reason() == "role_missing");
    CHECK(done.body["error_description"].get<std::string>().find("too many") != std::string::npos);
    CHECK(s.ledger.entries.back().user_oid == kAda);
    CHECK(s.ledger.entries.back().outcome == broker::ledger::Outcome::kFailure);
  }
  SUBCASE("with a token for another application") {
    s.claims["aud"] = kAda;
    CHECK(s.SignIn(kStranger).reason() == "minted_mismatch");
    CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminSignedIn);
    CHECK(s.ledger.entries.back().outcome == broker::ledger::Outcome::kFailure);
    CHECK(s.ledger.entries.back().user_oid.empty());
  }
  SUBCASE("an agent's user, or who is in its group") {
    CHECK(s.SignIn(kAgent).reason() == "role_missing");
    CHECK(s.SignIn(kAgentsGroup).reason() == "role_missing");
    CHECK(s.http.seen.empty());
  }
  SUBCASE("where nobody can") {
    Config config = WithPeople();
    config.admin.client_id.clear();
    s.Use(config);
    CHECK(s.SignIn(kStranger).reason() == "not_found");
  }
  SUBCASE("for somebody else") {
    s.pending = true;
    const std::string id = s.As(kStranger, "", "POST", "/v1/sign-ins").body["id"];
    CHECK(s.As(kStranger, "", "POST", "/v1/sign-ins/" + id).body["done"] == false);
    s.pending = false;
    CHECK(s.As(kAuditor, "", "POST", "/v1/sign-ins/" + id).reason() == "not_found");
    CHECK(s.As(kStranger, "", "POST", "/v1/sign-ins/" + id).body["done"] == true);
    CHECK(s.As(kStranger, "", "POST", "/v1/sign-ins/" + id).reason() == "not_found");
  }
  SUBCASE("without a ledger") {
    const std::string id = s.As(kStranger, "", "POST", "/v1/sign-ins").body["id"];
    s.ledger.fail_with = ErrorCode::kUnavailable;
    const auto done = s.As(kStranger, "", "POST", "/v1/sign-ins/" + id);
    CHECK(done.reason() == "ledger_unavailable");
    CHECK_FALSE(done.body.contains("session"));
  }
  SUBCASE("a third time before the first is done") {
    s.pending = true;
    for (int i = 0; i < 2; ++i) CHECK(s.SignIn(kStranger).status == 200);
    CHECK(s.SignIn(kStranger).reason() == "overloaded");
  }
}

TEST_CASE("An operator ends the sign-ins of who has left, at once") {
  Setup s;
  const Peer other{{"", {.uid = 8, .gid = 8}, {}}, true};
  const std::string first = s.Session(kStranger), second = s.Session(kStranger);
  s.claims["oid"] = kNobody;
  const std::string stays = s.Session(other);
  const auto works = [&](const Peer& peer, const std::string& session) {
    return s.As(peer, session, "GET", "/v1/status").status == 200;
  };
  const json listed = s.As(kOperator, "", "GET", "/v1/roles").body["signed_in"];
  REQUIRE(listed.size() == 3);
  CHECK(listed[0] == json{{"oid", kAda}, {"user", "uid:7"}, {"expires_in", 3600}});
  CHECK(listed[2] == json{{"oid", kNobody}, {"user", "uid:8"}, {"expires_in", 3600}});

  const std::string ada = R"({"oid":"44444444-0000-4000-8000-000000000001","why":"has left"})";
  const auto ended = s.As(kOperator, "", "POST", kOthers, ada);
  CHECK(ended.body ==
        json{{"signed_out", 2}, {"recorded", true}, {"seq", s.ledger.entries.size()}});
  const broker::ledger::Entry& entry = s.ledger.entries.back();
  CHECK(entry.type == broker::ledger::EntryType::kAdminAction);
  CHECK(std::get<std::string>(entry.change.at("holder")) == std::string("oid:") + kAda);
  CHECK(std::get<int64_t>(entry.change.at("signed_out")) == 2);
  CHECK(std::get<std::string>(entry.change.at("why")) == "has left");
  CHECK_FALSE(works(kStranger, first));
  CHECK_FALSE(works(kStranger, second));
  CHECK(works(other, stays));
  CHECK(s.As(kOperator, "", "POST", kOthers, ada).body["signed_out"] == 0);

  SUBCASE("who is signed in does it, too, also to themselves") {
    CHECK(s.As(other, stays, "POST", kOthers, kEverybody).body["signed_out"] == 1);
    CHECK(s.ledger.entries.back().user_oid == kNobody);
    CHECK_FALSE(s.ledger.entries.back().change.contains("holder"));
    CHECK_FALSE(works(other, stays));
    CHECK(s.As(kOperator, "", "GET", "/v1/roles").body["signed_in"].empty());
  }
  SUBCASE("without a ledger, too, which is said") {
    s.ledger.fail_with = ErrorCode::kUnavailable;
    CHECK(s.As(kOperator, "", "POST", kOthers, kEverybody).body ==
          json{{"signed_out", 1}, {"recorded", false}});
    CHECK_FALSE(works(other, stays));
  }
}

TEST_CASE("What Entra proved before everybody was signed out opens no session") {
  Setup s;
  s.http.respond = [&s](const broker::HttpRequest& request) {
    if (request.url.ends_with("/token")) {
      CHECK(s.As(kOperator, "", "POST", kOthers, kEverybody).status == 200);
    }
    return s.Answer(request);
  };
  const auto refused = s.SignIn(kStranger);
  CHECK(refused.reason() == "conflict");
  CHECK_FALSE(refused.body.contains("session"));
  CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminSignedIn);
  CHECK(s.ledger.entries.back().outcome == broker::ledger::Outcome::kFailure);
}

TEST_CASE("Nobody else is signed out by who may not, or by half an order") {
  Setup s;
  const std::string session = s.Session(kAuditor);
  s.claims["groups"] = {kLeads};
  s.claims["oid"] = kNobody;
  const std::string approver = s.Session(kStranger);
  struct Row {
    const char* why;
    Peer peer;
    std::string session, body;
    const char* reason;
  };
  // clang-format off
  const Row rows[] = {
      {"a stranger",              kStranger, "",       kEverybody,                  "role_missing"},
      {"an auditor",              kAuditor,  "",       kEverybody,                  "role_missing"},
      {"an approver",             kStranger, approver, kEverybody,                  "role_missing"},
      {"an agent's user",         kAgent,    session,  kEverybody,                  "role_missing"},
      {"nobody named",            kOperator, "",       "{}",                        "missing_field"},
      {"somebody and everybody",  kOperator, "",       R"({"all":true,"oid":"x"})", "missing_field"},
      {"not everybody",           kOperator, "",       R"({"all":false})",          "wrong_type"},
      {"no object id",            kOperator, "",       R"({"oid":"ada"})",          "wrong_type"},
      {"a number",                kOperator, "",       R"({"oid":7})",              "wrong_type"},
      {"a reason of two lines",   kOperator, "",       R"({"all":true,"why":"a\nb"})", "value_out_of_range"},
      {"a user of this machine",  kOperator, "",       R"({"uid":7})",              "unknown_field"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(s.As(row.peer, row.session, "POST", kOthers, row.body).reason() == row.reason);
    CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminDenied);
  }
  CHECK(s.As(kAuditor, session, "POST", "/v1/reload").status == 200);
}

TEST_CASE("Those who hold no role are not answered without end") {
  Setup s;
  const auto flood = [&](const Peer& who) {
    for (uint32_t i = 0; i < AdminService::kOfUserPerMinute; ++i) {
      CHECK(s.As(who, "", "GET", "/v1/status").reason() == "role_missing");
    }
    const size_t entries = s.ledger.entries.size();
    CHECK(s.As(who, "", "GET", "/v1/status").reason() == "overloaded");
    CHECK(s.ledger.entries.size() == entries);
  };
  const auto user = [](uint32_t uid) { return Peer{{"", {.uid = uid, .gid = 7}, {}}, true}; };
  flood(kStranger);
  CHECK_FALSE(s.Session(user(8)).empty());  // whom one of them does not keep from signing in
  CHECK(s.As(kOperator, "", "GET", "/v1/status").status == 200);
  SUBCASE("until the minute is over") {}
  SUBCASE("be they many") {
    for (uint32_t i = 1; i < AdminService::kCrowdPerMinute / AdminService::kOfUserPerMinute; ++i) {
      for (uint32_t j = 0; j < AdminService::kOfUserPerMinute; ++j) {
        s.As(user(100 + i), "", "GET", "/v1/status");
      }
    }
    CHECK(s.As(user(9999), "", "GET", "/v1/status").reason() == "overloaded");
    CHECK(s.As(kOperator, "", "GET", "/v1/status").status == 200);
  }
  s.clock.Advance(minutes(1));
  CHECK(s.As(kStranger, "", "GET", "/v1/status").reason() == "role_missing");
}

TEST_CASE("What anybody can cause again and again is an entry that a flood is counted of") {
  Setup s;
  s.pending = true;
  for (int i = 0; i < 2; ++i) CHECK(s.As(kAuditor, "", "POST", "/v1/sign-ins").status == 200);
  CHECK(s.ledger.entries.back().type == broker::ledger::EntryType::kAdminAction);
  const size_t begun = s.ledger.entries.size();
  CHECK(s.As(kAuditor, "", "POST", "/v1/sign-ins").reason() == "overloaded");
  CHECK(s.As(kAuditor, "", "POST", "/v1/sign-ins/00").reason() == "not_found");
  CHECK(s.As(kAuditor, "", "POST", "/v1/sign-out").reason() == "not_found");
  s.http.respond = [](const auto&) { return FakeHttp::Answer(503, "{}"); };
  CHECK(s.As(kStranger, "", "POST", "/v1/sign-ins").reason() == "upstream_unavailable");
  REQUIRE(s.ledger.entries.size() == begun + 4);
  for (size_t i = begun; i < s.ledger.entries.size(); ++i) {
    CHECK(s.ledger.entries[i].type == broker::ledger::EntryType::kAdminDenied);
  }
}

TEST_CASE("require_person asks who approves and releases, and never who stops") {
  Config config = WithPeople();
  config.admin.require_person = true;
  Setup s(config);
  const auto kill = [&] { return s.As(kOperator, "", "POST", "/v1/kill", kWhy); };
  CHECK(kill().status == 200);
  const std::string digest = R"({"digest":"x"})";
  CHECK(s.As(kRoot, "", "POST", "/v1/release", kWhy).reason() == "person_required");
  CHECK(s.As(kOperator, "", "POST", "/v1/release", kWhy).reason() == "person_required");
  CHECK(s.As(kOperator, "", "POST", "/v1/release", R"({"credential":"certificate","why":"x"})")
            .reason() == "person_required");
  CHECK(s.As(kOperator, "", "POST", "/v1/restore", R"({"why":"x"})").reason() == "person_required");
  CHECK(s.As(kRoot, "", "POST", "/v1/approvals/00/approve", digest).reason() == "person_required");
  CHECK(s.As(kStranger, "", "POST", "/v1/release", kWhy).reason() == "role_missing");
  CHECK(s.As(kRoot, "", "POST", "/v1/approvals/00/deny", digest).reason() == "not_found");
  CHECK(s.As(kOperator, "", "POST", "/v1/revoke", R"({"agent":"helpdesk","why":"x"})").status ==
        200);
  SUBCASE("by a person who is signed in") {
    const std::string session = s.Session(kRoot);
    CHECK(s.As(kRoot, session, "POST", "/v1/release", kWhy).status == 200);
    CHECK(s.ledger.entries.back().user_oid == kAda);
  }
  SUBCASE("not by anybody of the tenant, where [admin] names who it is") {
    s.claims["groups"] = {kLeads};
    const std::string session = s.Session(kOperator);
    CHECK(s.As(kOperator, session, "POST", "/v1/release", kWhy).reason() == "person_required");
    CHECK(s.As(kRoot, session, "POST", "/v1/release", kWhy).reason() == "person_required");
  }
}

TEST_CASE("One person behind two users is one where a release needs two") {
  Config config = WithPeople();
  config.admin.two_person_release = true;
  Setup s(config);
  REQUIRE(s.As(kOperator, "", "POST", "/v1/kill", kWhy).status == 200);
  const std::string first = s.Session(kStranger);
  const Peer other{{"", {.uid = 8, .gid = 8}, {}}, true};
  const std::string again = s.Session(other);
  CHECK(s.As(kStranger, first, "POST", "/v1/release", kWhy).body.contains("proposed"));
  CHECK(s.As(other, again, "POST", "/v1/release", kWhy).reason() == "conflict");
  s.claims["oid"] = kNobody;
  const std::string second = s.Session(other);
  CHECK(s.As(other, second, "POST", "/v1/release", kWhy).body.contains("released"));
  CHECK(std::get<std::string>(s.ledger.entries.back().change.at("proposed_by_oid")) == kAda);
}

TEST_CASE("Behind root, too, who was given a role is no second one where a release needs two") {
  Config config = WithPeople();
  config.admin.require_person = true;
  config.admin.two_person_release = true;
  Setup s(config);
  REQUIRE(s.timed_roles.Load(false).has_value());
  REQUIRE(s.As(kRoot, "", "POST", "/v1/kill", kWhy).status == 200);
  const std::string first = s.Session(kStranger);
  const json given = {{"oid", kNobody}, {"role", "operator"}, {"seconds", 3600}, {"why", "x"}};
  REQUIRE(s.As(kStranger, first, "POST", "/v1/roles", given.dump()).status == 200);
  s.claims["oid"] = kNobody;
  s.claims["groups"] = json::array();
  const std::string second = s.Session(kRoot);
  CHECK(s.As(kStranger, first, "POST", "/v1/release", kWhy).body.contains("proposed"));
  CHECK(s.As(kRoot, second, "POST", "/v1/release", kWhy).reason() == "role_missing");
  const json more = {{"uid", 8}, {"role", "approver"}, {"seconds", 60}, {"why", "x"}};
  CHECK(s.As(kRoot, second, "POST", "/v1/roles", more.dump()).reason() == "person_required");
}
