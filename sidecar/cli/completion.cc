#include "sidecar/cli/completion.h"

#include <ostream>

#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

// What can follow `app`: its subcommands and long options.
std::string WordsAfter(const CLI::App& app) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words += sub->get_name() + " ";
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  return words;
}

void PrintCases(const CLI::App& app, const std::string& path, std::ostream& out) {
  out << "    \"" << path << "\") words=\"" << WordsAfter(app) << "\" ;;\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    PrintCases(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
  }
}

}  // namespace

int PrintCompletion(const CLI::App& app, const std::string& shell, std::ostream& out) {
  if (shell == "zsh") out << "autoload -Uz bashcompinit && bashcompinit\n";
  out << "_purser() {\n"
         "  local path=\"\" word words=\"\"\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    [[ $word == -* ]] || path=\"${path:+$path }$word\"\n"
         "  done\n"
         "  case \"$path\" in\n";
  PrintCases(app, "", out);
  out << "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _purser purser\n";
  return kExitDone;
}

}  // namespace sidecar::cli
