// Telling people elsewhere: behind every decision, within bounds, and recorded where it fails.
#include "broker/notifiers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "broker/ledger/entry_names.h"
#include "broker/webhook_url.h"
#include "test/fakes/fake_mint_ports.h"

using namespace broker;
using namespace std::chrono_literals;

namespace {

constexpr const char* kUrl = "https://prod-1.westeurope.logic.azure.com:443/workflows/x?sig=Canary";

struct Bench {
  FakeMintPorts fakes;
  Minter minter{fakes.ports()};
  GraphClient graph{fakes.http, minter, fakes.clock};
  Revocations revocations;
  policy::Config config;
  bool stopped = false, pending = true, threads = true;
  std::deque<Notifiers::Job> jobs;  // of threads that have not come yet
  Notifiers notifiers{{.http = fakes.http,
                       .vault = fakes.vault,
                       .ledger = fakes.ledger,
                       .clock = fakes.clock,
                       .sleeper = fakes.sleeper,
                       .graph = graph,
                       .revocations = revocations,
                       .config = [this] { return std::make_shared<const policy::Config>(config); },
                       .start =
                           [this](Notifiers::Job job) {
                             if (threads) jobs.push_back(std::move(job));
                             return threads;
                           },
                       .stopped = [this](const std::string&) { return stopped; },
                       .pending = [this](const std::string&) { return pending; }}};

  Bench() {
    config.instance.name = "zrh";
    config.credentials["hook"] = {.name = "hook", .kind = "webhook-url"};
    AddNotifier("leads");
    Enrol("hook", kUrl);
  }
  void Enrol(const std::string& credential, const std::string& url) {
    const auto put = fakes.vault.store.Put({credential, SecretKind::kClientSecret},
                                           Secret::CopyOf(url), std::nullopt);
    REQUIRE(put.has_value());
  }
  policy::Notifier& AddNotifier(const std::string& name) {
    policy::Notifier& one = config.notifiers[name];
    one = {.name = name,
           .kind = "webhook",
           .host = "https://prod-1.westeurope.logic.azure.com",
           .credential = "hook"};
    return one;
  }
  static Approval Opened(const std::string& id = "a1") {
    Approval approval;
    approval.id = id;
    approval.agent = "helpdesk";
    approval.shown = R"({"scopes":["Mail.Send"],"claimed":{"purpose":"x"}})";
    approval.digest = "d1";
    return approval;
  }
  /// What threads that come now do.
  void RunAll() {
    while (!jobs.empty()) {
      auto job = std::move(jobs.front());
      jobs.pop_front();
      job();
    }
  }
  std::vector<std::string> Types() {
    std::vector<std::string> types;
    for (const auto& one : fakes.ledger.entries) {
      types.emplace_back(ledger::EntryTypeName(one.type));
    }
    return types;
  }
};

const std::vector<std::string> kTold = {"credential.access"};
const std::vector<std::string> kFailed = {"credential.access", "notifier.failed"};

}  // namespace

TEST_CASE("Opening an approval sends one card, behind it, after an entry for the address") {
  Bench b;
  b.fakes.http.Push(202, "");
  b.notifiers.Opened(Bench::Opened());
  CHECK(b.fakes.http.seen.empty());  // nobody has waited
  b.RunAll();
  REQUIRE(b.fakes.http.seen.size() == 1);
  CHECK(b.fakes.http.seen[0].method == "POST");
  CHECK(b.fakes.http.seen[0].url == kUrl);
  CHECK(b.fakes.http.seen[0].body.find("purser approve a1") != std::string::npos);
  CHECK(b.Types() == kTold);
  const auto& access = b.fakes.ledger.entries[0];
  CHECK(access.target_kind == "notifier");
  CHECK(access.target_id == "leads");
  CHECK(access.credential_name == "hook");
}

TEST_CASE("What fails is tried a few times where that may help, and recorded once") {
  // clang-format off
  struct Row { const char* why; std::vector<int> statuses; size_t asked; const char* reason; };  // 0: no answer
  const Row rows[] = {
      {"told at once",                     {200},           1, ""},
      {"told at the second try",           {503, 202},      2, ""},
      {"told at the last one",             {0, 429, 202},   3, ""},
      {"never up",                         {0, 0, 0, 202},  3, "upstream_unavailable"},
      {"always busy",                      {429, 429, 429}, 3, "upstream_throttled"},
      {"broken",                           {500, 502, 503}, 3, "upstream_unavailable"},
      {"a redirect is not followed",       {302, 202},      1, "upstream_rejected"},
      {"nor a permanent one",              {308, 202},      1, "upstream_rejected"},
      {"a workflow that is gone",          {404, 202},      1, "upstream_rejected"},
      {"a signature that is wrong",        {401, 202},      1, "upstream_rejected"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Bench b;
    for (const int status : row.statuses) {
      if (status == 0) b.fakes.http.PushFailure(ErrorCode::kUnavailable, "timed out");
      if (status != 0) b.fakes.http.Push(status, "no matter");
    }
    b.notifiers.Opened(Bench::Opened());
    b.RunAll();
    CHECK(b.fakes.http.seen.size() == row.asked);
    const std::string reason = row.reason;
    CHECK(b.Types() == (reason.empty() ? kTold : kFailed));
    const auto& last = b.fakes.ledger.entries.back();
    CHECK(last.reason == reason);
    if (reason.empty()) continue;
    CHECK(last.target_id == "leads");
    CHECK(last.agent == "helpdesk");
    CHECK(last.approval_id == "a1");
    for (const auto& entry : b.fakes.ledger.entries) {
      CHECK(entry.target_id.find("sig=") == std::string::npos);
      CHECK(entry.upstream_host.find("sig=") == std::string::npos);
    }
  }
}

TEST_CASE("A wait that is asked for is kept, but not beyond the deadline of the message") {
  struct Row {
    std::chrono::seconds asked;
    size_t tries;
    std::vector<std::chrono::milliseconds> slept;
  };
  for (const Row& row : {Row{0s, 3, {2s, 4s}}, Row{30s, 3, {30s, 30s}}, Row{3600s, 1, {}}}) {
    Bench b;
    for (int i = 0; i < 3; ++i) {
      auto answer = FakeHttp::Answer(429, "");
      if (row.asked > 0s) answer.retry_after = row.asked;
      b.fakes.http.Push(std::move(answer));
    }
    b.notifiers.Opened(Bench::Opened());
    b.RunAll();
    CHECK(b.fakes.http.seen.size() == row.tries);
    CHECK(b.fakes.sleeper.slept == row.slept);
  }
}

TEST_CASE("Nothing is sent to an address that is not what is configured and enrolled") {
  // clang-format off
  struct Row { const char* why; std::string url; std::string host; bool revoked; const char* reason; };
  const Row rows[] = {
      {"never enrolled",   "",                              "https://hook.test", false, "credential_not_enrolled"},
      {"another host",     "https://evil.test/x",           "https://hook.test", false, "credential_unavailable"},
      {"another port",     "https://hook.test:8443/x",      "https://hook.test", false, "credential_unavailable"},
      {"no TLS",           "http://hook.test/x",            "https://hook.test", false, "credential_unavailable"},
      {"revoked",          "https://hook.test/x",           "https://hook.test", true,  "credential_revoked"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Bench b;
    b.config.notifiers["leads"].host = row.host;
    b.config.notifiers["leads"].credential = "other";
    b.config.credentials["other"] = {.name = "other", .kind = "webhook-url"};
    if (!row.url.empty()) b.Enrol("other", row.url);
    if (row.revoked) b.revocations.Add("other");
    b.notifiers.Opened(Bench::Opened());
    b.RunAll();
    CHECK(b.fakes.http.seen.empty());
    CHECK(b.fakes.ledger.entries.back().reason == std::string(row.reason));
  }
}

TEST_CASE("Without an entry for the access the address is not read") {
  Bench b;
  b.fakes.ledger.fail_with = ErrorCode::kUnavailable;
  b.notifiers.Opened(Bench::Opened());
  b.RunAll();
  CHECK(b.fakes.http.seen.empty());
}

TEST_CASE("Nobody is told of what was stopped or decided before") {
  for (const bool stop : {true, false}) {
    Bench b;
    b.notifiers.Opened(Bench::Opened());
    (stop ? b.stopped : b.pending) = stop;
    b.RunAll();
    CHECK(b.fakes.http.seen.empty());
    CHECK(b.Types().empty());
  }
}

TEST_CASE("A stop between two tries is the last of them") {
  Bench b;
  b.fakes.http.respond = [&](const HttpRequest&) {
    b.stopped = true;
    return Result<HttpResponse>(FakeHttp::Answer(503, ""));
  };
  b.notifiers.Opened(Bench::Opened());
  b.RunAll();
  CHECK(b.fakes.http.seen.size() == 1);
  CHECK(b.Types() == kFailed);
}

TEST_CASE("Beyond what is kept, messages are left out, and counted in one entry") {
  Bench b;
  b.fakes.http.respond = [](const HttpRequest&) {
    return Result<HttpResponse>(FakeHttp::Answer(202, ""));
  };
  for (size_t i = 0; i < Notifiers::kMaxQueued + 3; ++i) {
    b.notifiers.Opened(Bench::Opened(std::to_string(i)));
  }
  CHECK(b.jobs.size() == 1);  // one thread for all of them
  b.RunAll();
  CHECK(b.fakes.http.seen.size() == Notifiers::kMaxQueued);
  const auto found = std::ranges::find(b.fakes.ledger.entries, ledger::EntryType::kNotifierFailed,
                                       &ledger::Entry::type);
  REQUIRE(found != b.fakes.ledger.entries.end());
  CHECK(found->reason == "overloaded");
  CHECK(std::get<int64_t>(found->change.at("count")) == 3);
}

TEST_CASE("However many notices wait, an approval takes the place of one, and not of another") {
  Bench b;
  b.config.notifiers.at("leads").notices = true;
  b.fakes.http.respond = [](const HttpRequest&) {
    return Result<HttpResponse>(FakeHttp::Answer(202, ""));
  };
  Notice notice;
  notice.agent = "helpdesk";
  for (size_t i = 0; i < 3 * Notifiers::kMaxQueued; ++i) b.notifiers.Released(notice);
  for (size_t i = 0; i < Notifiers::kMaxQueued + 3; ++i) {
    b.notifiers.Opened(Bench::Opened("a" + std::to_string(i)));
  }
  b.notifiers.Released(notice);
  b.RunAll();
  REQUIRE(b.fakes.http.seen.size() == Notifiers::kMaxQueued);
  for (size_t i = 0; i < Notifiers::kMaxQueued; ++i) {
    CHECK(b.fakes.http.seen[i].body.contains("purser approve a" + std::to_string(i)));
  }
  const auto found = std::ranges::find(b.fakes.ledger.entries, ledger::EntryType::kNotifierFailed,
                                       &ledger::Entry::type);
  REQUIRE(found != b.fakes.ledger.entries.end());
  CHECK(std::get<int64_t>(found->change.at("count")) == 3 * Notifiers::kMaxQueued + 4);
}

TEST_CASE("One notifier waits for no other, and one without a thread has the next one's") {
  Bench b;
  b.AddNotifier("others");
  b.fakes.http.respond = [](const HttpRequest&) {
    return Result<HttpResponse>(FakeHttp::Answer(202, ""));
  };
  b.threads = false;
  b.notifiers.Opened(Bench::Opened("a1"));
  CHECK(b.jobs.empty());
  b.threads = true;
  b.notifiers.Opened(Bench::Opened("a2"));
  CHECK(b.jobs.size() == 2);
  b.RunAll();
  CHECK(b.fakes.http.seen.size() == 4);
}

TEST_CASE("Releases are told to those who want them") {
  Bench b;
  b.AddNotifier("watch").notices = true;
  b.fakes.http.Push(202, "");
  b.notifiers.Released({.seq = 42, .unix_time = 0, .agent = "helpdesk"});
  b.RunAll();
  REQUIRE(b.fakes.http.seen.size() == 1);
  CHECK(b.fakes.http.seen[0].body.find("purser revoke --token 42") != std::string::npos);
  CHECK(b.fakes.ledger.entries[0].target_id == "watch");
}

TEST_CASE("Who is not configured any more is not told") {
  Bench b;
  b.notifiers.Opened(Bench::Opened());
  b.config.notifiers.clear();
  b.RunAll();
  CHECK(b.fakes.http.seen.empty());
  CHECK(b.Types().empty());
}

TEST_CASE("An address of a webhook is one of its host, and nothing that reads as another") {
  // clang-format off
  struct Row { const char* why; std::string url; bool good; };
  const Row rows[] = {
      {"as Teams gives it",       "https://hook.test/workflows/a?sig=x%20y&sv=1", true},
      {"the port written out",    "https://hook.test:443/a",             true},
      {"the host in capitals",    "https://HOOK.test/a",                 false},
      {"only a host",             "https://hook.test",                   false},
      {"http",                    "http://hook.test/a",                  false},
      {"another port",            "https://hook.test:444/a",             false},
      {"another host",            "https://hook.test.evil.test/a",       false},
      {"a user before the host",  "https://hook.test@evil.test/a",       false},
      {"a user with a password",  "https://hook.test:443@evil.test/a",   false},
      {"a backslash",             "https://hook.test\\@evil.test/a",     false},
      {"a fragment",              "https://hook.test#/a",                false},
      {"a query for a path",      "https://hook.test?x=/a",              false},
      {"a blank",                 "https://hook.test/a b",               false},
      {"a new line",              "https://hook.test/a\n",               false},
      {"letters beyond ASCII",    "https://hook.test/ä",                 false},
      {"nothing",                 "",                                    false},
      {"too long",                "https://hook.test/" + std::string(2048, 'x'), false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(IsWebhookUrl(row.url, "https://hook.test") == row.good);
  }
}
