// [notify.NAME] kind = "teams-chat": with whose token, what is written, and what is not.
#include <algorithm>
#include <vector>

#include "broker/ledger/entry_names.h"
#include "broker/notifiers.h"
#include "test/broker/credential_kinds_setup.h"

using namespace broker;
using namespace credential_kinds;
using namespace entra_answers;
using namespace std::chrono_literals;

namespace {

struct Bench : Setup {
  GraphClient graph{http, minter, clock};
  Revocations revocations;
  bool stopped = false, pending = true;
  std::vector<Notifiers::Job> jobs;
  Notifiers notifiers{{.http = http,
                       .vault = vault,
                       .ledger = ledger,
                       .clock = clock,
                       .sleeper = sleeper,
                       .graph = graph,
                       .revocations = revocations,
                       .config = [this] { return std::make_shared<const policy::Config>(config); },
                       .start =
                           [this](Notifiers::Job job) {
                             jobs.push_back(std::move(job));
                             return true;
                           },
                       .stopped = [this](const std::string&) { return stopped; },
                       .pending = [this](const std::string&) { return pending; }}};

  Bench() {
    config.instance.name = "zrh";
    Add({.name = "writer",
         .kind = "refresh-token",
         .client_id = kClient,
         .user = kUser,
         .scopes = {"ChatMessage.Send"}});
    const Secret token = Secret::CopyOf("refresh-1");
    REQUIRE(vault.store.Put({"writer", SecretKind::kRefreshToken}, token, 0).has_value());
    policy::Notifier& leads = config.notifiers["leads"];
    leads.name = "leads";
    leads.kind = "teams-chat";
    leads.credential = "writer";
    leads.chat = "19:0a1b@thread.v2";
  }
  static nlohmann::json Claims() {
    nlohmann::json claims = UserClaims();
    claims["scp"] = "ChatMessage.Send openid profile";
    return claims;
  }
  static std::string Token(const nlohmann::json& change = nlohmann::json::object()) {
    nlohmann::json claims = Claims();
    claims.merge_patch(change);
    return TokenBody(claims, "refresh-2");
  }
  void Tell() {
    Approval approval;
    approval.id = "a1";
    approval.agent = "helpdesk";
    approval.shown = R"({"scopes":["Mail.Send"],"claimed":{"purpose":"<at>Jo</at>"}})";
    approval.digest = "d1";
    notifiers.Opened(approval);
    for (auto& job : std::exchange(jobs, {})) job();
  }
  std::vector<std::string> Failures() {
    std::vector<std::string> reasons;
    for (const auto& one : ledger.entries) {
      if (one.type == ledger::EntryType::kNotifierFailed) reasons.push_back(one.reason);
    }
    return reasons;
  }
};

}  // namespace

TEST_CASE("A chat is written to with the token of its own credential, after its entry") {
  Bench b;
  b.http.Push(200, Bench::Token());
  b.http.Push(201, "{}");
  b.Tell();
  REQUIRE(b.http.seen.size() == 2);
  const auto& sent = b.http.seen[1];
  CHECK(sent.method == "POST");
  CHECK(sent.url == std::string(kGraph) + "/v1.0/chats/19:0a1b@thread.v2/messages");
  CHECK(sent.authorization == "Bearer " + Jwt(Bench::Claims()));
  const auto body = nlohmann::json::parse(sent.body);
  CHECK(body["body"]["contentType"] == "html");
  const std::string html = body["body"]["content"];
  CHECK(Holds(html, "purser approve a1"));
  CHECK(Holds(html, "“‹at›Jo‹/at›”"));
  CHECK_FALSE(body.contains("mentions"));
  CHECK(b.Failures().empty());
  REQUIRE_FALSE(b.ledger.entries.empty());
  CHECK(b.ledger.entries[0].target_kind == "notifier");
  CHECK(b.ledger.entries[0].target_id == "leads");
  CHECK(b.ledger.entries[0].agent == "helpdesk");
  CHECK(b.ledger.entries[0].credential_name == "writer");
}

TEST_CASE("A token that can do more, or is anybody else's, writes nothing") {
  // clang-format off
  struct Row { const char* why; nlohmann::json change; const char* reason; };
  const Row rows[] = {
      {"it reads chats, too",    {{"scp", "ChatMessage.Send Chat.Read"}},             "over_scoped"},
      {"it reads mail, too",     {{"scp", "ChatMessage.Send Mail.Read"}},             "over_scoped"},
      {"another user's",         {{"oid", "99999999-0000-4000-8000-000000000009"}},   "credential_unavailable"},
      {"another application's",  {{"appid", "99999999-0000-4000-8000-000000000009"}}, "credential_unavailable"},
      {"another tenant's",       {{"tid", "99999999-0000-4000-8000-000000000009"}},   "credential_unavailable"},
      {"for something else",     {{"aud", "https://vault.azure.net"}},                "credential_unavailable"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Bench b;
    b.http.Push(200, Bench::Token(row.change));
    b.Tell();
    CHECK(b.http.seen.size() == 1);
    CHECK(b.Failures() == std::vector<std::string>{row.reason});
  }
}

TEST_CASE("What Graph refuses is recorded once, and tried again where that may help") {
  // clang-format off
  struct Row { const char* why; std::vector<int> statuses; size_t asked; const char* reason; };  // 0: no answer
  const Row rows[] = {
      {"told at the second try",   {503, 201},      2, ""},
      {"told after a wait",        {0, 201},        2, ""},
      {"never up",                 {0, 0, 0, 201},  3, "upstream_unavailable"},
      {"not a member of the chat", {403, 201},      1, "upstream_rejected"},
      {"no such chat",             {404, 201},      1, "upstream_rejected"},
      {"a token that is revoked",  {401, 201},      1, "upstream_rejected"},
      {"too large",                {413, 201},      1, "upstream_rejected"},
      {"a redirect",               {302, 201},      1, "upstream_rejected"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Bench b;
    b.http.Push(200, Bench::Token());
    for (const int status : row.statuses) {
      if (status == 0) b.http.PushFailure(ErrorCode::kUnavailable, "timed out");
      if (status != 0) b.http.Push(status, "{}");
    }
    b.Tell();
    CHECK(b.http.seen.size() == row.asked + 1);
    const std::string reason = row.reason;
    CHECK(b.Failures() ==
          (reason.empty() ? std::vector<std::string>{} : std::vector<std::string>{reason}));
    CHECK(b.ledger.entries.back().approval_id == (reason.empty() ? "" : "a1"));
  }
}

TEST_CASE("A chat is asked again later where Graph says so, but not beyond the deadline") {
  Bench b;
  b.http.Push(200, Bench::Token());
  auto busy = FakeHttp::Answer(429, "{}");
  busy.retry_after = 3600s;
  b.http.Push(std::move(busy));
  b.Tell();
  CHECK(b.sleeper.slept.empty());
  CHECK(b.Failures() == std::vector<std::string>{"upstream_throttled"});
}

TEST_CASE("Without its credential, or after a stop, nobody writes to a chat") {
  SUBCASE("revoked") {
    Bench b;
    b.revocations.Add("writer");
    b.Tell();
    CHECK(b.http.seen.empty());
    CHECK(b.Failures() == std::vector<std::string>{"credential_revoked"});
  }
  SUBCASE("without an entry the secret is not read") {
    Bench b;
    b.ledger.fail_with = ErrorCode::kUnavailable;
    b.Tell();
    CHECK(b.http.seen.empty());
  }
  SUBCASE("decided while Entra was asked") {
    Bench b;
    b.http.respond = [&](const HttpRequest&) {
      b.pending = false;
      return Result<HttpResponse>(FakeHttp::Answer(200, Bench::Token()));
    };
    b.Tell();
    CHECK(b.http.seen.size() == 1);
    CHECK(b.Failures().empty());
  }
  SUBCASE("stopped before") {
    Bench b;
    b.stopped = true;
    b.Tell();
    CHECK(b.http.seen.empty());
    CHECK(b.ledger.entries.empty());
  }
}
