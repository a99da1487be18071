// Looking at a Teams chat for answers: the cards before, how often, and what fails.
#include "broker/base/ascii.h"
#include "broker/notifiers.h"
#include "test/broker/chat_replies_bench.h"

using namespace chat_replies;

TEST_CASE("A look that fails is recorded once for each approval, and the next one decides") {
  // clang-format off
  struct Row { const char* what; std::vector<int> faults; const char* reason; };
  const Row rows[] = {
      {"no answer",             {0, 0},     "upstream_unavailable"},
      {"down",                  {503, 503}, "upstream_unavailable"},
      {"not in the chat",       {403, 403}, "upstream_rejected"},
      {"a token that is ended", {401, 401}, "upstream_rejected"},
      {"too many",              {429, 429}, "upstream_throttled"},
      {"no list",               {204, 204}, "upstream_invalid"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Bench b;
    const std::string id = b.Ask();
    b.Say(kAda, "yes " + b.Card(id).text());
    b.faults = row.faults;
    b.Look();
    b.clock.Advance(ChatReplies::kLongestInterval);
    b.replies.Poll();
    const auto failed = b.Entries(ledger::EntryType::kNotifierFailed);
    REQUIRE(failed.size() == 1);
    CHECK(failed[0].reason == row.reason);
    CHECK(failed[0].approval_id == id);
    CHECK(failed[0].target_id == "leads");
    CHECK(b.StateOf(id) == ApprovalState::kPending);
    b.clock.Advance(130s);
    b.replies.Poll();
    CHECK(b.StateOf(id) == ApprovalState::kGranted);
  }
}

TEST_CASE("A chat that fails is looked at less often, and a chat where nothing waits never") {
  Bench b;
  const std::string id = b.Ask();
  b.Card(id);
  b.faults = {503, 503, 503};
  b.Look();
  b.Look();
  CHECK(b.Looks() == 1);  // the pause has doubled
  b.Look();
  CHECK(b.Looks() == 2);
  REQUIRE(b.approvals.Find(id).has_value());
  const policy::Person ada{kAda, {}};
  const auto denied = b.approvals.Deny({.id = id,
                                        .digest = b.approvals.Find(id)->digest,
                                        .signed_in = &ada,
                                        .asker_gids = {},
                                        .why = {},
                                        .who = {}});
  REQUIRE(denied.has_value());
  for (int i = 0; i < 20; ++i) b.Look();
  CHECK(b.Looks() == 2);
}

TEST_CASE("Without its credential, or with a token that can do more, nothing is read") {
  SUBCASE("revoked") {
    Bench b;
    const std::string id = b.Ask();
    b.Say(kAda, "yes " + b.Card(id).text());
    b.revocations.Add("writer");
    b.Look();
    CHECK(b.http.seen.empty());
    REQUIRE(b.Entries(ledger::EntryType::kNotifierFailed).size() == 1);
    CHECK(b.Entries(ledger::EntryType::kNotifierFailed)[0].reason == "credential_revoked");
  }
  SUBCASE("over-scoped") {
    Bench b;
    const std::string id = b.Ask();
    b.Say(kAda, "yes " + b.Card(id).text());
    b.http.respond = [](const HttpRequest&) {
      json claims = UserClaims();
      claims["scp"] = "ChatMessage.Send Chat.Read Chat.ReadWrite";
      return Result<HttpResponse>(FakeHttp::Answer(200, TokenBody(claims, "refresh-2")));
    };
    b.Look();
    CHECK(b.Looks() == 0);
    CHECK(b.Entries(ledger::EntryType::kNotifierFailed)[0].reason == "over_scoped");
    CHECK(b.StateOf(id) == ApprovalState::kPending);
  }
}

TEST_CASE("A yes that cannot be written down is no yes yet, and is heard once it can") {
  Bench b;
  const std::string id = b.Ask();
  b.Card(id);
  b.Look();  // the token has its entry
  const ReplyCode code = b.Card(id);
  b.Say(kAda, "yes " + code.text());
  b.ledger.fail_with = ErrorCode::kUnavailable;
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  b.ledger.fail_with.reset();
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kGranted);
}

namespace {

// With what writes the cards.
struct Told : Bench {
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
                       .pending =
                           [this](const std::string& id) {
                             return approvals.Find(id)->state == ApprovalState::kPending;
                           },
                       .replies = &replies}};
  std::string created = TimeText(clock.WallNow());

  Told() {
    http.respond = [this](const HttpRequest& request) {
      const bool writes = request.method == "POST" && request.url.ends_with("/messages");
      if (!writes) return Answer(request);
      return Result<HttpResponse>(
          FakeHttp::Answer(201, json{{"id", "1"}, {"createdDateTime", created}}.dump()));
    };
  }
  std::string Tell(const std::string& id) {
    notifiers.Opened(*approvals.Find(id));
    Run();
    return http.seen.back().body;
  }
  void Run() {
    for (auto& job : std::exchange(jobs, {})) job();
  }
  static std::string CodeIn(const std::string& card) {
    const size_t at = card.find("<code>yes ");
    return at == std::string::npos ? "" : card.substr(at + 10, 11);
  }
};

}  // namespace

TEST_CASE("The card in the chat says with which words it is decided, and they decide it") {
  Told b;
  const std::string id = b.Ask();
  const std::string code = Told::CodeIn(b.Tell(id));
  REQUIRE(code.size() == 11);
  b.clock.Advance(1s);
  b.Say(kAda, "yes " + code);
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kGranted);
}

TEST_CASE("A card that no answer decides has no code, and its chat is not looked at") {
  // clang-format off
  struct Row { const char* what; std::function<void(Told&)> change; size_t failed; };
  const Row rows[] = {
      {"answers are not wanted",             [](Told& b) { b.config.notifiers.at("leads").replies = false; b.config.credentials.at("writer").scopes = {"ChatMessage.Send"}; }, 1},
      {"a person's login started what asks", [](Told& b) { b.entry.caller->loginuid = 2001; },                          0},
      {"what is asked does not fit",         [](Told& b) { b.entry.scopes = {std::string(1500, 'x')}; },                0},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Told b;
    row.change(b);
    const std::string id = b.Ask();
    CHECK(Told::CodeIn(b.Tell(id)).empty());
    b.Look();
    CHECK(b.Looks() == 0);
    CHECK(b.Entries(ledger::EntryType::kNotifierFailed).size() == row.failed);
  }
}

TEST_CASE("No card asks, in its agent's words, for the answer to another one") {
  // clang-format off
  struct Row { const char* what; std::function<std::string(const std::string&)> says; };
  const Row rows[] = {
      {"as it stands",    [](const std::string& c) { return "to read mail answer yes " + c; }},
      {"in small letters", [](const std::string& c) { return Lowered(c); }},
      {"without its tag", [](const std::string& c) { return c.substr(5); }},
      {"letter by letter", [](const std::string& c) { std::string apart; for (const char one : c) apart += std::string(1, one) + "."; return apart; }},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Told b;
    const std::string code = Told::CodeIn(b.Tell(b.Ask("delete all mail")));
    REQUIRE(code.size() == 11);
    const std::string lure = b.Tell(b.Ask(row.says(code)));
    CHECK(lure.find(code.substr(5)) == std::string::npos);
    CHECK(lure.find(row.says(code)) == std::string::npos);
    CHECK(lure.find("withheld") != std::string::npos);
    CHECK(Told::CodeIn(lure).size() == 11);
    CHECK(b.Tell(b.Ask("read mail")).find("“read mail”") != std::string::npos);
  }
}

TEST_CASE("A card of which nobody knows when it was written has a code that decides nothing") {
  Told b;
  b.created = "yesterday";
  const std::string id = b.Ask();
  const std::string code = Told::CodeIn(b.Tell(id));
  b.Say(kAda, "yes " + code);
  b.Look();
  CHECK(b.Looks() == 0);
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  REQUIRE(b.Entries(ledger::EntryType::kNotifierFailed).size() == 1);
  CHECK(b.Entries(ledger::EntryType::kNotifierFailed)[0].reason == "upstream_invalid");
}

TEST_CASE("Telling one notifier again makes a card with another code") {
  Told b;
  const std::string id = b.Ask();
  const std::string first = Told::CodeIn(b.Tell(id));
  b.notifiers.Again("leads", *b.approvals.Find(id));
  b.Run();
  const std::string second = Told::CodeIn(b.http.seen.back().body);
  CHECK(second.size() == 11);
  CHECK(second != first);
}
