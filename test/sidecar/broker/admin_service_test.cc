#include "sidecar/broker/admin_service.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_token_cache.h"
#include "test/fakes/test_certificate.h"

using namespace sidecar::broker_role;
using broker::ErrorCode, broker::Secret, broker::SecretKind;
using broker::ledger::EntryType, broker::ledger::Outcome;
using nlohmann::json;
using sidecar::ipc::MessageType;

namespace {

constexpr const char* kTenant = "8f0c1e5e-0000-4000-8000-000000000001";
constexpr const char* kPrompt =
    R"({"device_code":"d","user_code":"ABC-123","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5})";
const Peer kOperator{{"", {.uid = 5, .gid = 5, .groups = {10}}, {}}, true};
const Peer kAuditor{{"", {.uid = 6, .gid = 6, .groups = {30}}, {}}, true};
const Peer kStranger{{"", {.uid = 7, .gid = 7}, {}}, true};

broker::policy::Config ThreeCredentials() {
  broker::policy::Config config;
  config.instance.name = "test";
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com",
                   "https://graph.microsoft.com"};
  config.admin.operator_gids = {10};
  config.admin.auditor_gids = {30};
  for (const char* kind : {"refresh-token", "client-secret", "certificate"}) {
    config.credentials[kind] = {.name = kind,
                                .kind = kind,
                                .client_id = "22222222-0000-4000-8000-000000000003",
                                .scopes = {"Mail.Read"}};
  }
  return config;
}

struct Fixture : FakeMintPorts {
  FakeTokenCache cache;
  broker::Minter::Ports minter_ports{ports()};
  broker::Minter minter{minter_ports};
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; }},
                        std::make_shared<const broker::policy::Config>(ThreeCredentials())};
  std::vector<std::string> done;  // what reached another process
  bool latched = false;
  AdminService service{Ports()};

  AdminPorts Ports() {
    return {.broker = broker,
            .minter_ports = minter_ports,
            .minter = minter,
            .cache = cache,
            .store = vault.store,
            .unseal = [this](const Secret& typed) -> broker::Status {
              done.emplace_back("unseal");
              if (typed.Expose(broker::Exit::kTest) == "right") return {};
              return broker::Fail(ErrorCode::kDenied, "wrong passphrase");
            },
            .rotate_seal = [this](const auto&, const Secret&) -> broker::Result<uint64_t> {
              done.emplace_back("rotate");
              return 3;
            },
            .store_trouble = [] { return std::string(); },
            .ledger_state = [this] { return State(); },
            .resume_ledger =
                [this] {
                  done.emplace_back("resume");
                  return State();
                },
            .ask_supervisor = [this](MessageType type,
                                     const std::string& text) -> broker::Result<std::string> {
              if (type == MessageType::kReloadRequest) done.push_back("reload:" + text);
              return R"({"ok":true})";
            },
            .readiness = [] { return Readiness{}; }};
  }
  broker::Result<sidecar::ipc::LedgerState> State() const {
    return sidecar::ipc::LedgerState{.latched = latched, .latch_reason = "sync failed: EIO"};
  }

  struct Reply {
    int status;
    json body;
    std::string reason() const { return body.value("reason", ""); }
  };
  Reply Ask(const Peer& peer, std::string method, std::string path, std::string body = {}) {
    std::string request, answer;
    sidecar::ipc::Encode(
        sidecar::ipc::AdminRequest{"req-1", std::move(method), std::move(path), std::move(body)},
        &request);
    service.Handle(peer, request, &answer);
    const auto decoded = sidecar::ipc::DecodeAnswer(answer);
    REQUIRE(decoded.has_value());
    return {decoded->status, json::parse(decoded->body)};
  }
  // The body that `purser` would send.
  std::string Sealed(std::string_view plain) {
    const std::string key = Ask(kOperator, "GET", "/v1/seal-key").body["public_key"];
    return json{{"sealed", *broker::SealTo(key, Secret::CopyOf(plain))}}.dump();
  }
  std::vector<EntryType> Types() const {
    std::vector<EntryType> types;
    for (const auto& entry : ledger.entries) types.push_back(entry.type);
    return types;
  }
};

}  // namespace

TEST_CASE("Each route asks for its role, and a refusal is in the ledger") {
  enum Who { kNobody, kReader, kActor };  // the least of them that the route answers
  // clang-format off
  struct Row { const char* method; const char* path; Who least; };
  const Row rows[] = {
      {"GET",  "/readyz",                               kNobody},
      {"GET",  "/v1/status",                            kReader},
      {"GET",  "/v1/agents",                            kReader},
      {"GET",  "/v1/credentials",                       kReader},
      {"GET",  "/v1/seal-key",                          kActor},
      {"POST", "/v1/reload",                            kActor},
      {"POST", "/v1/credentials/refresh-token/login",   kActor},
      {"GET",  "/v1/logins/0102",                       kActor},
      {"PUT",  "/v1/credentials/client-secret/secret",  kActor},
      {"POST", "/v1/unseal",                            kActor},
      {"POST", "/v1/seal/rotate",                       kActor},
      {"POST", "/v1/ledger/resume",                     kActor},
      {"POST", "/v1/doctor/credentials/client-secret",  kActor},
      {"POST", "/v1/doctor/hosts",                      kActor},
  };
  // clang-format on
  const std::pair<const Peer*, Who> peers[] = {
      {&kStranger, kNobody}, {&kAuditor, kReader}, {&kOperator, kActor}};
  for (const Row& row : rows) {
    for (const auto& [peer, who] : peers) {
      CAPTURE(row.path);
      CAPTURE(peer->caller.facts.uid);
      Fixture f;
      const auto reply = f.Ask(*peer, row.method, row.path);
      CHECK((reply.reason() == "role_missing") == (who < row.least));
      if (who >= row.least) continue;
      CHECK(reply.status == 403);
      CHECK(f.done.empty());
      CHECK(f.http.seen.empty());
      REQUIRE(f.ledger.entries.size() == 1);
      CHECK(f.ledger.entries[0].type == EntryType::kAdminDenied);
      CHECK(f.ledger.entries[0].caller->uid == peer->caller.facts.uid);
      CHECK(f.ledger.entries[0].target_id == std::string(row.method) + " " + row.path);
    }
  }
}

TEST_CASE(
    "A request that is not exactly what a route takes changes nothing, and is in the ledger") {
  // clang-format off
  struct Row { const char* why; const char* method; const char* path; const char* body; const char* want; };
  const Row rows[] = {
      {"an unknown route",           "GET",  "/v1/kill",                             "",                     "not_found"},
      {"a route by another method",  "POST", "/v1/status",                           "",                     "not_found"},
      {"a route with more behind it", "GET", "/v1/status/",                          "",                     "not_found"},
      {"two segments for one",       "PUT",  "/v1/credentials/a/b/secret",           "{}",                   "not_found"},
      {"an empty segment",           "PUT",  "/v1/credentials//secret",              "{}",                   "not_found"},
      {"no JSON",                    "POST", "/v1/reload",                           "dry",                  "malformed_json"},
      {"no object",                  "POST", "/v1/reload",                           "[]",                   "malformed_json"},
      {"a field twice",              "POST", "/v1/reload",                           R"({"dry_run":true,"dry_run":false})", "malformed_json"},
      {"an unknown field",           "POST", "/v1/reload",                           R"({"dry":true})",      "unknown_field"},
      {"a field where none is",      "POST", "/v1/ledger/resume",                    R"({"force":true})",    "unknown_field"},
      {"a flag that is a text",      "POST", "/v1/reload",                           R"({"dry_run":"yes"})", "wrong_type"},
      {"a flag that is null",        "POST", "/v1/reload",                           R"({"dry_run":null})",  "wrong_type"},
      {"a missing field",            "POST", "/v1/unseal",                           "{}",                   "missing_field"},
      {"a box that is a number",     "POST", "/v1/unseal",                           R"({"sealed":1})",      "wrong_type"},
      {"a secret in the clear",      "POST", "/v1/unseal",                           R"({"sealed":"right"})", "value_out_of_range"},
      {"a rotation in the clear",    "POST", "/v1/seal/rotate",                      R"({"sealed":"right"})", "value_out_of_range"},
      {"a credential's in the clear", "PUT", "/v1/credentials/client-secret/secret", R"({"sealed":"s3cret"})", "value_out_of_range"},
      {"a secret beside the box",    "PUT",  "/v1/credentials/client-secret/secret", R"({"sealed":"","secret":"s"})", "unknown_field"},
      {"no such credential",         "PUT",  "/v1/credentials/nobody/secret",        R"({"sealed":"x"})",    "not_found"},
      {"a typed refresh token",      "PUT",  "/v1/credentials/refresh-token/secret", R"({"sealed":"x"})",    "value_out_of_range"},
      {"a login of an application",  "POST", "/v1/credentials/client-secret/login",  "",                     "value_out_of_range"},
      {"a login of nobody",          "POST", "/v1/credentials/nobody/login",         "",                     "not_found"},
      {"a login never begun",        "GET",  "/v1/logins/0102",                      "",                     "not_found"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    CHECK(f.Ask(kOperator, row.method, row.path, row.body).reason() == row.want);
    CHECK(f.done.empty());
    CHECK(f.http.seen.empty());
    CHECK(f.vault.store.List()->empty());
    const bool acts =
        std::string_view(row.want) != "not_found" && std::string_view(row.method) != "GET";
    if (acts) CHECK(f.ledger.entries.back().outcome == Outcome::kFailure);
  }
}

TEST_CASE("Without a ledger nothing is changed, but for the route that mends it") {
  // clang-format off
  struct Row { const char* method; const char* path; bool sealed; };
  const Row rows[] = {
      {"POST", "/v1/reload",                            false},
      {"POST", "/v1/credentials/refresh-token/login",   false},
      {"PUT",  "/v1/credentials/client-secret/secret",  true},
      {"POST", "/v1/unseal",                            true},
      {"POST", "/v1/seal/rotate",                       true},
      {"POST", "/v1/doctor/credentials/client-secret",  false},
      {"POST", "/v1/doctor/hosts",                      false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.path);
    Fixture f;
    const std::string body = row.sealed ? f.Sealed("right") : "";
    f.ledger.fail_with = ErrorCode::kUnavailable;
    CHECK(f.Ask(kOperator, row.method, row.path, body).reason() == "ledger_unavailable");
    CHECK(f.done.empty());
    CHECK(f.http.seen.empty());
    CHECK(f.vault.store.List()->empty());
  }
  Fixture f;
  f.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK(f.Ask(kOperator, "POST", "/v1/ledger/resume").status == 200);
  CHECK(f.done == std::vector<std::string>{"resume"});
  CHECK(f.Ask(kAuditor, "GET", "/v1/status").status == 200);
  f.latched = true;
  const auto still = f.Ask(kOperator, "POST", "/v1/ledger/resume");
  CHECK(still.reason() == "ledger_unavailable");
  CHECK(still.body["error_description"].get<std::string>().find("EIO") != std::string::npos);
}

TEST_CASE("An action is recorded as intent and as outcome, with who and what") {
  Fixture f;
  CHECK(f.Ask(kOperator, "POST", "/v1/reload", R"({"dry_run":true})").status == 200);
  CHECK(f.done == std::vector<std::string>{"reload:dry-run"});
  REQUIRE(f.ledger.entries.size() == 2);
  CHECK(f.ledger.entries[0].outcome == Outcome::kPending);
  CHECK(f.ledger.entries[1].outcome == Outcome::kSuccess);
  for (const auto& entry : f.ledger.entries) {
    CHECK(entry.type == EntryType::kAdminAction);
    CHECK(entry.caller->uid == 5);
    CHECK(entry.request_id == "req-1");
    CHECK(entry.target_id == "POST /v1/reload");
  }
  CHECK(f.Ask(kOperator, "POST", "/v1/unseal", f.Sealed("wrong")).reason() ==
        "credential_rejected");
  CHECK(f.ledger.entries.back().outcome == Outcome::kFailure);
  CHECK(f.ledger.entries.back().reason == "credential_rejected");
  CHECK(f.Ask(kOperator, "POST", "/v1/unseal", f.Sealed("right")).status == 200);
}

TEST_CASE("A secret that does not fit its credential does not replace a good one") {
  const auto good = TestCertificate::Rsa();
  const auto other = TestCertificate::Rsa();
  // clang-format off
  struct Row { const char* why; const char* credential; std::string secret; bool stored; };
  const Row rows[] = {
      {"a key alone",                   "certificate",   good.KeyPem(),                                    false},
      {"a certificate alone",           "certificate",   good.CertificatePem(),                            false},
      {"another key's certificate",     "certificate",   good.KeyPem() + other.CertificatePem(),           false},
      {"an encrypted key",              "certificate",   good.KeyPem("secret") + good.CertificatePem(),    false},
      {"a key that Entra takes not",    "certificate",   TestCertificate::Rsa(1024).KeyPem() + good.CertificatePem(), false},
      {"a client secret",               "certificate",   "Abc~123",                                        false},
      {"a PEM file",                    "client-secret", good.KeyPem() + good.CertificatePem(),            false},
      {"a secret with a space",         "client-secret", "Abc 123",                                        false},
      {"a secret with an umlaut",       "client-secret", "\xc3\xbc",                                       false},
      {"a key with its certificate",    "certificate",   good.KeyPem() + good.CertificatePem(),            true},
      {"a certificate with its key",    "certificate",   good.CertificatePem() + good.KeyPem(),            true},
      {"a client secret of its own",    "client-secret", "Abc~123",                                        true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    const std::string path = "/v1/credentials/" + std::string(row.credential) + "/secret";
    const auto reply = f.Ask(kOperator, "PUT", path, f.Sealed(row.secret));
    CHECK(f.vault.store.List()->size() == (row.stored ? 1 : 0));
    CHECK(f.cache.evicted.size() == (row.stored ? 1 : 0));
    CHECK(reply.status == (row.stored ? 200 : 400));
    CHECK(reply.body.dump().find("Abc") == std::string::npos);
    for (const auto& entry : f.ledger.entries) CHECK(entry.change.empty());
  }
}

TEST_CASE("A box for another key, as after a restart of the broker, is refused") {
  Fixture before, after;
  CHECK(after.Ask(kOperator, "POST", "/v1/unseal", before.Sealed("right")).reason() ==
        "value_out_of_range");
  CHECK(after.done.empty());
}

TEST_CASE("No more logins are opened at Entra than are kept here") {
  Fixture f;
  f.http.respond = [](const auto&) { return FakeHttp::Answer(200, kPrompt); };
  const auto start = [&] {
    return f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login");
  };
  for (size_t i = 0; i < Logins::kMaxLogins; ++i) REQUIRE(start().status == 200);
  const size_t asked = f.http.seen.size();
  CHECK(start().reason() == "overloaded");
  CHECK(f.http.seen.size() == asked);
  f.clock.Advance(std::chrono::minutes(16));  // all of them have expired
  CHECK(start().status == 200);
}

TEST_CASE("A login that could not begin takes no place") {
  Fixture f;
  for (size_t i = 0; i < 2 * Logins::kMaxLogins; ++i) {
    CHECK(f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login").reason() ==
          "upstream_unavailable");
  }
  f.http.Push(200, kPrompt);
  const auto begun = f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login");
  REQUIRE(begun.status == 200);
  CHECK(begun.body["user_code"] == "ABC-123");
  const std::string poll = "/v1/logins/" + begun.body["id"].get<std::string>();
  f.http.Push(400, R"({"error":"authorization_pending","error_codes":[70016]})");
  CHECK(f.Ask(kOperator, "GET", poll).body["done"] == false);
  f.http.Push(400, R"({"error":"authorization_declined"})");
  CHECK(f.Ask(kOperator, "GET", poll).reason() == "login_required");
  CHECK(f.Ask(kOperator, "GET", poll).reason() == "not_found");
}

TEST_CASE("The authority is tried, and what its clock says of ours is told") {
  Fixture f;
  f.http.PushFailure(ErrorCode::kUnavailable, "cannot connect");
  const json away = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  REQUIRE(away.size() == 1);
  CHECK(away[0]["reached"] == false);
  CHECK(away[0]["error"] == "cannot connect");
  f.http.respond = [&](const auto&) -> broker::Result<broker::HttpResponse> {
    auto response = FakeHttp::Answer(404, "{}");
    response.date = f.clock.WallNow() - std::chrono::seconds(90);
    return response;
  };
  const json there = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  CHECK(there[0]["reached"] == true);
  CHECK(there[0]["clock_skew_s"] == 90);
}

TEST_CASE("Each listed host is tried, the authority first, whatever became of the others") {
  Fixture f;
  auto config = ThreeCredentials();
  config.vaults["corp"] = {.name = "corp",
                           .kind = "azure-key-vault",
                           .url = "https://corp-agents.vault.azure.net",
                           .auth = "managed-identity"};
  config.vaults["mounted"] = {.name = "mounted", .kind = "mounted-files", .path = "/secrets"};
  config.credentials["here"] = {.name = "here",
                                .kind = "managed-identity",
                                .endpoint = "http://127.0.0.1:40342/metadata/identity"};
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  std::chrono::milliseconds longest{0};
  f.http.respond = [&](const broker::HttpRequest& request) -> broker::Result<broker::HttpResponse> {
    longest += request.deadline;
    if (request.url.find("vault") != std::string::npos) {
      return broker::Fail(ErrorCode::kUnavailable, "cannot connect");
    }
    return FakeHttp::Answer(400, "{}");
  };
  const json hosts = f.Ask(kOperator, "POST", "/v1/doctor/hosts").body["hosts"];
  const std::vector<std::pair<std::string, bool>> wanted{
      {"https://login.microsoftonline.com/" + std::string(kTenant) +
           "/v2.0/.well-known/openid-configuration",
       true},
      {"https://corp-agents.vault.azure.net:443/", false},
      {"http://127.0.0.1:40342/", true},
      {"http://169.254.169.254:80/", true}};
  REQUIRE(hosts.size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(hosts[i]["url"] == wanted[i].first);
    CHECK(hosts[i]["reached"] == wanted[i].second);
  }
  CHECK(longest < std::chrono::minutes(1));  // the command waits no longer
}

TEST_CASE("What a registration is consented to beyond the configuration is named") {
  const broker::policy::Credential credential{
      .name = "mail", .scopes = {"Mail.Read", "https://vault.azure.net/user_impersonation"}};
  using Names = std::vector<std::string>;
  CHECK(OverConsented(credential, {"Mail.Read", "openid", "offline_access"}).empty());
  CHECK(OverConsented(credential, {"user_impersonation"}).empty());
  CHECK(OverConsented(credential, {"Mail.Read", "Mail.Send"}) == Names{"Mail.Send"});
  CHECK(OverConsented(credential, {"Mail.ReadWrite"}) == Names{"Mail.ReadWrite"});
}

TEST_CASE("What is no request gets an answer; /readyz of the admin window is one") {
  Fixture f;
  for (const std::string& bytes : {std::string(), std::string("\x05"), std::string(100, '\xff')}) {
    std::string answer;
    f.service.Handle(kOperator, bytes, &answer);
    CHECK(sidecar::ipc::DecodeAnswer(answer)->status == 400);
  }
  std::string plain, answer;
  sidecar::ipc::Encode(sidecar::ipc::PlainRequest{MessageType::kReady, "r"}, &plain);
  f.service.Handle(kStranger, plain, &answer);
  CHECK(sidecar::ipc::DecodeAnswer(answer)->status == 200);
}
