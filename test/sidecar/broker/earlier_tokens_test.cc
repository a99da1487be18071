#include "sidecar/broker/earlier_tokens.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "test/fakes/captured_log.h"
#include "test/fakes/fake_clock.h"

using namespace sidecar::broker_role;
using broker::ErrorCode;
using nlohmann::json;
namespace ipc = sidecar::ipc;

namespace {

constexpr int64_t kNow = 1'000'000;

json Released(uint64_t seq, int64_t exp) {
  return {{"agent", {{"name", "helpdesk"}}},
          {"credential", {{"name", "app"}, {"kind", "client-secret"}}},
          {"scopes", {"User.Read.All"}},
          {"seq", seq},
          {"target", {{"kind", "resource"}, {"resource", "https://graph.microsoft.com"}}},
          {"token", {{"fp", "f" + std::to_string(seq)}, {"uti", "u"}, {"exp", exp}}},
          {"user", {{"oid", "5f3c0a7e"}}}};
}

json PageOf(const std::vector<json>& entries, uint64_t next) {
  return {{"entries", entries}, {"next", next}};
}

// The ledger's end of the channel has its answers ready.
struct Reading {
  FakeClock clock;
  CapturedLog log;
  broker::Outstanding known{clock};
  uint64_t seq = 9;
  bool latched = false;
  std::vector<json> pages;
  ipc::Fd far;
  std::vector<Workers::Job> jobs;
  EarlierTokens earlier{
      {[this]() -> broker::Result<ipc::LedgerState> {
         return ipc::LedgerState{.latched = latched, .latch_reason = {}, .seq = seq};
       },
       [this]() -> broker::Result<ipc::Fd> { return Open(); }, known, clock, log.log(),
       [this](Workers::Job job) {
         jobs.push_back(std::move(job));
         return true;
       }}};

  ipc::Fd Open() {
    auto [near, other] = *ipc::MakePair();
    for (const json& page : pages) {
      const std::string body = page.dump();
      std::string out;
      Encode(ipc::AuditPage{body}, &out);
      REQUIRE(ipc::Send(other.get(), out));
    }
    shutdown(other.get(), SHUT_WR);
    far = std::move(other);
    return std::move(near);
  }
  int64_t In(int64_t seconds) const {
    return std::chrono::duration_cast<std::chrono::seconds>(clock.WallNow().time_since_epoch())
               .count() +
           seconds;
  }
};

}  // namespace

TEST_CASE("A page of the ledger is read with all that a stop lists") {
  const auto page = ParseEarlier(PageOf({Released(3, kNow + 60)}, 5).dump(), 2, kNow);
  REQUIRE(page);
  CHECK(page->next == 5);
  CHECK_FALSE(page->archived);
  REQUIRE(page->tokens.size() == 1);
  const broker::LiveToken& token = page->tokens[0].token;
  CHECK(page->tokens[0].fingerprint == "f3");
  CHECK(token.agent == "helpdesk");
  CHECK(token.credential == "app");
  CHECK(token.scopes == std::vector<std::string>{"User.Read.All"});
  CHECK(token.user_oid == "5f3c0a7e");
  CHECK(token.exp_unix == kNow + 60);
  CHECK(token.seq == 3);
}

TEST_CASE("What no ledger says is not believed") {
  const auto but = [](const char* pointer, const json& value) {
    json page = PageOf({Released(3, kNow + 60)}, 5);
    page[json::json_pointer(pointer)] = value;
    return page.dump();
  };
  struct Row {
    const char* about;
    std::string body;
  };
  const Row rows[] = {
      {"no JSON", "{"},
      {"no object", "[]"},
      {"no entries", R"({"next":5})"},
      {"entries that are no list", but("/entries", 3)},
      {"no next", R"({"entries":[]})"},
      {"a next that goes back", but("/next", 1)},
      {"a next below zero", but("/next", -1)},
      {"an archive that is no truth", but("/archived", "yes")},
      {"an entry that is none", but("/entries/0", "x")},
      {"an entry that was asked for before", but("/entries/0/seq", 2)},
      {"an entry behind the page", but("/entries/0/seq", 6)},
      {"an agent without a name", but("/entries/0/agent", json::object())},
      {"an empty agent", but("/entries/0/agent/name", "")},
      {"an agent that moves the cursor", but("/entries/0/agent/name", "a\x1b[2J")},
      {"a credential that is a number", but("/entries/0/credential/name", 4)},
      {"scopes that are a text", but("/entries/0/scopes", json{{"a", 1}})},
      {"a token without a fingerprint", but("/entries/0/token/fp", "")},
      {"an expiry that is a text", but("/entries/0/token/exp", "soon")},
      {"an expiry below zero", but("/entries/0/token/exp", -5)},
      {"a token that outlives all", but("/entries/0/token/exp", kNow + 29 * 3600)},
      {"two that are the same entry",
       PageOf({Released(3, kNow + 60), Released(3, kNow + 60)}, 5).dump()},
  };
  for (const Row& row : rows) {
    CAPTURE(row.about);
    const auto page = ParseEarlier(row.body, 2, kNow);
    REQUIRE_FALSE(page);
    CHECK(page.error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("All pages up to the ledger's end are read, once") {
  Reading r;
  r.pages = {PageOf({Released(3, r.In(60))}, 5), PageOf({Released(7, r.In(90))}, 9)};
  r.earlier.Begin();
  r.earlier.Begin();
  REQUIRE(r.jobs.size() == 1);
  CHECK_FALSE(r.known.Of("").earlier_unknown.empty());
  r.jobs[0]();
  CHECK(r.known.Of("helpdesk").tokens.size() == 2);
  CHECK(r.known.Of("").earlier_unknown.empty());
  r.earlier.Begin();
  CHECK(r.jobs.size() == 1);
}

TEST_CASE("A failure is said, and it is tried again") {
  struct Row {
    const char* about;
    std::vector<json> pages;
    bool latched;
    uint64_t seq;
  };
  Reading clock;
  const Row rows[] = {
      {"a ledger that ends", {}, false, 9},
      {"a ledger that ends amid it", {PageOf({Released(3, clock.In(60))}, 5)}, false, 9},
      {"a page that is malformed", {json::array()}, false, 9},
      {"an end that is not there", {PageOf({}, 0)}, false, 9},
      {"a ledger that began latched", {}, true, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.about);
    Reading r;
    r.pages = row.pages;
    r.latched = row.latched;
    r.seq = row.seq;
    r.earlier.Begin();
    r.jobs.at(0)();
    CHECK(r.known.Of("").earlier_unknown.ends_with("it is tried again"));
    CHECK(r.log.Text().find("earlier_tokens_unknown") != std::string::npos);
    r.latched = false;
    r.seq = 9;
    r.pages = {PageOf({Released(3, r.In(60))}, 9)};
    r.earlier.Begin();
    r.jobs.at(1)();
    CHECK(r.known.Of("").tokens.size() == 1);
    CHECK(r.known.Of("").earlier_unknown.empty());
  }
}

TEST_CASE("Entries in the archive are no failure, and are said to be there") {
  Reading r;
  json page = PageOf({}, 9);
  page["archived"] = true;
  r.pages = {page};
  CHECK(r.earlier.Read());
  CHECK(r.known.Of("").earlier_unknown.find("archive") != std::string::npos);
}
