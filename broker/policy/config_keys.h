// broker/policy/config_keys.h: every section and key of the configuration, in one table. The
// parser, `config show` and the JSON Schema all read it.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// What a section's keys are written into. Only the members that the section is about are set.
struct Target {
  Config* config = nullptr;
  Vault* vault = nullptr;
  Credential* credential = nullptr;
  Agent* agent = nullptr;
  Rule* rule = nullptr;  // also its approval
  Notifier* notifier = nullptr;
};

/// The member that a key fills; its type is the type of the value.
using TextSlot = std::string& (*)(Target&);
using ListSlot = std::vector<std::string>& (*)(Target&);
using SwitchSlot = bool& (*)(Target&);  // a boolean, or words[0] for true and words[1] for false
using LimitSlot = Limit& (*)(Target&);
using DurationSlot = std::chrono::seconds& (*)(Target&);
using CountSlot = uint32_t& (*)(Target&);
using OptionalLimitSlot = std::optional<Limit>& (*)(Target&);
using Slot = std::variant<TextSlot, ListSlot, SwitchSlot, LimitSlot, OptionalLimitSlot,
                          DurationSlot, CountSlot>;
using Words = std::span<const std::string_view>;

struct Key {
  std::string_view name;
  Slot slot;
  std::string_view wants;  // completes "KEY must be …"; for a list, one element of it
  std::string_view doc;    // one sentence
  bool required = false;
  std::string_view fallback = {};  // the default, as it would be written without quotes
  Words words = {};                // the only values allowed
  Words later = {};                // values to come: refused with a sentence that says so
  Words likely = {};               // values of which a wrong one may be a slip, where others count
  bool (*check)(std::string_view) = nullptr;
  bool number = false;    // may also be an integer
  bool from_env = false;  // may be "env:NAME"
  uint32_t most = 0;      // of a count, which is 1 at least
};

enum class Repeat : uint8_t {
  kOnce,   // [tenant]
  kNamed,  // [agent.NAME]
  kArray,  // [[agent.NAME.allow]]
};

struct Section {
  std::string_view name;  // "tenant", "agent", "allow"
  Repeat repeat = Repeat::kOnce;
  bool required = false;
  std::string_view doc;
  std::span<const Key> keys;
};

/// Top-level sections, in the order in which people read them. `allow` stands inside `agent`.
std::span<const Section> Sections();
const Section& FindSection(std::string_view name);  // REQUIRES: it exists
const Section& RuleSection();
const Section& ApprovalSection();  // inside a rule

/// Keys and sections to come, refused with a sentence that says so: section ("" for the top
/// level), key, and what to write instead.
struct Unserved {
  std::string_view section, key, instead;
};
std::span<const Unserved> UnservedKeys();

/// Words that name secrets ("client_secret", "private_key"): as keys they are refused everywhere.
bool IsSecretWord(std::string_view key);

}  // namespace broker::policy
