#include "broker/policy/explain.h"

#include <algorithm>

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::With;
using nlohmann::json;

namespace {

// helpdesk reads mail as a user and calendars as an application; nobody may send, somebody could.
Config Desk() {
  return fixture::Valid(With("", R"([credential.cal]
kind = "certificate"
client_id = "11111111-2222-3333-4444-666666666666"
scopes = ["Calendars.Read", "https://vault.azure.net/user"]
[credential.sender]
kind = "certificate"
client_id = "11111111-2222-3333-4444-777777777777"
scopes = ["Mail.Send"]
[[agent.helpdesk.allow]]
name = "calendars"
scopes = ["Calendars.Read"]
credential = "cal"
limit = "5/day"
concurrent = 2
[[agent.helpdesk.allow]]
name = "vault"
scopes = ["https://vault.azure.net/user"]
credential = "cal"
decision = "log"
[policy]
never = ["Directory.ReadWrite.All"]
)"));
}

bool Mentions(const std::vector<std::string>& lines, const std::string& text) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("A denial says what would change it") {
  const Config config = Desk();
  // clang-format off
  struct Row { std::string why, agent; std::vector<std::string> scopes; std::string reason, change; };
  const Row rows[] = {
      {"no such agent",         "stranger", {"Mail.Read"},                    "no_rule",           "define [agent.NAME]"},
      {"a credential could",    "helpdesk", {"Mail.Send"},                    "no_rule",           "credential = \"sender\""},
      {"no credential could",   "helpdesk", {"Files.Read"},                   "no_rule",           "no credential is consented to \"Files.Read\""},
      {"another case",          "helpdesk", {"mail.read"},                    "no_rule",           "ask for Mail.Read: case matters"},
      {"letters swapped",       "helpdesk", {"Mail.Raed"},                    "no_rule",           "ask for Mail.Read if that is meant; else no credential is consented to \"Mail.Raed\""},
      {"swapped, and no rule",  "helpdesk", {"Mail.Sned"},                    "no_rule",           "if Mail.Send is meant: a rule [[agent.helpdesk.allow]]"},
      {"a full URI, misspelt",  "helpdesk", {"https://graph.microsoft.com/Mail.Raed"}, "no_rule",  "ask for Mail.Read if that is meant"},
      {"a full URI in capitals","helpdesk", {"https://Graph.Microsoft.com/Mail.Read"}, "no_rule",  "ask for \"Mail.Read\": this tenant's Graph is https://graph.microsoft.com"},
      {"another cloud's Graph", "helpdesk", {"https://graph.microsoft.us/Mail.Send"}, "no_rule",   "ask for \"Mail.Send\": this tenant's Graph is https://graph.microsoft.com; then a rule"},
      {"a slash too many",      "helpdesk", {"https://graph.microsoft.com//Mail.Read"}, "no_rule",  "ask for \"Mail.Read\": this tenant's Graph is"},
      {"Graph of nobody",       "helpdesk", {"https://graph.example.com/Mail.Read"}, "no_rule",     "no credential is consented to \"https://graph.example.com/Mail.Read\""},
      {"two credentials",       "helpdesk", {"Mail.Read", "Calendars.Read"},  "no_rule",           "ask in separate requests"},
      {"one of two",            "helpdesk", {"Mail.Read", "Mail.Send"},       "no_rule",           "credential = \"sender\""},
      {"never",                 "helpdesk", {"Directory.ReadWrite.All"},      "never",             "[policy] never forbids Directory.ReadWrite.All"},
      {"ambiguous",             "helpdesk", {".default"},                     "ambiguous_default", "Ask for one of [Mail.Read] [Calendars.Read]."},
      {"nothing by default",    "helpdesk", {"https://storage.azure.com/.default"}, "no_rule",     "stands for nothing here"},
      {"no scope",              "helpdesk", {"Mail Read"},                    "invalid_scope",     "another request"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const Explanation got = Explain(config, row.agent, row.scopes);
    CHECK_FALSE(got.granted);
    CHECK(got.reason == row.reason);
    CAPTURE(AsText(got));
    CHECK(Mentions(got.changes, row.change));
    CHECK(got.rules.size() == (row.agent == "helpdesk" ? 3 : 0));
  }
}

TEST_CASE("A grant names its rules, where they stand, and what they count against") {
  const Explanation got = Explain(Desk(), "helpdesk", {"Calendars.Read"});
  CHECK(got.granted);
  CHECK(got.credential == "cal");
  REQUIRE(got.rules.size() == 3);
  CHECK_FALSE(got.rules[0].used);
  CHECK(got.rules[0].why == "grants Mail.Read, nothing that is asked for");
  CHECK(got.rules[1].used);
  CHECK(got.rules[1].why ==
        "grants Calendars.Read; counts against its limit of 5/day, 2 tokens alive at a time");
  CHECK(got.rules[1].place.line == 28);
  const std::string text = AsText(got);
  CHECK(text.find("  * calendars (/etc/purser/purser.toml:28): ") != std::string::npos);
  CHECK(text.find("the agent's limit of 3600/hour") != std::string::npos);
}

TEST_CASE("A process that is not the agent is told so before any rule") {
  Facts facts;
  facts.uid = 2002;
  const Explanation other = Explain(Desk(), "helpdesk", {"Mail.Read"}, &facts);
  CHECK_FALSE(other.granted);
  CHECK(other.reason == "peer_refused");
  CHECK(Mentions(other.changes, "run the agent with user helpdesk"));
  CHECK(AsText(other).find("differs  wanted helpdesk, found \"2002\"") != std::string::npos);
  facts.uid = 2001;
  CHECK(Explain(Desk(), "helpdesk", {"Mail.Read"}, &facts).granted);
}

TEST_CASE("A past entry is read by today's policy, and says when that is another") {
  const Config config = Desk();
  json entry = {{"seq", 41},
                {"time", "2026-11-20T12:00:00.000Z"},
                {"type", "token.denied"},
                {"outcome", "failure"},
                {"reason", "no_rule"},
                {"agent", {{"name", "helpdesk"}}},
                {"caller", {{"uid", 2001}, {"gid", 3001}, {"pid", 7}}},
                {"scopes", {"Mail.Send"}},
                {"policy", {{"sha256", config.sha256}}}};
  const PastExplanation same = ExplainEntry(config, entry);
  CHECK(same.headline ==
        "entry 41, \"2026-11-20T12:00:00.000Z\": \"token.denied\" of agent \"helpdesk\"");
  CHECK(Mentions(same.notes, "recorded reason: no_rule. Did not run."));
  CHECK(Mentions(same.notes, "the policy is the same today"));
  REQUIRE(same.today.has_value());
  CHECK(same.today->reason == "no_rule");
  REQUIRE(same.today->selectors.has_value());
  CHECK(same.today->selectors->held());

  entry["policy"]["sha256"] = std::string(64, 'f');
  entry["scopes"] = {"Mail.Read"};
  const PastExplanation changed = ExplainEntry(config, entry);
  CHECK(Mentions(changed.notes, "the policy has changed since: then \"ffffffffffffffff\""));
  CHECK(changed.today->granted);

  entry["reason"] = "over_scoped";
  CHECK(Mentions(ExplainEntry(config, entry).notes, "remove the surplus consent"));
  entry["reason"] = "killed";
  CHECK(Mentions(ExplainEntry(config, entry).notes, "`purser status` says who is still stopped"));
  entry["agent"]["name"] = "gone";
  CHECK(Mentions(ExplainEntry(config, entry).today->changes, "there is no such agent"));
}

TEST_CASE("A refused connection shows which selector, and what the entry cannot say") {
  const Config config = fixture::Valid(With(
      "user = \"helpdesk\"", "user = \"helpdesk\"\ngroup = \"security\"\ncgroup = \"/kubepods\""));
  const json entry = {{"seq", 7},
                      {"type", "connection.refused"},
                      {"reason", "peer_refused"},
                      {"agent", {{"name", "helpdesk"}}},
                      {"caller", {{"uid", 2002}, {"gid", 3001}, {"pid", 0}}},
                      {"change", {{"fault", "user differs"}, {"count", 12}}}};
  const PastExplanation past = ExplainEntry(config, entry);
  CHECK(Mentions(past.notes, "recorded fault: \"user differs\""));
  CHECK(Mentions(past.notes, "stands for 12 events"));
  REQUIRE(past.today.has_value());
  REQUIRE(past.today->selectors.has_value());
  const auto& results = past.today->selectors->results;
  REQUIRE(results.size() == 3);
  CHECK(results[0].outcome == SelectorOutcome::kDiffers);
  CHECK(results[1].found == "not in the entry");
  CHECK(results[2].found == "not in the entry");
}

TEST_CASE("A refused connection shows what was found of the selector that refused it") {
  const Config config = fixture::Valid(
      With("user = \"helpdesk\"",
           "user = \"helpdesk\"\nexe = \"/opt/agent\"\nsystemd_unit = \"helpdesk.service\""));
  const auto refused = [](const json& change) {
    return json{{"seq", 7},
                {"type", "connection.refused"},
                {"reason", "peer_refused"},
                {"agent", {{"name", "helpdesk"}}},
                {"caller", {{"uid", 2001}, {"gid", 3001}, {"pid", 7}}},
                {"change", change}};
  };
  // clang-format off
  struct Row { const char* why; json change; size_t result; const char* outcome; const char* found; const char* advice; };
  const Row rows[] = {
      {"another program",            {{"fault", "exe differs"}, {"selector", "exe"}, {"wanted", "/opt/agent"}, {"found", "/usr/bin/python3"}},
       2, "differs", "/usr/bin/python3", "run the agent with exe /opt/agent"},
      {"no program could be seen",   {{"fault", "exe could not be established"}, {"selector", "exe"}, {"wanted", "/opt/agent"}},
       2, "unknown", "", "the kernel did not say the peer's exe"},
      {"another unit",               {{"fault", "systemd_unit differs"}, {"selector", "systemd_unit"}, {"wanted", "helpdesk.service"}, {"found", "cron.service"}},
       1, "differs", "cron.service", "change systemd_unit in its table"},
      {"the selector is another now", {{"fault", "exe differs"}, {"selector", "exe"}, {"wanted", "/opt/old"}, {"found", "/opt/agent"}},
       2, "unknown", "not in the entry", nullptr},
      {"an entry that names none",   {{"fault", "exe differs"}}, 2, "unknown", "not in the entry", nullptr},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    const json past = AsJson(ExplainEntry(config, refused(row.change)));
    const json& result = past["today"]["selectors"][row.result];
    CHECK(result["outcome"] == row.outcome);
    CHECK(result["found"] == row.found);
    const auto changes = past["today"]["changes"].get<std::vector<std::string>>();
    CHECK(changes.size() == (row.advice == nullptr ? 0 : 1));
    if (row.advice != nullptr) CHECK(Mentions(changes, row.advice));
  }
  const Config plain = Desk();
  const json gone = refused({{"fault", "the peer has exited"}});
  CHECK(Mentions(ExplainEntry(plain, gone).today->changes, "today the same process would be"));
}

TEST_CASE("A connection that the operator's socket refused says which groups it wants") {
  Config config = Desk();
  json entry = {{"seq", 9},
                {"type", "connection.refused"},
                {"reason", "peer_refused"},
                {"target", {{"kind", "admin_socket"}}},
                {"caller", {{"uid", 2002}, {"gid", 3002}, {"pid", 7}}},
                {"change",
                 {{"fault", "in no group of [admin]"},
                  {"selector", "group"},
                  {"wanted", "group:old"},
                  {"found", "3002 20"}}}};
  config.admin.operators = {"group:operators"};
  config.admin.auditors = {"group:security", "group:operators"};
  const std::string text = AsText(ExplainEntry(config, entry));
  CHECK(text.find("operator's socket\n") != std::string::npos);
  CHECK(text.find("wanted group:operators group:security, found \"3002 20\"") != std::string::npos);
  CHECK(text.find("run it as a user of group:operators group:security") != std::string::npos);
  config.admin = {};
  CHECK(Mentions(ExplainEntry(config, entry).today->changes, "list a group in [admin]"));
  entry["change"]["fault"] = "an agent's user or group";
  CHECK(Mentions(ExplainEntry(config, entry).today->changes, "out of the agent's selectors"));
  entry["reason"] = "flood";  // counted with refusals of agents
  CHECK_FALSE(ExplainEntry(config, entry).today.has_value());
}

TEST_CASE("An entry of any shape is explained without harm, and its text is inert") {
  const Config config = Desk();
  for (const json& entry :
       {json(), json(7), json::array(), json::object(), json{{"agent", 1}, {"caller", "x"}},
        json{{"type", "token.denied"}, {"agent", {{"name", "helpdesk"}}}, {"scopes", {1, nullptr}}},
        json{{"caller", {{"uid", -1}, {"gid", 1.5}}}, {"agent", {{"name", "helpdesk"}}}}}) {
    CHECK_FALSE(AsText(ExplainEntry(config, entry)).empty());
    CHECK_FALSE(AsJson(ExplainEntry(config, entry)).dump().empty());
  }
  const std::string hostile = "\x1b[2J\u202egnp.exe\xff";
  const std::string text =
      AsText(Explain(config, hostile, {hostile})) +
      AsText(ExplainEntry(
          config, {{"type", hostile}, {"reason", hostile}, {"agent", {{"name", hostile}}}}));
  CHECK(std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}
