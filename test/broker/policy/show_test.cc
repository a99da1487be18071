#include "broker/policy/show.h"

#include <fstream>
#include <iterator>

#include "broker/policy/config_keys.h"
#include "broker/policy/diff.h"
#include "broker/policy/schema.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::With;

namespace {

std::string Example() {
  std::ifstream in(PURSER_SOURCE_DIR "/deploy/examples/purser.toml");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("What is shown parses to the same configuration") {
  const std::string custom =
      With("[seal]",
           "cloud = \"custom\"\nauthority = \"https://l.x\"\ngraph = \"https://g.x\"\n"
           "[paths]\nrun = \"/run/a \\\"b\\\\c\"\n[hardening]\nminimum = \"weak\"\n[seal]");
  const std::string limited = With("credential = \"mail\"\n",
                                   "credential = \"mail\"\nlimit = \"5/day\"\nper_task = "
                                   "\"2/hour\"\nconcurrent = 3\n[policy]\nnever = "
                                   "[\"X.Read\"]\nwrites = \"log\"\n");
  for (const std::string& text : {std::string(fixture::kBase), custom, limited, Example()}) {
    const Config config = fixture::Valid(text);
    const Config again = fixture::Valid(ShowConfig(config));
    auto shown = ConfigAsJson(config), shown_again = ConfigAsJson(again);
    shown.erase("sha256");
    shown_again.erase("sha256");
    CHECK(shown == shown_again);
    CHECK(CompareRights(config, again).gained.empty());
  }
}

TEST_CASE("Defaults are marked, and what the cloud stands for is a comment") {
  const std::string shown = ShowConfig(fixture::Valid(std::string(fixture::kBase)));
  CHECK(shown.find("run = \"/run/purser\"  # default\n") != std::string::npos);
  CHECK(shown.find("# graph = \"https://graph.microsoft.com\"\n") != std::string::npos);
  CHECK(shown.find("limit = \"3600/hour\"  # default\n") != std::string::npos);
  CHECK(shown.find("[[agent.helpdesk.allow]]\nname = \"read-mail\"\n") != std::string::npos);
  CHECK(shown.find("user = \"helpdesk\"\n") != std::string::npos);
}

TEST_CASE("The schema has every key of the parser's table, and no room for others") {
  const auto schema = ConfigSchema();
  CHECK(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema["required"] == nlohmann::ordered_json({"instance", "tenant", "seal"}));
  for (const Section& section : Sections()) {
    CAPTURE(section.name);
    const auto& entry = schema["properties"][std::string(section.name)];
    const auto& table = section.repeat == Repeat::kOnce ? entry : entry["additionalProperties"];
    CHECK(table["additionalProperties"] == false);
    for (const Key& key : section.keys) {
      CHECK(table["properties"].contains(std::string(key.name)));
      CHECK_FALSE(key.doc.empty());
      CHECK_FALSE(key.wants.empty());
    }
  }
  const auto& rule =
      schema["properties"]["agent"]["additionalProperties"]["properties"]["allow"]["items"];
  CHECK(rule["properties"]["decision"]["enum"] ==
        nlohmann::ordered_json({"log", "notify", "approve"}));
  const std::string by =
      rule["properties"]["approval"]["properties"]["by"]["description"].get<std::string>();
  CHECK(by.contains("\"requester\" is the person whom"));
  CHECK(rule["required"] == nlohmann::ordered_json({"name", "scopes", "credential"}));
}
