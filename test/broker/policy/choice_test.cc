#include "broker/policy/decide.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using broker::Reason;

namespace {

using Scopes = std::vector<std::string>;

// One registration per set of scopes, and one for everything; all of them applications.
struct Choice {
  Choice() {
    config.tenant.graph = "https://graph.microsoft.com";
    config.agents["helpdesk"].name = "helpdesk";
  }
  Credential& Add(const std::string& name, const Scopes& scopes) {
    config.credentials[name] = {.name = name, .kind = "certificate", .scopes = scopes};
    config.agents["helpdesk"].rules.push_back({.name = "use-" + name,
                                               .scopes = scopes,
                                               .credential = name,
                                               .decision = "log",
                                               .deliver = "token"});
    return config.credentials[name];
  }
  Rule& RuleOf(size_t i) { return config.agents["helpdesk"].rules.at(i); }
  std::expected<Grant, broker::Refusal> Ask(const Scopes& scopes) {
    broker::TokenRequest request;
    request.scopes = scopes;
    return Decide(config, "helpdesk", request);
  }
  std::string Chosen(const Scopes& scopes) {
    const auto got = Ask(scopes);
    if (!got) return std::string(broker::Describe(got.error().reason).name);
    std::string text = got->credential->name;
    for (const Credential* other : got->passed_over) text += " not " + other->name;
    return text;
  }
  Config config;
};

}  // namespace

TEST_CASE("The registration that exceeds the request least serves it") {
  Choice c;
  c.Add("wide", {"Files.Read.All", "Mail.Read", "User.Read.All"});
  c.Add("users", {"User.Read.All"});
  c.Add("both", {"Mail.Read", "User.Read.All", "https://vault.azure.net/a",
                 "https://vault.azure.net/b", "https://vault.azure.net/c"});
  CHECK(c.Chosen({"User.Read.All"}) == "users not wide not both");
  // What a registration may do elsewhere is in no token of this resource.
  CHECK(c.Chosen({"Mail.Read"}) == "both not wide");
  CHECK(c.Chosen({"Mail.Read", "User.Read.All"}) == "both not wide");
  CHECK(c.Chosen({"Files.Read.All", "User.Read.All"}) == "wide");
  CHECK(c.Chosen({"https://vault.azure.net/a"}) == "both");
}

TEST_CASE("Of equals the agent's rules decide by their order, not the names") {
  Choice c;
  c.Add("z-first", {"Mail.Read", "User.Read.All"});
  c.Add("a-second", {"Mail.Read", "Files.Read.All"});
  CHECK(c.Chosen({"Mail.Read"}) == "z-first not a-second");
  for (int i = 0; i < 3; ++i) CHECK(c.Chosen({"Mail.Read"}) == "z-first not a-second");
}

TEST_CASE("Nothing is chosen where that would choose whose rights they are") {
  struct Row {
    const char* why;
    Credential first, second;
  };
  const Row rows[] = {
      {"a user and an application",
       {.kind = "refresh-token", .user = "u1"},
       {.kind = "certificate"}},
      {"two users",
       {.kind = "refresh-token", .user = "u1"},
       {.kind = "refresh-token", .user = "u2"}},
      {"an application and the request's user", {.kind = "certificate"}, {.kind = "on-behalf-of"}},
      {"a user and the request's user",
       {.kind = "refresh-token", .user = "u1"},
       {.kind = "on-behalf-of"}},
      {"two agent identities",
       {.kind = "agent-identity", .client_id = "a1", .act = "application"},
       {.kind = "agent-identity", .client_id = "a2", .act = "application"}},
      {"an agent identity and its own user",
       {.kind = "agent-identity", .client_id = "a1", .act = "application"},
       {.kind = "agent-identity", .client_id = "a1", .user = "u1", .act = "agent-user"}},
      {"an agent identity and an application",
       {.kind = "agent-identity", .client_id = "a1", .act = "application"},
       {.kind = "managed-identity", .client_id = "a1"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Choice c;
    c.Add("one", {"Mail.Read"});
    c.Add("two", {"Mail.Read", "User.Read.All"});
    for (const auto& [name, like] : {std::pair{"one", row.first}, std::pair{"two", row.second}}) {
      Credential& credential = c.config.credentials[name];
      const Scopes scopes = credential.scopes;
      credential = like;
      credential.name = name;
      credential.scopes = scopes;
    }
    CHECK(c.Chosen({"Mail.Read"}) == "no_rule");
    CHECK(c.Chosen({"User.Read.All"}) == "two");  // only one of them
  }
}

TEST_CASE("A registration that no ungated rule names is never chosen") {
  Choice c;
  c.Add("wide", {"Mail.Read", "User.Read.All"});
  c.Add("exact", {"Mail.Read"});
  c.RuleOf(1).deliver = "call";
  CHECK(c.Chosen({"Mail.Read"}) == "wide");
  c.RuleOf(1).deliver = "token";
  c.RuleOf(1).decision = "approve";
  CHECK(c.Chosen({"Mail.Read"}) == "wide");
  c.RuleOf(1).decision = "log";
  c.config.never = {"Mail.Read"};
  CHECK(c.Chosen({"Mail.Read"}) == "never");
  c.config.never = {};
  c.config.credentials.erase("exact");
  CHECK(c.Chosen({"Mail.Read"}) == "wide");
  CHECK(c.Chosen({"mail.read"}) == "no_rule");
  CHECK(c.Chosen({"Calendars.Read"}) == "no_rule");
}

TEST_CASE("The shortest lifetime counts, and continuous access only where every rule asks for it") {
  using std::chrono::hours;
  Choice c;
  c.Add("app", {"Mail.Read", "User.Read.All"});
  c.config.agents["helpdesk"].rules.push_back(c.RuleOf(0));
  c.RuleOf(0).scopes = {"Mail.Read"};
  c.RuleOf(1).scopes = {"User.Read.All"};
  CHECK(c.Ask({"Mail.Read"})->max_lifetime == hours(0));
  c.RuleOf(1).max_lifetime = hours(2);
  c.RuleOf(0).continuous_access = true;
  CHECK(c.Ask({"Mail.Read"})->max_lifetime == hours(0));
  CHECK(c.Ask({"Mail.Read"})->continuous_access);
  CHECK(c.Ask({"Mail.Read", "User.Read.All"})->max_lifetime == hours(2));
  CHECK_FALSE(c.Ask({"Mail.Read", "User.Read.All"})->continuous_access);
  c.RuleOf(0).max_lifetime = hours(1);
  CHECK(c.Ask({"Mail.Read", "User.Read.All"})->max_lifetime == hours(1));
}

TEST_CASE("What a rule may say about lifetimes") {
  const auto says = [](const std::string& extra, const std::string& kind = {}) {
    std::string text = fixture::With("credential = \"mail\"\n", "credential = \"mail\"\n" + extra);
    if (!kind.empty()) {
      text = fixture::With(fixture::kBase,
                           text.replace(text.find("kind = \"refresh-token\""), 22, kind));
      text.replace(text.find("user = \"66666666"), 45, "");
    }
    const auto got = fixture::Parse(text);
    std::string all;
    if (!got) {
      for (const Diagnostic& fault : got.error()) all += fault.message + "\n";
    }
    return all;
  };
  CHECK(says("max_lifetime = \"90m\"\n").empty());
  CHECK(says("continuous_access = true\n").empty());
  CHECK(says("continuous_access = true\nmax_lifetime = \"28h\"\n").empty());
  CHECK(says("max_lifetime = \"9m\"\n").find("from 10m to 28h") != std::string::npos);
  CHECK(says("max_lifetime = \"2d\"\n").find("from 10m to 28h") != std::string::npos);
  CHECK(says("max_lifetime = \"0s\"\n").find("10m") != std::string::npos);
  CHECK(says("max_lifetime = 90\n").find("must be a string") != std::string::npos);
  CHECK(says("continuous_access = true\nmax_lifetime = \"2h\"\n").find("can never issue") !=
        std::string::npos);
  CHECK(says("continuous_access = true\n", "kind = \"managed-identity\"")
            .find("no continuous access") != std::string::npos);
}
