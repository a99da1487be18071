#include "broker/policy/value_reader.h"

#include <algorithm>

#include "broker/policy/config_messages.h"
#include "broker/policy/config_values.h"
#include "broker/policy/inert.h"
#include "broker/policy/nearest.h"

namespace broker::policy {
namespace {

bool Contains(Words words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string Guess(std::string_view text, Words words) {
  const std::string guess = DidYouMean(text, words);
  return guess.empty() ? "" : "; " + guess;
}

bool IsVariableName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Place ValueReader::At(const toml::node& node) const {
  return {file_, node.source().begin.line, node.source().begin.column};
}

void ValueReader::Read(const Key& key, const toml::node& node, const std::string& path,
                       Target& target) const {
  const size_t faults = draft_->faults.size();
  ReadValue(key, node, path, target);
  if (draft_->faults.size() > faults) draft_->unread.insert(path);
}

void ValueReader::ReadValue(const Key& key, const toml::node& node, const std::string& path,
                            Target& target) const {
  const Place place = At(node);
  const std::string must = Inert(key.name) + " must be ";
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
  if (const CountSlot* count = std::get_if<CountSlot>(&key.slot)) {
    const auto number = node.value_exact<int64_t>();
    if (!number || *number < 1 || *number > key.most) {
      return draft_->Fault(place, must + std::string(key.wants));
    }
    (*count)(target) = static_cast<uint32_t>(*number);
    return;
  }
  if (const auto number = node.value_exact<int64_t>(); number && key.number) {
    return Assign(key, std::to_string(*number), place, target);
  }
  std::optional<std::string> text = node.value_exact<std::string>();
  if (!text) {
    return draft_->Fault(
        place, must + (key.number ? "a string or a number: " : "a string: ") + Wanted(key));
  }
  if (Resolve(key, place, &*text)) Assign(key, *text, place, target);
}

void ValueReader::ReadList(const Key& key, const toml::array& array, const std::string& path,
                           std::vector<std::string>* list) const {
  for (const toml::node& node : array) {
    const Place place = At(node);
    const std::optional<std::string> text = node.value_exact<std::string>();
    const std::string must = "each of " + Inert(key.name) + " must be ";
    if (!text) {
      draft_->Fault(place, must + "a string: " + std::string(key.wants));
    } else if (LooksSecret(*text)) {
      draft_->Fault(place, kLooksSecretMessage);
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
bool ValueReader::Resolve(const Key& key, const Place& place, std::string* text) const {
  if (text->starts_with("env:")) {
    const std::string name = text->substr(4);
    if (!key.from_env) {
      draft_->Fault(place,
                    Inert(key.name) + " never comes from the environment: write the value itself");
      return false;
    }
    const auto value = IsVariableName(name) && env_ ? env_(name) : std::nullopt;
    if (!value) {
      const bool quotable = IsVariableName(name) && !LooksSecret(name);
      draft_->Fault(place, "the environment has no such variable: set " + (quotable ? name : "it") +
                               " for purserd, or write the value itself");
      return false;
    }
    if (!std::ranges::all_of(*value, [](char c) { return c >= ' ' && c <= '~'; })) {
      draft_->Fault(place, "the environment's value has bytes that are not printable ASCII");
      return false;
    }
    draft_->env_used[name] = *value;
    *text = *value;
  }
  if (!LooksSecret(*text)) return true;
  draft_->Fault(place, kLooksSecretMessage);
  return false;
}

void ValueReader::Assign(const Key& key, const std::string& text, const Place& place,
                         Target& target) const {
  const std::string must = Inert(key.name) + " must be ";
  if (Contains(key.later, text)) {
    return draft_->Fault(
        place, Inert(text) + " is not served: this version serves only " + OneOf(key.words));
  }
  if (const SwitchSlot* flag = std::get_if<SwitchSlot>(&key.slot)) {
    const bool plain = key.words.empty();
    const std::string_view yes = plain ? "true" : key.words[0];
    if (!plain && !Contains(key.words, text)) {
      return draft_->Fault(place, must + OneOf(key.words) + Guess(text, key.words));
    }
    (*flag)(target) = text == yes;
    return;
  }
  if (!key.words.empty() && !Contains(key.words, text)) {
    return draft_->Fault(place, must + OneOf(key.words) + Guess(text, key.words));
  }
  if (key.check != nullptr && !key.check(text)) {
    return draft_->Fault(place, must + std::string(key.wants) + Guess(text, key.likely));
  }
  if (const TextSlot* slot = std::get_if<TextSlot>(&key.slot)) {
    (*slot)(target) = text;
    return;
  }
  if (const CountSlot* slot = std::get_if<CountSlot>(&key.slot)) {  // a default
    (*slot)(target) = static_cast<uint32_t>(std::stoul(text));
    return;
  }
  if (const DurationSlot* slot = std::get_if<DurationSlot>(&key.slot)) {
    const auto duration = ParseDuration(text);
    if (!duration) return draft_->Fault(place, must + std::string(key.wants));
    (*slot)(target) = *duration;
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

}  // namespace broker::policy
