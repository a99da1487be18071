#include "broker/policy/config_messages.h"

#include <algorithm>
#include <array>

#include "broker/policy/config_values.h"
#include "broker/policy/inert.h"
#include "broker/policy/nearest.h"

namespace broker::policy {
namespace {

// What stands in the place of a key that this version does not serve; empty for others.
std::string_view Instead(std::string_view section, std::string_view key) {
  for (const Unserved& row : UnservedKeys()) {
    if (row.section == section && row.key == key) return row.instead;
  }
  return {};
}

// Whether `column` is inside a value, or a list's element, that begins without a quote.
bool IsUnquoted(std::string_view line, size_t column) {
  constexpr std::string_view kBefore = " \t=[,";
  if (line.find_first_not_of(" \t") == line.find('[')) return false;  // a table's name
  size_t begin = std::min(column - 1, line.size());
  while (begin > 0 && kBefore.find(line[begin - 1]) == std::string_view::npos) --begin;
  const std::string_view before = line.substr(0, begin);
  const size_t last = before.find_last_not_of(" \t");
  const bool value = last != std::string_view::npos && kBefore.find(before[last]) != before.npos;
  return value && begin < line.size() && line[begin] > ' ' && line[begin] != '#' &&
         line[begin] != '"' && line[begin] != '\'';
}

// What to write in the place of what is not TOML, where the line shows what was meant.
std::string Remedy(std::string_view line, size_t column) {
  if (column > 0 && IsUnquoted(line, column)) {
    return ": put text in double quotes, KEY = \"…\", or KEY = [\"…\"] for a list";
  }
  const size_t last = line.find_last_not_of(" \t\r");
  if (last != std::string_view::npos && line[last] == '=') return ": write a value behind the '='";
  if (std::ranges::count(line, '"') % 2 == 1) return ": close the double quotes in the same line";
  return {};
}

std::string SecretMessage(std::string_view section, std::string_view key, const KeyOwner& owner) {
  const std::string never = "secrets never stand in the configuration: remove " + Inert(key);
  if (section == "vault") {
    return never + "; which secret it is says the credential, with vault = " + Inert(owner.name) +
           " and name = \"…\"";
  }
  return never + " and run `purser secret set " +
         (section == "credential" ? std::string(owner.name) : "CREDENTIAL") + "`";
}

}  // namespace

std::string OneOf(Words words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : " or ") + Inert(word);
  return text;
}

std::string Wanted(const Key& key) {
  return key.words.empty() ? std::string(key.wants) : OneOf(key.words);
}

std::string SyntaxMessage(std::string_view description, std::string_view line, size_t column) {
  // toml++ says what it was doing and what is wrong: people need the second half.
  std::string_view what = description;
  if (description.starts_with("Error while parsing")) {
    what.remove_prefix(std::min(description.size(), description.find(": ") + 2));
  }
  // Its second half may hold bytes of the file.
  std::string text;
  for (const char c : what) text.push_back(c >= ' ' && c <= '~' ? c : '?');
  if (what.starts_with("cannot redefine")) {
    return text + ": it is defined above; keep one of the two";
  }
  return "this is not TOML: " + text + Remedy(line, column);
}

std::string UnknownKeyMessage(const Section& section, std::string_view key, const KeyOwner& owner) {
  if (const auto instead = Instead(section.name, key); !instead.empty()) {
    return Inert(key) + " is not served by this version: " + std::string(instead);
  }
  if (owner.vaulted && MeansVaultName(key)) {
    return Inert(key) +
           " is no key: what the vault calls the secret is written name = \"…\"; the secret itself "
           "never stands in the configuration";
  }
  if (IsSecretWord(key)) return SecretMessage(section.name, key, owner);
  std::vector<std::string_view> known;
  for (const Key& one : section.keys) known.push_back(one.name);
  if (section.name == "agent") known.push_back(RuleSection().name);
  if (section.name == "allow") known.push_back(ApprovalSection().name);
  const std::string message = "unknown key " + Inert(key);
  if (const std::string guess = DidYouMean(key, known); !guess.empty()) {
    return message + ": " + guess;
  }
  std::string list;
  for (const std::string_view one : known) list += " " + std::string(one);
  return message + ": remove it; here may stand" + list;
}

bool MeansVaultName(std::string_view key) {
  constexpr std::array<std::string_view, 4> kMeant = {"secret_name", "certificate_name", "key_name",
                                                      "vault_name"};
  return IsSecretWord(key) || std::ranges::find(kMeant, key) != kMeant.end();
}

std::string NoSuchMessage(std::string_view section, std::string_view name, Words known,
                          std::string_view otherwise) {
  const std::string guess = DidYouMean(name, known);
  return "there is no [" + std::string(section) + "." +
         (IsName(name) ? std::string(name) : Inert(name)) +
         "]: " + (guess.empty() ? std::string(otherwise) : guess);
}

std::string UnknownSectionMessage(std::string_view name) {
  if (const auto instead = Instead("", name); !instead.empty()) {
    return Inert(name) + " is not served by this version: " + std::string(instead);
  }
  std::vector<std::string_view> known;
  for (const Section& section : Sections()) known.push_back(section.name);
  const std::string_view nearest = Nearest(name, known);
  return "unknown section " + Inert(name) +
         (nearest.empty() ? ": remove it; `purser config schema` lists them all"
                          : ": did you mean [" + std::string(nearest) + "]");
}

std::string MissingKeyMessage(const Section& section, const Key& key) {
  const bool list = std::holds_alternative<ListSlot>(key.slot);
  return "this " + std::string(section.name == "allow" ? "rule" : section.name) + " lacks " +
         Inert(key.name) + ": write " + std::string(key.name) + " = …, " +
         (list ? "a list, each element " : "") + Wanted(key);
}

}  // namespace broker::policy
