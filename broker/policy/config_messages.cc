#include "broker/policy/config_messages.h"

#include "broker/policy/config_values.h"
#include "broker/policy/inert.h"

namespace broker::policy {
namespace {

// What stands in the place of a key that this version does not serve; empty for others.
std::string_view Instead(std::string_view section, std::string_view key) {
  for (const Unserved& row : UnservedKeys()) {
    if (row.section == section && row.key == key) return row.instead;
  }
  return {};
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

std::string SyntaxMessage(std::string_view description) {
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
  return "this is not TOML: " + text;
}

std::string UnknownKeyMessage(const Section& section, std::string_view key,
                              std::string_view owner) {
  if (const auto instead = Instead(section.name, key); !instead.empty()) {
    return Inert(key) + " is not served by this version: " + std::string(instead);
  }
  if (IsSecretWord(key)) {
    const bool named = section.name == "credential";
    return "secrets never stand in the configuration: remove " + Inert(key) +
           " and run `purser secret set " + (named ? std::string(owner) : "CREDENTIAL") + "`";
  }
  std::vector<std::string_view> known;
  for (const Key& one : section.keys) known.push_back(one.name);
  if (section.name == "agent") known.push_back(RuleSection().name);
  const std::string message = "unknown key " + Inert(key);
  const std::string_view nearest = Nearest(key, known);
  if (!nearest.empty()) return message + ": did you mean " + Inert(nearest);
  std::string list;
  for (const std::string_view one : known) list += " " + std::string(one);
  return message + ": remove it; here may stand" + list;
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
