#include "sidecar/broker/admin_service.h"

#include <doctest/doctest.h>

#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using namespace sidecar::broker_role;
using broker::ErrorCode;
using broker::ledger::EntryType, broker::ledger::Outcome;
using nlohmann::json;
using sidecar::ipc::MessageType;

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
      {"POST", "/v1/ledger/archive",                    kActor},
      {"POST", "/v1/restore",                           kActor},
      {"POST", "/v1/kill",                              kActor},
      {"POST", "/v1/release",                           kActor},
      {"POST", "/v1/doctor/credentials/client-secret",  kActor},
      {"POST", "/v1/doctor/hosts",                      kActor},
      {"POST", "/v1/sign-out/others",                   kActor},
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
      {"an unknown route",           "GET",  "/v1/nothing",                          "",                     "not_found"},
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
      {"a restore without a reason", "POST", "/v1/restore",                          "{}",                   "missing_field"},
      {"an empty reason",            "POST", "/v1/restore",                          R"({"why":""})",        "value_out_of_range"},
      {"a reason that is a number",  "POST", "/v1/restore",                          R"({"why":1})",         "wrong_type"},
      {"a reason of two lines",      "POST", "/v1/restore",                          R"({"why":"a\nb"})",    "value_out_of_range"},
      {"a missing field",            "POST", "/v1/unseal",                           "{}",                   "missing_field"},
      {"a box that is a number",     "POST", "/v1/unseal",                           R"({"sealed":1})",      "wrong_type"},
      {"a secret in the clear",      "POST", "/v1/unseal",                           R"({"sealed":"right"})", "value_out_of_range"},
      {"a rotation in the clear",    "POST", "/v1/seal/rotate",                      R"({"sealed":"right"})", "value_out_of_range"},
      {"a rotation to nothing",      "POST", "/v1/seal/rotate",                      "{}",                   "missing_field"},
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

TEST_CASE("Where a key vault wraps the key, nobody types one") {
  Fixture f;
  auto config = ThreeCredentials();
  config.seal.kind = "azure-key-vault";
  f.broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  CHECK(f.Ask(kOperator, "POST", "/v1/seal/rotate", f.Sealed("right")).reason() == "unknown_field");
  CHECK(f.done.empty());
  CHECK(f.Ask(kOperator, "POST", "/v1/seal/rotate", "{}").body["rewritten"] == 3);
  CHECK(f.Ask(kOperator, "POST", "/v1/seal/rotate").status == 200);
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

TEST_CASE("An archive is asked of the ledger segment by segment, and recorded with who asked") {
  Fixture f;
  f.archives = {R"({"left":1,"moved":{"file":"a"}})", R"({"left":0,"moved":{"file":"b"}})", "{}"};
  const auto done = f.Ask(kOperator, "POST", "/v1/ledger/archive", R"({"before":"2026-10-01"})");
  CHECK(done.status == 200);
  CHECK(done.body["moved"].size() == 2);
  CHECK(done.body["left"] == 0);
  CHECK(f.done ==
        std::vector<std::string>(2, R"(archive:{"before":"2026-10-01","dry_run":false})"));
  CHECK(f.ledger.entries.front().outcome == Outcome::kPending);
  CHECK(f.ledger.entries.back().outcome == Outcome::kSuccess);
}

TEST_CASE("What is no day, or what the ledger cannot do, archives nothing") {
  // clang-format off
  struct Row { const char* why; const char* body; const char* ledger; const char* want; };
  const Row rows[] = {
      {"no day",                  R"({"dry_run":true})",                     "{}",                     "missing_field"},
      {"a day in numbers",        R"({"before":20261001})",                  "{}",                     "wrong_type"},
      {"a day in words",          R"({"before":"yesterday"})",               "{}",                     "value_out_of_range"},
      {"a moment",                R"({"before":"2026-10-01T00:00:00Z"})",    "{}",                     "value_out_of_range"},
      {"a flag that is a text",   R"({"before":"2026-10-01","dry_run":"y"})", "{}",                    "wrong_type"},
      {"a latched ledger",        R"({"before":"2026-10-01"})",              R"({"error":"latched"})", "ledger_unavailable"},
      {"an answer that is none",  R"({"before":"2026-10-01"})",              "[]",                     "internal"},
      {"a ledger that is gone",   R"({"before":"2026-10-01"})",              "",                       "ledger_unavailable"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    if (*row.ledger != '\0') f.archives = {row.ledger};
    const auto answer = f.Ask(kOperator, "POST", "/v1/ledger/archive", row.body);
    CHECK(answer.status != 200);
    CHECK(answer.reason() == row.want);
  }
}
