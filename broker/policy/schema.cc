#include "broker/policy/schema.h"

#include "broker/policy/config_keys.h"

namespace broker::policy {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNamePattern = "^[a-z0-9][a-z0-9-]{0,63}$";
constexpr const char* kDurationPattern = "^[0-9]+[smhd]$";
constexpr const char* kLimitPattern = "^([1-9][0-9]{0,6}/(second|minute|hour|day)|none)$";

Json Enum(Words words) {
  Json list = Json::array();
  for (const std::string_view word : words) list.push_back(std::string(word));
  return {{"enum", std::move(list)}};
}

struct TypeOf {
  const Key& key;

  Json operator()(TextSlot) const {
    if (!key.words.empty()) return Enum(key.words);
    if (key.number) return {{"type", {"string", "integer"}}};
    return {{"type", "string"}};
  }
  Json operator()(ListSlot) const {
    Json type = {{"type", "array"}, {"items", {{"type", "string"}}}, {"uniqueItems", true}};
    if (key.required) type["minItems"] = 1;
    return type;
  }
  Json operator()(SwitchSlot) const {
    return key.words.empty() ? Json{{"type", "boolean"}} : Enum(key.words);
  }
  Json operator()(LimitSlot) const { return {{"type", "string"}, {"pattern", kLimitPattern}}; }
  Json operator()(DurationSlot) const {
    return {{"type", "string"}, {"pattern", kDurationPattern}};
  }
  Json operator()(OptionalLimitSlot) const { return (*this)(LimitSlot{}); }
  Json operator()(CountSlot) const {
    return {{"type", "integer"}, {"minimum", 1}, {"maximum", key.most}};
  }
};

Json KeySchema(const Key& key) {
  Json schema = std::visit(TypeOf{key}, key.slot);
  std::string description(key.doc);
  if (key.words.empty()) description += " Written as " + std::string(key.wants) + ".";
  if (key.from_env) description += " May be \"env:NAME\".";
  schema["description"] = description;
  if (key.fallback.empty()) return schema;
  if (std::holds_alternative<SwitchSlot>(key.slot) && key.words.empty()) {
    schema["default"] = key.fallback == "true";
  } else if (std::holds_alternative<CountSlot>(key.slot)) {
    schema["default"] = std::stoi(std::string(key.fallback));
  } else {
    schema["default"] = std::string(key.fallback);
  }
  return schema;
}

Json TableSchema(const Section& section) {
  Json schema = {{"type", "object"},
                 {"description", std::string(section.doc)},
                 {"additionalProperties", false},
                 {"properties", Json::object()}};
  Json required = Json::array();
  for (const Key& key : section.keys) {
    schema["properties"][std::string(key.name)] = KeySchema(key);
    if (key.required) required.push_back(std::string(key.name));
  }
  if (!required.empty()) schema["required"] = std::move(required);
  if (section.name == "credential") {
    schema["if"] = {{"properties", {{"kind", {{"const", "webhook-url"}}}}}};
    schema["else"] = {{"required", {"client_id"}}};
  }
  if (section.name == RuleSection().name) {
    schema["properties"][std::string(ApprovalSection().name)] = TableSchema(ApprovalSection());
  }
  if (section.name != "agent") return schema;
  schema["properties"][std::string(RuleSection().name)] = {{"type", "array"},
                                                           {"items", TableSchema(RuleSection())}};
  schema["anyOf"] = {{{"required", {"user"}}}, {{"required", {"group"}}}};
  return schema;
}

}  // namespace

nlohmann::ordered_json ConfigSchema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                 {"title", "purser.toml"},
                 {"type", "object"},
                 {"additionalProperties", false},
                 {"properties", Json::object()}};
  Json required = Json::array();
  for (const Section& section : Sections()) {
    const std::string name(section.name);
    if (section.required) required.push_back(name);
    if (section.repeat == Repeat::kOnce) {
      schema["properties"][name] = TableSchema(section);
      continue;
    }
    schema["properties"][name] = {{"type", "object"},
                                  {"propertyNames", {{"pattern", kNamePattern}}},
                                  {"additionalProperties", TableSchema(section)}};
  }
  schema["required"] = std::move(required);
  return schema;
}

}  // namespace broker::policy
