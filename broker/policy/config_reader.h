// broker/policy/config_reader.h: TOML text → values in their places, by the table of config_keys.h.
// What values mean together is judged afterwards (config_checks.h).
#pragma once
#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "broker/policy/config_draft.h"
#include "broker/policy/config_keys.h"
#include "broker/policy/config_parser.h"

namespace broker::policy {

/// Reads the files of one set into one Draft.
class ConfigReader {
 public:
  ConfigReader(const EnvLookup& env, Draft* draft) : env_(env), draft_(draft) {}

  /// `main`: purser.toml, which may hold every section; others hold agents only. False when the
  /// text is not TOML, so that much of it may not have been read.
  bool ReadFile(const SourceFile& file, bool main);

 private:
  void ReadRoot(const toml::table& root, bool main);
  void FillDefaults(const toml::table& root);
  bool IsDefinable(const std::string& kind, const toml::key& key, const toml::node& entry);
  void ReadNamed(const Section& section, const toml::node& node);
  void ReadAgent(const toml::table& table, const std::string& path, Agent* agent);
  void ReadApproval(const toml::node& node, const std::string& path, Target target);
  void ReadKeys(const Section& section, const toml::table& table, const std::string& path,
                Target target);
  [[nodiscard]] Place At(const toml::source_region& region) const;

  const EnvLookup& env_;
  Draft* draft_;
  std::string file_;
};

}  // namespace broker::policy
