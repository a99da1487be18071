// broker/policy/value_reader.h: one TOML value → the member that its key fills.
#pragma once
#include <toml++/toml.h>

#include <string>
#include <vector>

#include "broker/policy/config_draft.h"
#include "broker/policy/config_keys.h"
#include "broker/policy/config_parser.h"

namespace broker::policy {

/// Faults go to the draft; a member whose value is at fault keeps what it was.
class ValueReader {
 public:
  ValueReader(const EnvLookup& env, const std::string& file, Draft* draft)
      : env_(env), file_(file), draft_(draft) {}

  /// The value of `key` as written; `path` names it in the draft's places, and among what is unread
  /// where it is at fault.
  void Read(const Key& key, const toml::node& node, const std::string& path, Target& target) const;
  /// A value that is one text: a word, a limit, a name. Also for a key's default.
  void Assign(const Key& key, const std::string& text, const Place& place, Target& target) const;

 private:
  void ReadValue(const Key& key, const toml::node& node, const std::string& path,
                 Target& target) const;
  void ReadList(const Key& key, const toml::array& array, const std::string& path,
                std::vector<std::string>* list) const;
  bool Resolve(const Key& key, const Place& place, std::string* text) const;
  [[nodiscard]] Place At(const toml::node& node) const;

  const EnvLookup& env_;
  const std::string& file_;
  Draft* draft_;
};

}  // namespace broker::policy
