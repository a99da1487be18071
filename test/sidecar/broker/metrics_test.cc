#include <algorithm>
#include <sstream>

#include "sidecar/broker/metered_ledger.h"
#include "sidecar/broker/metered_transport.h"
#include "sidecar/broker/metrics_text.h"
#include "test/sidecar/broker/admin_fixture.h"

namespace {

using namespace admin_test;
using broker::Histogram, broker::Metrics, broker::Reason;
using broker::ledger::Entry, broker::ledger::EntryType;
using std::chrono::milliseconds;

TEST_CASE("A histogram counts what took as long as a bound below it, and all that took longer") {
  Histogram took;
  for (const int ms : {1, 1, 250, 15'000, 15'001, 3'600'000}) took.Add(milliseconds(ms));
  CHECK(took.counts[1] == 2);  // ≤ 1 ms
  CHECK(took.counts[8] == 1);  // ≤ 250 ms
  CHECK(took.counts[12] == 1);
  CHECK(took.counts[13] == 2);
  CHECK(took.count() == 6);
  MetricsText text;
  text.Family("x_seconds", "histogram", "X.");
  text.Sample({{"host", "h"}}, took);
  const std::string written = std::move(text).Take();
  for (const char* line :
       {"# TYPE x_seconds histogram\n", "x_seconds_bucket{host=\"h\",le=\"0.0005\"} 0\n",
        "x_seconds_bucket{host=\"h\",le=\"0.001\"} 2\n",
        "x_seconds_bucket{host=\"h\",le=\"15\"} 4\n",
        "x_seconds_bucket{host=\"h\",le=\"+Inf\"} 6\n", "x_seconds_count{host=\"h\"} 6\n"}) {
    CAPTURE(line);
    CHECK(written.find(line) != std::string::npos);
  }
}

TEST_CASE("A label's value cannot end its line or its quotes") {
  MetricsText text;
  text.Family("x", "gauge", "X.");
  text.Sample({{"a", "q\"b\\n\n"}, {"b", ""}}, uint64_t{1});
  text.Sample({}, int64_t{-1});
  CHECK(std::move(text).Take() ==
        "# HELP x X.\n# TYPE x gauge\nx{a=\"q\\\"b\\\\n\\n\",b=\"\"} 1\nx -1\n");
}

TEST_CASE("Of a request only the host becomes a label, and of hosts there is an end") {
  FakeMintPorts fakes;
  MeteredTransport http(fakes.http, fakes.clock, fakes.metrics);
  const auto ask = [&](const std::string& url) {
    broker::HttpRequest request;
    request.url = url;
    [[maybe_unused]] const auto answer = http.Send(request);
  };
  ask("https://login.example:444/secret?user=jo");
  ask("https://jo@login.example:444#x");
  CHECK(fakes.metrics.counts().upstream.size() == 1);
  CHECK(fakes.metrics.counts().upstream.contains("login.example:444"));
  for (size_t i = 0; i < 2 * Metrics::kMaxHosts; ++i) ask("https://h" + std::to_string(i));
  const auto hosts = fakes.metrics.counts().upstream;
  CHECK(hosts.size() == Metrics::kMaxHosts + 1);
  CHECK(hosts.at("other").took.count() > 0);
}

TEST_CASE("An entry of any type is timed until the ledger answers") {
  FakeMintPorts fakes;
  MeteredLedger entries(fakes.ledger, fakes.clock, fakes.metrics);
  const auto last = static_cast<uint8_t>(broker::ledger::kLastEntryType);
  for (uint8_t type = 1; type <= last; ++type) {
    CHECK(entries.Append(Entry{.type = static_cast<EntryType>(type)}).has_value());
  }
  CHECK(fakes.ledger.entries.size() == last);
  CHECK(fakes.metrics.counts().ledger_append.count() == last);
  fakes.ledger.holds = true;
  int answers = 0;
  entries.AppendThen(Entry{.type = EntryType::kTokenIssued}, [&](const auto& receipt) {
    CHECK(receipt.has_value());
    ++answers;
  });
  CHECK(fakes.metrics.counts().ledger_append.count() == last);
  fakes.clock.Advance(milliseconds(200));
  fakes.ledger.LetGo();
  CHECK(answers == 1);
  CHECK(fakes.metrics.counts().ledger_append.counts[8] == 1);  // ≤ 250 ms
  CHECK(fakes.metrics.counts().ledger_append.count() == last + 1U);
  CHECK(fakes.metrics.counts().ledger_append_failures == 0);
  fakes.ledger.holds = false;
  fakes.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK_FALSE(entries.Append(Entry{.type = EntryType::kKillEngaged}).has_value());
  entries.AppendThen(Entry{}, [](const auto& receipt) { CHECK_FALSE(receipt.has_value()); });
  CHECK(fakes.metrics.counts().ledger_append.count() == last + 3U);
  CHECK(fakes.metrics.counts().ledger_append_failures == 2);
}

struct Shown : Fixture {
  std::string Text(const Peer& peer) {
    std::string request, answer;
    sidecar::ipc::Encode(sidecar::ipc::AdminRequest{"req-1", "GET", "/metrics", ""}, &request);
    service.Handle(peer, request, &answer);
    const auto decoded = sidecar::ipc::DecodeAnswer(answer);
    REQUIRE(decoded.has_value());
    return std::string(decoded->body);
  }
};

TEST_CASE_FIXTURE(Shown, "Metrics are for auditors and operators alone") {
  CHECK(Text(kAuditor).starts_with("# HELP purser_"));
  CHECK(Text(kOperator).starts_with("# HELP purser_"));
  CHECK(json::parse(Text(kStranger))["reason"] == "role_missing");
}

TEST_CASE_FIXTURE(Shown, "What was counted is shown by agent, reason and credential") {
  auto config = ThreeCredentials();
  config.agents["helpdesk"].name = "helpdesk";
  broker.SetConfig(std::make_shared<const broker::policy::Config>(config));
  metrics.Issued("helpdesk", Metrics::Source::kCache);
  metrics.Denied("helpdesk", Reason::kNoRule);
  metrics.MintFailed("certificate", Reason::kUpstreamUnavailable);
  uses.Saw("certificate",
           {clock.WallNow() + std::chrono::hours(24), broker::Expiry::By::kCertificate, "1"});
  REQUIRE(vault.store.Put({"certificate", broker::SecretKind::kCertificate}, Secret::CopyOf("x"),
                          std::nullopt));
  broker.Stop("helpdesk");
  const std::string text = Text(kAuditor);
  for (const char* line :
       {"purser_tokens_issued_total{agent=\"helpdesk\",source=\"cache\"} 1\n",
        "purser_tokens_issued_total{agent=\"helpdesk\",source=\"mint\"} 0\n",
        "purser_requests_denied_total{agent=\"helpdesk\",reason=\"no_rule\"} 1\n",
        "purser_tokens_minted_total{credential=\"client-secret\"} 0\n",
        "purser_mint_failures_total{credential=\"certificate\",reason=\"upstream_unavailable\"} "
        "1\n",
        "purser_credential_expiry_timestamp_seconds{credential=\"certificate\",what="
        "\"certificate\"} "
        "1795086400\n",
        "purser_agent_stopped{agent=\"helpdesk\"} 1\n", "purser_ready 1\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Shown, "No family is written twice, and none without a name of ours") {
  std::istringstream lines(Text(kAuditor));
  std::vector<std::string> families;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    const std::string name = line.substr(7, line.find(' ', 7) - 7);
    CHECK(name.starts_with("purser_"));
    CHECK(name.ends_with("_total") == line.ends_with(" counter"));
    CHECK(std::ranges::count(families, name) == 0);
    families.push_back(name);
  }
  CHECK(families.size() > 10);
}

}  // namespace
