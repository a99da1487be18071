#include "broker/policy/config_reader.h"

#include <algorithm>

#include "broker/policy/config_values.h"

namespace broker::policy {
namespace {

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string OneOf(Words words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : " or ") + Quoted(word);
  return text;
}

bool Contains(Words words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool IsVariableName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// toml++ says what it was doing and what is wrong: people need the second half.
std::string SyntaxMessage(std::string_view description) {
  const size_t colon = description.starts_with("Error while parsing") ? description.find(": ") : 0;
  std::string text(colon == 0 || colon == std::string_view::npos ? description
                                                                 : description.substr(colon + 2));
  if (text.starts_with("cannot redefine"))
    return text + ": it is defined above; keep one of the two";
  return "this is not TOML: " + text;
}

}  // namespace

void Draft::Fault(Place place, std::string message) {
  faults.push_back({std::move(place), std::move(message)});
}

Place Draft::PlaceOf(std::string path) const {
  for (;;) {
    const auto found = places.find(path);
    if (found != places.end()) return found->second;
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos) return places.contains("") ? places.at("") : Place{};
    path.resize(dot);
  }
}

Place ConfigReader::At(const toml::source_region& region) const {
  return {file_, region.begin.line, region.begin.column};
}

void ConfigReader::ReadFile(const SourceFile& file, bool main) {
  file_ = file.path;
  if (main) draft_->places[""] = {file.path, 1, 1};
  try {
    const toml::table root = toml::parse(std::string_view(file.text), std::string_view(file.path));
    ReadRoot(root, main);
    if (main) FillDefaults(root);
  } catch (const toml::parse_error& error) {
    draft_->Fault(At(error.source()), SyntaxMessage(error.description()));
  }
}

void ConfigReader::ReadRoot(const toml::table& root, bool main) {
  for (const auto& [key, node] : root) {
    const auto section = std::ranges::find(Sections(), key.str(), &Section::name);
    if (section == Sections().end()) {
      FaultUnknownSection(key);
    } else if (!main && key.str() != "agent") {
      draft_->Fault(At(key.source()), "files of agents.d hold [agent.NAME] tables only: move [" +
                                          std::string(key.str()) + "] to purser.toml");
    } else if (section->repeat == Repeat::kNamed) {
      ReadNamed(*section, node);
    } else if (const toml::table* table = node.as_table()) {
      draft_->places[std::string(section->name)] = At(key.source());
      ReadKeys(*section, *table, std::string(section->name), {.config = &draft_->config});
    } else {
      draft_->Fault(At(key.source()),
                    Quoted(key.str()) + " must be a table: write [" + std::string(key.str()) + "]");
    }
  }
}

void ConfigReader::FillDefaults(const toml::table& root) {
  Target target{.config = &draft_->config};
  for (const Section& section : Sections()) {
    if (section.repeat != Repeat::kOnce || root.contains(section.name)) continue;
    for (const Key& key : section.keys) {
      if (!key.fallback.empty()) Assign(key, std::string(key.fallback), {}, target);
    }
  }
}

void ConfigReader::ReadNamed(const Section& section, const toml::node& node) {
  const std::string kind(section.name);
  const toml::table* names = node.as_table();
  if (names == nullptr) {
    return draft_->Fault(At(node.source()),
                         Quoted(kind) + " must be tables: write [" + kind + ".NAME]");
  }
  for (const auto& [key, entry] : *names) {
    const std::string name(key.str());
    const Place place = At(key.source());
    const toml::table* table = entry.as_table();
    if (table == nullptr) {
      draft_->Fault(place, "[" + kind + "] holds tables only: write [" + kind + ".NAME]");
      continue;
    }
    if (!IsName(name)) {
      draft_->Fault(place, "the name of this " + kind +
                               " must be 1 to 64 of a-z, 0-9 and '-', not starting with '-'");
      continue;
    }
    const std::string path = kind + "." + name;
    if (const auto other = draft_->places.find(path); other != draft_->places.end()) {
      draft_->Fault(place, kind + " " + Quoted(name) + " is defined already in " +
                               other->second.file + ":" + std::to_string(other->second.line) +
                               ": keep one of the two");
      continue;
    }
    draft_->places[path] = place;
    if (kind == "agent") {
      Agent& agent = draft_->config.agents[name];
      agent.name = name;
      agent.place = place;
      ReadAgent(*table, path, &agent);
    } else {
      Credential& credential = draft_->config.credentials[name];
      credential.name = name;
      credential.place = place;
      ReadKeys(section, *table, path, {.config = &draft_->config, .credential = &credential});
    }
  }
}

void ConfigReader::ReadAgent(const toml::table& table, const std::string& path, Agent* agent) {
  ReadKeys(FindSection("agent"), table, path, {.config = &draft_->config, .agent = agent});
  const toml::node* allow = table.get(RuleSection().name);
  if (allow == nullptr) return;
  const toml::array* rules = allow->as_array();
  if (rules == nullptr) {
    return draft_->Fault(At(allow->source()), "rules are a list of tables: write [[" + path +
                                                  ".allow]] with two brackets");
  }
  for (const toml::node& node : *rules) {
    const toml::table* rule = node.as_table();
    if (rule == nullptr) {
      draft_->Fault(At(node.source()), "a rule is a table: write [[" + path + ".allow]]");
      continue;
    }
    const std::string rule_path = path + ".allow." + std::to_string(agent->rules.size());
    agent->rules.emplace_back().place = At(node.source());
    draft_->places[rule_path] = agent->rules.back().place;
    ReadKeys(RuleSection(), *rule, rule_path,
             {.config = &draft_->config, .agent = agent, .rule = &agent->rules.back()});
  }
}

void ConfigReader::ReadKeys(const Section& section, const toml::table& table,
                            const std::string& path, Target target) {
  for (const auto& [key, node] : table) {
    const bool is_rules = section.name == "agent" && key.str() == RuleSection().name;
    if (!is_rules && std::ranges::find(section.keys, key.str(), &Key::name) == section.keys.end()) {
      FaultUnknownKey(section, key, path);
    }
  }
  for (const Key& key : section.keys) {
    const std::string key_path = path + "." + std::string(key.name);
    if (const toml::node* node = table.get(key.name)) {
      draft_->places[key_path] = At(node->source());
      ReadKey(key, *node, key_path, target);
    } else if (key.required) {
      FaultMissing(section, key, path);
    } else if (!key.fallback.empty()) {
      Assign(key, std::string(key.fallback), {}, target);
    }
  }
}

void ConfigReader::ReadKey(const Key& key, const toml::node& node, const std::string& path,
                           Target& target) {
  const Place place = At(node.source());
  const std::string must = Quoted(key.name) + " must be ";
  if (const ListSlot* list = std::get_if<ListSlot>(&key.slot)) {
    if (const toml::array* array = node.as_array()) {
      return ReadList(key, *array, path, &(*list)(target));
    }
    return draft_->Fault(place,
                         must + "a list: write [\"…\"], each element " + std::string(key.wants));
  }
  if (std::holds_alternative<SwitchSlot>(key.slot) && key.words.empty()) {
    if (const auto flag = node.value_exact<bool>()) {
      std::get<SwitchSlot>(key.slot)(target) = *flag;
      return;
    }
    return draft_->Fault(place, must + std::string(key.wants));
  }
  if (const auto number = node.value_exact<int64_t>(); number && key.number) {
    return Assign(key, std::to_string(*number), place, target);
  }
  std::optional<std::string> text = node.value_exact<std::string>();
  if (!text) {
    return draft_->Fault(place,
                         must + (key.number ? "a string or a number: " : "a string: ") +
                             (key.words.empty() ? std::string(key.wants) : OneOf(key.words)));
  }
  if (Resolve(key, place, &*text)) Assign(key, *text, place, target);
}

void ConfigReader::ReadList(const Key& key, const toml::array& array, const std::string& path,
                            std::vector<std::string>* list) {
  for (const toml::node& node : array) {
    const Place place = At(node.source());
    const std::optional<std::string> text = node.value_exact<std::string>();
    const std::string must = "each of " + Quoted(key.name) + " must be ";
    if (!text) {
      draft_->Fault(place, must + "a string: " + std::string(key.wants));
    } else if (LooksSecret(*text)) {
      draft_->Fault(place,
                    "this looks like a secret; secrets go into the store with "
                    "`purser secret set`, never into the configuration");
    } else if (text->starts_with("env:")) {
      draft_->Fault(place, "policy never comes from the environment: write the value itself");
    } else if (key.check != nullptr && !key.check(*text)) {
      draft_->Fault(place, must + std::string(key.wants));
    } else if (std::ranges::find(*list, *text) != list->end()) {
      draft_->Fault(place, "this element occurs twice: keep one of the two");
    } else {
      draft_->places[path + "." + std::to_string(list->size())] = place;
      list->push_back(*text);
    }
  }
}

// Replaces "env:NAME" by its value and refuses what must not stand in a configuration.
bool ConfigReader::Resolve(const Key& key, const Place& place, std::string* text) {
  if (text->starts_with("env:")) {
    const std::string name = text->substr(4);
    if (!key.from_env) {
      draft_->Fault(place,
                    Quoted(key.name) + " never comes from the environment: write the value itself");
      return false;
    }
    const auto value = IsVariableName(name) && env_ ? env_(name) : std::nullopt;
    if (!value) {
      draft_->Fault(place,
                    "the environment has no such variable: set it for purserd, or write the "
                    "value itself");
      return false;
    }
    draft_->env_used[name] = *value;
    *text = *value;
  }
  if (!LooksSecret(*text)) return true;
  draft_->Fault(place,
                "this looks like a secret; secrets go into the store with `purser secret "
                "set`, never into the configuration");
  return false;
}

void ConfigReader::Assign(const Key& key, const std::string& text, const Place& place,
                          Target& target) {
  const std::string must = Quoted(key.name) + " must be ";
  if (Contains(key.later, text)) {
    return draft_->Fault(
        place, Quoted(text) + " is not served: this version serves only " + OneOf(key.words));
  }
  if (const SwitchSlot* flag = std::get_if<SwitchSlot>(&key.slot)) {
    const bool plain = key.words.empty();
    const std::string_view yes = plain ? "true" : key.words[0];
    if (!plain && !Contains(key.words, text)) return draft_->Fault(place, must + OneOf(key.words));
    (*flag)(target) = text == yes;
    return;
  }
  if (!key.words.empty() && !Contains(key.words, text)) {
    const std::string_view nearest = Nearest(text, key.words);
    return draft_->Fault(place, must + OneOf(key.words) +
                                    (nearest.empty() ? "" : "; did you mean " + Quoted(nearest)));
  }
  if (key.check != nullptr && !key.check(text)) {
    return draft_->Fault(place, must + std::string(key.wants));
  }
  if (const TextSlot* slot = std::get_if<TextSlot>(&key.slot)) {
    (*slot)(target) = text;
    return;
  }
  const auto limit = ParseLimit(text);
  if (!limit) return draft_->Fault(place, must + std::string(key.wants));
  if (const LimitSlot* slot = std::get_if<LimitSlot>(&key.slot)) {
    (*slot)(target) = *limit;
  } else if (limit->count > 0) {
    std::get<OptionalLimitSlot>(key.slot)(target) = *limit;
  }
}

void ConfigReader::FaultMissing(const Section& section, const Key& key, const std::string& path) {
  const std::string value =
      std::holds_alternative<ListSlot>(key.slot) ? "a list, each element " : "";
  draft_->Fault(draft_->PlaceOf(path),
                "this " + std::string(section.name == "allow" ? "rule" : section.name) + " lacks " +
                    Quoted(key.name) + ": write " + std::string(key.name) + " = …, " + value +
                    (key.words.empty() ? std::string(key.wants) : OneOf(key.words)));
}

void ConfigReader::FaultUnknownKey(const Section& section, const toml::key& key,
                                   const std::string& path) {
  const Place place = At(key.source());
  for (const Unserved& row : UnservedKeys()) {
    if (row.section == section.name && row.key == key.str()) {
      return draft_->Fault(
          place, Quoted(key.str()) + " is not served by this version: " + std::string(row.instead));
    }
  }
  if (IsSecretWord(key.str())) {
    const bool credential = section.name == "credential";
    return draft_->Fault(place, "secrets never stand in the configuration: remove " +
                                    Quoted(key.str()) + " and run `purser secret set " +
                                    (credential ? path.substr(path.find('.') + 1) : "CREDENTIAL") +
                                    "`");
  }
  std::vector<std::string_view> known;
  for (const Key& one : section.keys) known.push_back(one.name);
  if (section.name == "agent") known.push_back(RuleSection().name);
  const std::string_view nearest = Nearest(key.str(), known);
  std::string message = "unknown key " + Quoted(key.str());
  if (!nearest.empty()) return draft_->Fault(place, message + ": did you mean " + Quoted(nearest));
  message += ": remove it; here may stand";
  for (const std::string_view one : known) message += " " + std::string(one);
  draft_->Fault(place, message);
}

void ConfigReader::FaultUnknownSection(const toml::key& key) {
  const Place place = At(key.source());
  for (const Unserved& row : UnservedKeys()) {
    if (row.section.empty() && row.key == key.str()) {
      return draft_->Fault(
          place, Quoted(key.str()) + " is not served by this version: " + std::string(row.instead));
    }
  }
  std::vector<std::string_view> known;
  for (const Section& section : Sections()) known.push_back(section.name);
  const std::string_view nearest = Nearest(key.str(), known);
  draft_->Fault(place, "unknown section " + Quoted(key.str()) +
                           (nearest.empty() ? ": remove it; `purser config schema` lists them all"
                                            : ": did you mean [" + std::string(nearest) + "]"));
}

}  // namespace broker::policy
