#include "sidecar/cli/completion.h"

#include <ostream>

#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  // Option groups are nameless commands to CLI11.
  return app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
}

void AddOptions(const CLI::App& app, std::string* words) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) *words += "--" + name + " ";
  }
}

// What can follow `app`: its commands, its long options, and those of its option groups.
std::string WordsAfter(const CLI::App& app) {
  std::string words;
  for (const CLI::App* sub : CommandsOf(app)) words += sub->get_name() + " ";
  AddOptions(app, &words);
  for (const CLI::App* group :
       app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    AddOptions(*group, &words);
  }
  return words;
}

void PrintCases(const CLI::App& app, const std::string& at, std::ostream& out) {
  out << "    \"" << at << "\") echo \"" << WordsAfter(app) << "\" ;;\n";
  for (const CLI::App* sub : CommandsOf(app)) PrintCases(*sub, at + " " + sub->get_name(), out);
}

}  // namespace

int PrintCompletion(const CLI::App& app, const std::string& shell, std::ostream& out) {
  if (shell == "zsh") out << "autoload -Uz bashcompinit && bashcompinit\n";
  out << "_purser_words() {\n"
         "  case \"$1\" in\n";
  PrintCases(app, "purser", out);
  // Words that are no command, such as an option's value, leave the place as it is. No variable is
  // named `path`: to zsh that is PATH; and behind a colon zsh takes a letter for a modifier.
  out << "    *) return 1 ;;\n"
         "  esac\n"
         "}\n"
         "_purser() {\n"
         "  local at=purser word\n"
         "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}\"; do\n"
         "    if _purser_words \"$at $word\" > /dev/null; then at=\"$at $word\"; fi\n"
         "  done\n"
         "  COMPREPLY=($(compgen -W \"$(_purser_words \"$at\")\" -- "
         "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _purser purser\n";
  return kExitDone;
}

}  // namespace sidecar::cli
