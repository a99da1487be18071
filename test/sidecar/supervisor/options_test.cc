#include "sidecar/supervisor/options.h"

#include <doctest/doctest.h>

using namespace sidecar::supervisor;
using namespace std::chrono_literals;

TEST_CASE("The command line and the places of the environment") {
  const auto nothing = [](const std::string&) -> std::optional<std::string> {
    return std::nullopt;
  };
  const auto all = [](const std::string& name) -> std::optional<std::string> {
    if (name == "PURSER_CONFIG") return "/env.toml";
    if (name == "JOURNAL_STREAM") return "8:12345";
    if (name == "WATCHDOG_USEC") return "30000000";
    return std::nullopt;
  };
  CHECK(ParseOptions({}, nothing)->config == kDefaultConfig);
  CHECK(ParseOptions({}, all)->config == "/env.toml");
  CHECK(ParseOptions({}, all)->watchdog == 30s);
  CHECK(ParseOptions({"--config", "/a"}, all)->config == "/a");
  CHECK(ParseOptions({"--config=/b", "--libexec", "/l"}, all)->libexec == "/l");
  CHECK(RoleEnvironment(*ParseOptions({}, all)) ==
        std::vector<std::string>{"LD_BIND_NOW=1", "JOURNAL_STREAM=8:12345"});
  CHECK(RoleEnvironment(*ParseOptions({"--foreground"}, all)) ==
        std::vector<std::string>{"LD_BIND_NOW=1"});
  const auto odd = [](const std::string& name) -> std::optional<std::string> {
    return name == "JOURNAL_STREAM" ? "8:1\nLD_PRELOAD=x" : "-1";
  };
  CHECK(ParseOptions({"--config=/a"}, odd)->journal_stream.empty());
  CHECK(ParseOptions({"--config=/a"}, odd)->watchdog == 0s);
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--config"}, {"--config="}, {"--frobnicate"}, {"extra"}, {"--libexec"}, {""}}) {
    CHECK_FALSE(ParseOptions(arguments, nothing).has_value());
  }
}
