#include "sidecar/cli/usage.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using sidecar::cli::HelpFormatter, sidecar::cli::UsageFault;

namespace {

/// A command line of the shape of purser's.
struct Line {
  CLI::App app{"A test", "tool"};
  std::string config, folder, agent;
  std::vector<std::string> command;
  bool follow = false;

  Line() {
    app.formatter(std::make_shared<HelpFormatter>());
    app.require_subcommand(1)->fallthrough();
    app.add_option("--config", config, "Configuration");
    app.add_subcommand("status");
    auto* audit = app.add_subcommand("audit")->require_subcommand(1);
    audit->add_option("--dir", folder, "Folder");
    audit->add_subcommand("tail")->add_flag("--follow", follow, "Go on");
    audit->add_subcommand("show");
    auto* run = app.add_subcommand("run")->positionals_at_end();
    run->add_option("agent", agent)->required();
    run->add_option("command", command)->required();
  }
  /// What is said to these words; "parsed" when nothing is wrong with them.
  std::string Say(std::vector<std::string> words) {
    std::ranges::reverse(words);
    try {
      app.parse(words);
    } catch (const CLI::ParseError&) {
      return UsageFault(app);
    }
    return "parsed";
  }
};

}  // namespace

TEST_CASE("What is no command or option is named, with what was meant") {
  struct Row {
    const char* why;
    std::vector<std::string> words;
    const char* says;
  };
  // clang-format off
  const Row rows[] = {
      {"a command",               {"status"},                      "parsed"},
      {"a command of two words",  {"audit", "tail", "--follow"},   "parsed"},
      {"an option from above",    {"audit", "show", "--dir", "/x", "--config", "/y"}, "parsed"},
      {"a slip",                  {"stauts"},                      "purser has no command \"stauts\"; did you mean \"status\""},
      {"a slip behind an option", {"--config", "/x", "stauts"},    "purser has no command \"stauts\"; did you mean \"status\""},
      {"a slip in the second",    {"audit", "tial"},               "purser audit has no command \"tial\"; did you mean \"tail\""},
      {"another word",            {"frobnicate"},                  "purser has no command \"frobnicate\"; there are status audit run"},
      {"another second word",     {"audit", "frobnicate"},         "there are tail show"},
      {"bytes of a terminal",     {"\x1b[2J"},                     "\\u001b"},
      {"an option's slip",        {"status", "--cofnig", "/x"},    "purser status has no option \"--cofnig\"; did you mean \"--config\""},
      {"an option with a value",  {"audit", "tail", "--folow=1"},  "purser audit tail has no option \"--folow\"; did you mean \"--follow\""},
      {"another option",          {"status", "--frobnicate"},      "--help lists them"},
      {"no command at all",       {},                              ""},
      {"half a command",          {"audit"},                       ""},
      {"an argument missing",     {"run", "helpdesk"},             ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Line line;
    const std::string said = line.Say(row.words);
    CAPTURE(said);
    CHECK(said.empty() == (*row.says == '\0'));
    CHECK(said.find(row.says) != std::string::npos);
  }
}

TEST_CASE("What follows the program is the program's, options too") {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"run", "helpdesk", "curl", "--version", "--config", "x"},
                             Words{"run", "helpdesk", "curl", "--", "--version", "status"}}) {
    Line line;
    CHECK(line.Say(words) == "parsed");
    CHECK(line.agent == "helpdesk");
    CHECK(line.command == Words(words.begin() + 2, words.end()));
    CHECK(line.config.empty());
  }
  Line line;
  CHECK(line.Say({"run", "--config", "/x", "helpdesk", "curl", "-s"}) == "parsed");
  CHECK(line.config == "/x");
  CHECK(line.command == Words{"curl", "-s"});
}

TEST_CASE("Help shows the options of the commands above, which count as well") {
  const Line line;
  const std::string help = line.app.get_subcommand("audit")->get_subcommand("tail")->help();
  CHECK(help.find("Options of purser audit:\n  --dir") != std::string::npos);
  CHECK(help.find("Options of purser:\n  --config") != std::string::npos);
  CHECK(line.app.help().find("Options of") == std::string::npos);
}
