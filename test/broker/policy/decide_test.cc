#include "broker/policy/decide.h"

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using broker::Reason;

namespace {

using Scopes = std::vector<std::string>;

// helpdesk reads mail as a user, reports and vault names as an application, and may send five a
// day; billing has nothing at all.
Config TwoAgents() {
  Config config;
  config.tenant.graph = "https://graph.microsoft.com";
  config.never = {"Directory.ReadWrite.All"};
  const auto credential = [&](const std::string& name, Scopes scopes) {
    config.credentials[name] = {.name = name, .kind = "certificate", .scopes = std::move(scopes)};
  };
  credential("mail", {"Mail.Read", "Mail.Send", "User.Read", "Directory.ReadWrite.All"});
  credential("app", {"Reports.Read.All", "https://vault.azure.net/user"});
  credential("spare", {"Files.Read"});
  const auto rule = [](std::string name, Scopes scopes, std::string from) {
    return Rule{.name = std::move(name),
                .scopes = std::move(scopes),
                .credential = std::move(from),
                .decision = "log",
                .deliver = "token"};
  };
  Agent& helpdesk = config.agents["helpdesk"];
  helpdesk.name = "helpdesk";
  helpdesk.rules = {rule("send", {"Mail.Send", "User.Read"}, "mail"),
                    rule("read", {"Mail.Read"}, "mail"),
                    rule("me", {"User.Read"}, "mail"),
                    rule("reports", {"Reports.Read.All"}, "app"),
                    rule("vault", {"https://vault.azure.net/user"}, "app"),
                    rule("gated", {"Files.Read"}, "spare"),
                    rule("brokered", {"Files.ReadWrite"}, "spare"),
                    rule("forbidden", {"Directory.ReadWrite.All"}, "mail"),
                    rule("dangling", {"Sites.Read.All"}, "gone")};
  helpdesk.rules[0].limit = Limit{5, std::chrono::hours{24}};
  helpdesk.rules[5].decision = "approve";
  helpdesk.rules[6].deliver = "call";
  config.agents["billing"].name = "billing";
  return config;
}

std::expected<Grant, broker::Refusal> Ask(const Config& config, const std::string& agent,
                                          const Scopes& scopes) {
  broker::TokenRequest request;
  request.scopes = scopes;
  return Decide(config, agent, request);
}

}  // namespace

TEST_CASE("Absent means denied") {
  const Config config = TwoAgents();
  // clang-format off
  struct Row { std::string why; std::string agent; Scopes scopes; Reason want; };
  const Row rows[] = {
      {"an agent that is not configured",        "stranger", {"Mail.Read"},                              Reason::kNoRule},
      {"an agent without a name",                "",         {"Mail.Read"},                              Reason::kNoRule},
      {"an agent in another case",               "Helpdesk", {"Mail.Read"},                              Reason::kNoRule},
      {"an agent without rules",                 "billing",  {"Mail.Read"},                              Reason::kNoRule},
      {"an agent without rules, by default",     "billing",  {".default"},                               Reason::kNoRule},
      {"a scope that no rule names",             "helpdesk", {"Calendars.Read"},                         Reason::kNoRule},
      {"one granted scope and one that is not",  "helpdesk", {"Mail.Read", "Calendars.Read"},            Reason::kNoRule},
      {"a granted scope in another case",        "helpdesk", {"mail.read"},                              Reason::kNoRule},
      {"the beginning of a granted scope",       "helpdesk", {"Mail"},                                   Reason::kNoRule},
      {"more than a granted scope",              "helpdesk", {"Mail.Read.All"},                          Reason::kNoRule},
      {"a wildcard",                             "helpdesk", {"Mail.*"},                                 Reason::kNoRule},
      {"scopes of two credentials together",     "helpdesk", {"Mail.Read", "Reports.Read.All"},          Reason::kNoRule},
      {"the name at another resource",           "helpdesk", {"https://vault.azure.net/Mail.Read"},      Reason::kNoRule},
      {"the name at another cloud's Graph",      "helpdesk", {"https://graph.microsoft.us/Mail.Read"},   Reason::kNoRule},
      {"the resource in another case",           "helpdesk", {"https://Graph.microsoft.com/Mail.Read"},  Reason::kNoRule},
      {"a resource's name at Graph",             "helpdesk", {"user"},                                   Reason::kNoRule},
      {"another resource by default",            "helpdesk", {"https://storage.azure.com/.default"},     Reason::kNoRule},
      {"what needs approval and what another has", "helpdesk", {"Files.Read", "Mail.Read"},               Reason::kNoRule},
      {"what is delivered as calls only",        "helpdesk", {"Files.ReadWrite"},                        Reason::kNoRule},
      {"a rule whose credential is gone",        "helpdesk", {"Sites.Read.All"},                         Reason::kNoRule},
      {"what policy never grants, despite a rule", "helpdesk", {"Directory.ReadWrite.All"},              Reason::kNever},
      {"the same in another case",               "helpdesk", {"directory.readwrite.all"},                Reason::kNever},
      {"the same as a URI",                      "helpdesk", {"https://graph.microsoft.com/Directory.ReadWrite.All"}, Reason::kNever},
      {"the same among others",                  "helpdesk", {"Mail.Read", "Directory.ReadWrite.All"},   Reason::kNever},
      {".default where two credentials serve",   "helpdesk", {".default"},                               Reason::kAmbiguousDefault},
      {".default beside a scope",                "helpdesk", {".default", "Mail.Read"},                  Reason::kInvalidScope},
      {"two resources",                          "helpdesk", {"Mail.Read", "https://vault.azure.net/user"}, Reason::kMixedResources},
      {"nothing",                                "helpdesk", {},                                         Reason::kMissingField},
      {"no scope at all",                        "helpdesk", {"Mail Read"},                              Reason::kInvalidScope},
      {"a refresh token by the back door",       "helpdesk", {"Mail.Read", "offline_access"},            Reason::kInvalidScope},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto got = Ask(config, row.agent, row.scopes);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().reason == row.want);
  }
}

TEST_CASE("What rules on one credential cover together is granted") {
  const Config config = TwoAgents();
  // clang-format off
  struct Row { std::string why; Scopes scopes; std::string credential; std::vector<std::string> rules; Scopes names; };
  const Row rows[] = {
      {"one scope of one rule",              {"Mail.Read"},                              "mail", {"read"},         {"Mail.Read"}},
      {"the same as a URI",                  {"https://graph.microsoft.com/Mail.Read"},  "mail", {"read"},         {"Mail.Read"}},
      {"two rules of one credential",        {"Mail.Send", "Mail.Read"},                 "mail", {"send", "read"}, {"Mail.Read", "Mail.Send"}},
      {"the rule without a limit first",     {"User.Read"},                              "mail", {"me"},           {"User.Read"}},
      {"the rule with a limit where needed", {"Mail.Send"},                              "mail", {"send"},         {"Mail.Send"}},
      {"another resource",                   {"https://vault.azure.net/user"},           "app",  {"vault"},        {"user"}},
      {"another resource by default",        {"https://vault.azure.net/.default"},       "app",  {"vault"},        {"user"}},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto got = Ask(config, "helpdesk", row.scopes);
    REQUIRE(got.has_value());
    CHECK(got->credential == &config.credentials.at(row.credential));
    std::vector<std::string> rules;
    for (const Rule* rule : got->rules) rules.push_back(rule->name);
    CHECK(rules == row.rules);
    CHECK(got->scopes.names == row.names);
  }
}

TEST_CASE("What waits for approval is granted with its terms, and only where nothing else serves") {
  Config config = TwoAgents();
  Rule& gated = config.agents["helpdesk"].rules[5];
  gated.approval.quorum = 2;
  gated.approval_by = {{"group:leads"}, {30}};
  const auto waits = Ask(config, "helpdesk", {"Files.Read"});
  REQUIRE(waits.has_value());
  REQUIRE(waits->approval.has_value());
  CHECK(waits->approval->quorum == 2);
  REQUIRE(waits->approval->by.size() == 1);
  CHECK(waits->approval->by[0].gids == std::vector<uint32_t>{30});
  CHECK(AllowedScopes(config, *waits) == Scopes{"Files.Read"});
  CHECK_FALSE(Ask(config, "helpdesk", {"Mail.Read"})->approval.has_value());
  config.agents["helpdesk"].rules[1].scopes.push_back("Files.Read");  // the same without a person
  CHECK_FALSE(Ask(config, "helpdesk", {"Files.Read"})->approval.has_value());
}

TEST_CASE("Of rules that wait together the strictest terms hold, and the people of all") {
  Config config = TwoAgents();
  auto& rules = config.agents["helpdesk"].rules;
  Rule more = rules[5];
  more.name = "more";
  more.scopes = {"Files.Read.All"};
  more.approval = {.by = {},
                   .expires = std::chrono::minutes(1),
                   .within = std::chrono::hours(5),
                   .uses = 3,
                   .quorum = 1};
  more.approval_by = {{"group:owners"}, {31}};
  rules[5].approval.quorum = 2;
  rules[5].approval_by = {{"group:leads"}, {30}};
  rules.push_back(more);
  const auto waits = Ask(config, "helpdesk", {"Files.Read", "Files.Read.All"});
  REQUIRE(waits.has_value());
  REQUIRE(waits->approval.has_value());
  CHECK(waits->approval->by.size() == 2);
  CHECK(waits->approval->expires == std::chrono::minutes(1));
  CHECK(waits->approval->within == std::chrono::minutes(10));
  CHECK(waits->approval->uses == 1);
  CHECK(waits->approval->quorum == 2);
}

TEST_CASE(".default that is ambiguous lists the choices, and none that need approval") {
  const auto got = Ask(TwoAgents(), "helpdesk", {".default"});
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().hint == "Ask for one of [Mail.Read Mail.Send User.Read] [Reports.Read.All].");
}

TEST_CASE("In doubt whose token it is, none is granted") {
  Config config = TwoAgents();
  config.agents["helpdesk"].rules[3].scopes = {"Mail.Read"};
  config.credentials["mail"].kind = "refresh-token";
  const auto got = Ask(config, "helpdesk", {"Mail.Read"});
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().reason == Reason::kNoRule);
  CHECK(got.error().detail.find("in doubt whose token") != std::string::npos);
}

TEST_CASE("A minted token may hold what the grant and the unlimited rules of its resource allow") {
  const Config config = TwoAgents();
  const auto read = Ask(config, "helpdesk", {"Mail.Read"});
  REQUIRE(read.has_value());
  // Not what [policy] never forbids, although a rule names it.
  CHECK(AllowedScopes(config, *read) == Scopes{"Mail.Read", "User.Read"});
  const auto send = Ask(config, "helpdesk", {"Mail.Send"});
  REQUIRE(send.has_value());
  CHECK(AllowedScopes(config, *send) == Scopes{"Mail.Read", "Mail.Send", "User.Read"});
  const auto vault = Ask(config, "helpdesk", {"https://vault.azure.net/user"});
  REQUIRE(vault.has_value());
  CHECK(AllowedScopes(config, *vault) == Scopes{"user"});
}

TEST_CASE("The most that a token may hold for anybody has a list for each agent who may ask") {
  Config config = TwoAgents();
  const std::string& graph = config.tenant.graph;
  const Scopes helpdesk = {"Mail.Read", "Mail.Send", "User.Read"};
  CHECK(MostScopes(config, "mail", graph) == std::vector<Scopes>{helpdesk});
  CHECK(MostScopes(config, "app", "https://vault.azure.net") == std::vector<Scopes>{{"user"}});
  config.agents["billing"].rules = {config.agents["helpdesk"].rules[1]};
  CHECK(MostScopes(config, "mail", graph) == std::vector<Scopes>{{"Mail.Read"}, helpdesk});
  for (const char* nobodys : {"spare", "gone", "nosuch"}) {
    CAPTURE(nobodys);
    CHECK(MostScopes(config, nobodys, "https://files.example").empty());
  }
  CHECK(MostScopes(config, "spare", graph).empty());  // gated, or brokered
}
