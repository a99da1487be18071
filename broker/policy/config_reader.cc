#include "broker/policy/config_reader.h"

#include <algorithm>

#include "broker/policy/config_messages.h"
#include "broker/policy/config_values.h"
#include "broker/policy/inert.h"
#include "broker/policy/value_reader.h"

namespace broker::policy {
namespace {

// Without its end; empty where there is no such line.
std::string_view LineOf(std::string_view text, uint32_t number) {
  for (uint32_t line = 1; line < number && !text.empty(); ++line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace

Place ConfigReader::At(const toml::source_region& region) const {
  return {file_, region.begin.line, region.begin.column};
}

bool ConfigReader::ReadFile(const SourceFile& file, bool main) {
  file_ = file.path;
  if (main) draft_->places[""] = {file.path, 1, 1};
  try {
    const toml::table root = toml::parse(std::string_view(file.text), std::string_view(file.path));
    ReadRoot(root, main);
    if (main) FillDefaults(root);
    return true;
  } catch (const toml::parse_error& error) {
    const Place place = At(error.source());
    draft_->Fault(place,
                  SyntaxMessage(error.description(), LineOf(file.text, place.line), place.column));
    return false;
  }
}

void ConfigReader::ReadRoot(const toml::table& root, bool main) {
  for (const auto& [key, node] : root) {
    const auto section = std::ranges::find(Sections(), key.str(), &Section::name);
    if (section == Sections().end()) {
      draft_->Fault(At(key.source()), UnknownSectionMessage(key.str()));
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
                    Inert(key.str()) + " must be a table: write [" + std::string(key.str()) + "]");
    }
  }
}

void ConfigReader::FillDefaults(const toml::table& root) {
  Target target{.config = &draft_->config};
  const ValueReader values(env_, file_, draft_);
  for (const Section& section : Sections()) {
    if (section.repeat != Repeat::kOnce || root.contains(section.name)) continue;
    for (const Key& key : section.keys) {
      if (!key.fallback.empty()) values.Assign(key, std::string(key.fallback), {}, target);
    }
  }
}

// Whether [KIND.NAME] may be read: a table, with a name that fits, and the first of that name.
bool ConfigReader::IsDefinable(const std::string& kind, const toml::key& key,
                               const toml::node& entry) {
  const Place place = At(key.source());
  const std::string name(key.str());
  if (!entry.is_table()) {
    draft_->Fault(place, "[" + kind + "] holds tables only: write [" + kind + ".NAME]");
    return false;
  }
  if (!IsName(name)) {
    draft_->Fault(place, "the name of this " + kind +
                             " must be 1 to 64 of a-z, 0-9 and '-', not starting with '-'");
    return false;
  }
  const auto other = draft_->places.find(kind + "." + name);
  if (other == draft_->places.end()) return true;
  draft_->Fault(place, kind + " " + Inert(name) + " is defined already in " + other->second.file +
                           ":" + std::to_string(other->second.line) + ": keep one of the two");
  return false;
}

void ConfigReader::ReadNamed(const Section& section, const toml::node& node) {
  const std::string kind(section.name);
  const toml::table* names = node.as_table();
  if (names == nullptr) {
    return draft_->Fault(At(node.source()),
                         Inert(kind) + " must be tables: write [" + kind + ".NAME]");
  }
  for (const auto& [key, entry] : *names) {
    if (!IsDefinable(kind, key, entry)) continue;
    const std::string name(key.str());
    const std::string path = std::string(kind).append(".").append(name);
    const Place place = At(key.source());
    draft_->places[path] = place;
    if (kind == "agent") {
      Agent& agent = draft_->config.agents[name];
      agent.name = name;
      agent.place = place;
      ReadAgent(*entry.as_table(), path, &agent);
    } else if (kind == "vault") {
      Vault& vault = draft_->config.vaults[name];
      vault.name = name;
      vault.place = place;
      ReadKeys(section, *entry.as_table(), path, {.config = &draft_->config, .vault = &vault});
    } else if (kind == "notify") {
      Notifier& notifier = draft_->config.notifiers[name];
      notifier.name = name;
      notifier.place = place;
      ReadKeys(section, *entry.as_table(), path,
               {.config = &draft_->config, .notifier = &notifier});
    } else {
      Credential& credential = draft_->config.credentials[name];
      credential.name = name;
      credential.place = place;
      ReadKeys(section, *entry.as_table(), path,
               {.config = &draft_->config, .credential = &credential});
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
    if (const toml::node* approval = rule->get(ApprovalSection().name)) {
      ReadApproval(*approval, rule_path + ".approval",
                   {.config = &draft_->config, .agent = agent, .rule = &agent->rules.back()});
    }
  }
}

void ConfigReader::ReadApproval(const toml::node& node, const std::string& path, Target target) {
  const Place place = At(node.source());
  draft_->places[path] = place;
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    return draft_->Fault(
        place, "\"approval\" must be a table: write approval = { by = [\"group:NAME\"] }");
  }
  ReadKeys(ApprovalSection(), *table, path, target);
}

void ConfigReader::ReadKeys(const Section& section, const toml::table& table,
                            const std::string& path, Target target) {
  const KeyOwner owner{std::string_view(path).substr(path.find('.') + 1),
                       section.name == "credential" && table.contains("vault")};
  const ValueReader values(env_, file_, draft_);
  for (const auto& [key, node] : table) {
    const bool inside = (section.name == "agent" && key.str() == RuleSection().name) ||
                        (section.name == RuleSection().name && key.str() == ApprovalSection().name);
    if (!inside && std::ranges::find(section.keys, key.str(), &Key::name) == section.keys.end()) {
      draft_->Fault(At(key.source()), UnknownKeyMessage(section, key.str(), owner));
      // Faulted here, and not once more for its absence.
      if (owner.vaulted && MeansVaultName(key.str())) draft_->unread.insert(path + ".name");
    }
  }
  for (const Key& key : section.keys) {
    const std::string key_path = path + "." + std::string(key.name);
    if (const toml::node* node = table.get(key.name)) {
      draft_->places[key_path] = At(node->source());
      values.Read(key, *node, key_path, target);
    } else if (key.required) {
      draft_->Fault(draft_->PlaceOf(path), MissingKeyMessage(section, key));
    } else if (!key.fallback.empty()) {
      values.Assign(key, std::string(key.fallback), {}, target);
    }
  }
}

}  // namespace broker::policy
