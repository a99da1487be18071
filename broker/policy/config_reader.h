// broker/policy/config_reader.h: TOML text → values in their places, by the table of config_keys.h.
// What values mean together is judged afterwards (config_checks.h).
#pragma once
#include <toml++/toml.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config_keys.h"
#include "broker/policy/config_parser.h"

namespace broker::policy {

/// A configuration as written, with defaults filled in, and where each value stands.
struct Draft {
  Config config;
  /// "tenant.id", "agent.helpdesk", "agent.helpdesk.allow.0.scopes.1": only what was written.
  std::map<std::string, Place> places;
  std::map<std::string, std::string> env_used;
  std::vector<Diagnostic> faults;

  void Fault(Place place, std::string message);
  /// Where `path` is written, else where the table around it is.
  [[nodiscard]] Place PlaceOf(std::string path) const;
  [[nodiscard]] bool IsWritten(const std::string& path) const { return places.contains(path); }
};

/// Reads the files of one set into one Draft.
class ConfigReader {
 public:
  ConfigReader(const EnvLookup& env, Draft* draft) : env_(env), draft_(draft) {}

  /// `main`: purser.toml, which may hold every section; others hold agents only.
  void ReadFile(const SourceFile& file, bool main);

 private:
  void ReadRoot(const toml::table& root, bool main);
  void FillDefaults(const toml::table& root);
  void ReadNamed(const Section& section, const toml::node& node);
  void ReadAgent(const toml::table& table, const std::string& path, Agent* agent);
  void ReadKeys(const Section& section, const toml::table& table, const std::string& path,
                Target target);
  void ReadKey(const Key& key, const toml::node& node, const std::string& path, Target& target);
  void ReadList(const Key& key, const toml::array& array, const std::string& path,
                std::vector<std::string>* list);
  void Assign(const Key& key, const std::string& text, const Place& place, Target& target);
  bool Resolve(const Key& key, const Place& place, std::string* text);
  void FaultUnknownKey(const Section& section, const toml::key& key, const std::string& path);
  void FaultUnknownSection(const toml::key& key);
  void FaultMissing(const Section& section, const Key& key, const std::string& path);
  [[nodiscard]] Place At(const toml::source_region& region) const;

  const EnvLookup& env_;
  Draft* draft_;
  std::string file_;
};

}  // namespace broker::policy
