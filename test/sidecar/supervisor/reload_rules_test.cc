#include "sidecar/supervisor/reload_rules.h"

#include <doctest/doctest.h>

using namespace sidecar::supervisor;

TEST_CASE("What cannot change while purserd runs says that it needs a restart") {
  using broker::policy::Config;
  const Config before;
  Config same = before;
  same.agents["new"] = {};
  same.network.proxy = "http://proxy:3128";
  same.admin.operator_gids = {1};
  CHECK(WhyRestartIsNeeded(before, same).empty());
  const auto changed = [&before](auto change) {
    Config after = before;
    change(after);
    return WhyRestartIsNeeded(before, after);
  };
  CHECK(changed([](Config& c) { c.instance.name = "x"; }).starts_with("[instance] cannot change"));
  CHECK(changed([](Config& c) { c.tenant.id = "x"; }).starts_with("[tenant]"));
  CHECK(changed([](Config& c) { c.tenant.authority = "x"; }).starts_with("[tenant]"));
  CHECK(changed([](Config& c) { c.paths.state = "x"; }).starts_with("[paths]"));
  CHECK(changed([](Config& c) { c.paths.run = "x"; }).starts_with("[paths]"));
  CHECK(changed([](Config& c) { c.seal.path = "x"; }).starts_with("[seal]"));
  CHECK(changed([](Config& c) { c.admin.auditor_gids = {1}; }).starts_with("[admin] auditors"));
  CHECK(changed([](Config& c) { c.hardening.strict = false; }).starts_with("[hardening]"));
  CHECK(changed([](Config& c) { c.hardening.allow_same_uid = true; }).starts_with("[hardening]"));
}
