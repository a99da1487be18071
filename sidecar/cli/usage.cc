#include "sidecar/cli/usage.h"

#include <algorithm>
#include <vector>

#include "broker/policy/inert.h"
#include "broker/policy/nearest.h"

namespace sidecar::cli {
namespace {

using broker::policy::DidYouMean, broker::policy::Inert;

bool IsShown(const CLI::App& app, const CLI::Option* option) {
  return option->nonpositional() && option != app.get_help_ptr() && option != app.get_version_ptr();
}

// The command that the words led to.
const CLI::App& Reached(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : Reached(*parsed.back());
}

std::string FullName(const CLI::App& app) {
  const CLI::App* above = app.get_parent();
  const bool top = above == nullptr || app.get_name().empty();
  return top ? "purser" : FullName(*above) + " " + app.get_name();
}

std::string WithGuess(const std::string& fault, std::string_view word,
                      const std::vector<std::string>& known, const std::string& otherwise) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const std::string guess = DidYouMean(word, views);
  return fault + "; " + (guess.empty() ? otherwise : guess) + "\n";
}

std::string NoSuchOption(const CLI::App& reached, const std::string& word) {
  std::vector<std::string> known;
  for (const CLI::App* app = &reached; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  const std::string name = word.substr(0, word.find('='));
  return WithGuess(FullName(reached) + " has no option " + Inert(name), name, known,
                   "--help lists them");
}

std::string NoSuchCommand(const CLI::App& reached, const std::string& word) {
  std::vector<std::string> known;
  std::string list = "there are";
  for (const CLI::App* command :
       reached.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); })) {
    known.push_back(command->get_name());
    list += " " + command->get_name();
  }
  return WithGuess(FullName(reached) + " has no command " + Inert(word), word, known, list);
}

}  // namespace

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  std::string above;
  for (const CLI::App* one = app->get_parent(); one != nullptr; one = one->get_parent()) {
    std::string options;
    for (const CLI::Option* option : one->get_options()) {
      if (IsShown(*one, option)) options += make_option(option, /*is_positional=*/false);
    }
    if (!options.empty()) above += "Options of " + FullName(*one) + ":\n" + options + "\n";
  }
  return above + Formatter::make_footer(app);
}

std::string UsageFault(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  if (words.empty()) return {};
  const CLI::App& reached = Reached(app);
  const auto option =
      std::ranges::find_if(words, [](const std::string& word) { return word.starts_with('-'); });
  if (reached.get_require_subcommand_min() > 0 && option != words.begin()) {
    return NoSuchCommand(reached, words.front());
  }
  return option == words.end() ? std::string() : NoSuchOption(reached, *option);
}

}  // namespace sidecar::cli
