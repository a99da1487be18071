#include "broker/policy/show.h"

#include <algorithm>

#include "broker/policy/config_keys.h"
#include "broker/policy/config_values.h"
#include "broker/policy/kinds.h"

namespace broker::policy {
namespace {

using Json = nlohmann::ordered_json;

// One table of the configuration, and what its keys are read from.
struct Table {
  std::vector<std::string> path;  // {"agent", "helpdesk", "allow"}
  const Section* section;
  Target target;
};

std::vector<Table> TablesOf(Config& config) {
  std::vector<Table> tables;
  for (const Section& section : Sections()) {
    const std::string name(section.name);
    if (section.repeat == Repeat::kOnce) {
      tables.push_back({{name}, &section, {.config = &config}});
    } else if (name == "vault") {
      for (auto& [key, vault] : config.vaults) {
        tables.push_back({{name, key}, &section, {.config = &config, .vault = &vault}});
      }
    } else if (name == "notify") {
      for (auto& [key, notifier] : config.notifiers) {
        tables.push_back({{name, key}, &section, {.config = &config, .notifier = &notifier}});
      }
    } else if (name == "credential") {
      for (auto& [key, credential] : config.credentials) {
        tables.push_back({{name, key}, &section, {.config = &config, .credential = &credential}});
      }
    } else {
      for (auto& [key, agent] : config.agents) {
        tables.push_back({{name, key}, &section, {.config = &config, .agent = &agent}});
        for (Rule& rule : agent.rules) {
          tables.push_back({{name, key, "allow"},
                            &RuleSection(),
                            {.config = &config, .agent = &agent, .rule = &rule}});
          if (rule.decision != "approve") continue;
          tables.push_back({{name, key, "allow", "approval"},
                            &ApprovalSection(),
                            {.config = &config, .agent = &agent, .rule = &rule}});
        }
      }
    }
  }
  return tables;
}

// What stands in a key's place; null where nothing does.
struct ValueOf {
  const Key& key;
  Target& target;

  Json operator()(TextSlot slot) const {
    const std::string& text = slot(target);
    return text.empty() ? Json() : Json(text);
  }
  Json operator()(ListSlot slot) const {
    const std::vector<std::string>& list = slot(target);
    return list.empty() ? Json() : Json(list);
  }
  Json operator()(SwitchSlot slot) const {
    if (key.words.empty()) return slot(target);
    return std::string(key.words[slot(target) ? 0 : 1]);
  }
  Json operator()(LimitSlot slot) const { return Format(slot(target)); }
  Json operator()(DurationSlot slot) const {
    const std::chrono::seconds duration = slot(target);
    return duration.count() == 0 ? Json() : Json(Format(duration));
  }
  Json operator()(CountSlot slot) const {
    const uint32_t count = slot(target);
    return count == 0 ? Json() : Json(count);
  }
  Json operator()(OptionalLimitSlot slot) const {
    const std::optional<Limit>& limit = slot(target);
    return limit ? Json(Format(*limit)) : Json();
  }
};

Json Value(const Key& key, Target& target) { return std::visit(ValueOf{key, target}, key.slot); }

bool IsDefault(const Key& key, const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return !key.fallback.empty() && text == key.fallback;
}

// The cloud's name stands for these.
bool IsDerived(const Table& table, const Key& key) {
  const bool of_cloud =
      key.name == "authority" || key.name == "graph" || key.name == "vault_suffix";
  return table.section->name == "tenant" && of_cloud &&
         table.target.config->tenant.cloud != "custom";
}

// [client_auth] and the like belong to one kind; the parser refuses them elsewhere.
bool BelongsHere(const Table& table, const Key& key) {
  if (table.section->name == "vault" && key.name == "ttl") return table.target.vault->memory;
  return table.section->name != "credential" || TakesKey(table.target.credential->kind, key.name);
}

std::string Header(const Table& table) {
  std::string path;
  for (const std::string& part : table.path) path += (path.empty() ? "" : ".") + part;
  return table.section->repeat == Repeat::kArray ? "[[" + path + "]]" : "[" + path + "]";
}

}  // namespace

std::string ShowConfig(const Config& config) {
  Config copy = config;
  std::string text = "# sha256 " + config.sha256 + "\n";
  for (Table& table : TablesOf(copy)) {
    std::string body;
    for (const Key& key : table.section->keys) {
      const Json value = Value(key, table.target);
      if (value.is_null() || !BelongsHere(table, key)) continue;
      // A JSON string, or a list of them, is written the same in TOML.
      body += (IsDerived(table, key) ? "# " : "") + std::string(key.name) + " = " + value.dump() +
              (IsDefault(key, value) ? "  # default" : "") + "\n";
    }
    if (body.empty() && table.section->repeat == Repeat::kOnce) continue;
    text += "\n" + Header(table) + "\n" + body;
  }
  return text;
}

nlohmann::ordered_json ConfigAsJson(const Config& config) {
  Config copy = config;
  Json root = {{"sha256", config.sha256}};
  for (Table& table : TablesOf(copy)) {
    Json object = Json::object();
    for (const Key& key : table.section->keys) {
      Json value = Value(key, table.target);
      if (!value.is_null() && BelongsHere(table, key)) object[std::string(key.name)] = value;
    }
    Json* place = &root;
    for (const std::string& part : table.path) {
      if (place->is_array()) place = &place->back();  // the rule that it is about
      place = &(*place)[part];
    }
    if (table.section->repeat == Repeat::kArray) {
      place->push_back(std::move(object));
    } else {
      *place = std::move(object);
    }
  }
  return root;
}

}  // namespace broker::policy
