// What ends at Entra with the whole instance.
#include "broker/teardown_plan.h"

#include <doctest/doctest.h>

#include <algorithm>

using broker::PlanTeardown, broker::UpstreamStep;

namespace {

broker::policy::Config Example() {
  broker::policy::Config config;
  const auto credential = [&](const char* name, const char* kind, const char* client) {
    config.credentials[name] = {.name = name, .kind = kind, .client_id = client};
  };
  credential("mail", "refresh-token", "mail-app");
  config.credentials["mail"].user = "jo";
  credential("app", "client-secret", "shared-app");
  credential("other", "client-secret", "shared-app");
  credential("unused", "managed-identity", "machine");
  credential("teams", "webhook-url", "");
  credential("stopper", "client-secret", "stopper-app");
  config.admin.upstream = "stopper";
  for (const char* used : {"mail", "app", "other", "stopper"}) {
    broker::policy::Rule rule;
    rule.credential = used;
    config.agents["desk"].rules.push_back(rule);
  }
  config.agents["desk"].name = "desk";
  return config;
}

std::vector<std::string> Texts(const std::vector<UpstreamStep>& steps) {
  std::vector<std::string> texts;
  for (const auto& step : steps) {
    texts.push_back(std::string(broker::DeedText(step.deed)) + " " + step.target + " (" +
                    step.credential + ")");
  }
  std::ranges::sort(texts);
  return texts;
}

}  // namespace

TEST_CASE("Each secret is removed, each identity disabled once, and purser's own comes last") {
  const auto plan = PlanTeardown(Example());
  CHECK(Texts(plan.first) ==
        std::vector<std::string>{"delete the delegated grants of mail-app (mail)",
                                 "disable the service principal of mail-app (mail)",
                                 "disable the service principal of shared-app (app)",
                                 "remove the client secret of shared-app (app)",
                                 "remove the client secret of shared-app (other)",
                                 "revoke the sessions of user jo (mail)"});
  CHECK(Texts(plan.own) ==
        std::vector<std::string>{"remove the client secret of stopper-app (stopper)"});
}

TEST_CASE(
    "What no agent acts as stays enabled, as does what purser acts with, and both are named") {
  CHECK(PlanTeardown(Example()).left == std::set<std::string>{"stopper", "unused"});
  auto config = Example();
  config.agents.clear();
  CHECK(PlanTeardown(config).left ==
        std::set<std::string>{"app", "mail", "other", "stopper", "unused"});
  CHECK(PlanTeardown({}).first.empty());
}
