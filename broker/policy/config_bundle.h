// broker/policy/config_bundle.h: a configuration and all that it depends on as one byte string, so
// that a role without files, accounts or environment parses exactly what the supervisor parsed.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config_parser.h"

namespace broker::policy {

/// The files, and every answer that the machine gave while they were parsed.
struct ConfigBundle {
  std::vector<SourceFile> files;
  std::map<std::string, std::string> env;
  std::map<std::string, uint32_t> users, groups;
  std::map<uint32_t, std::vector<uint32_t>> groups_of;
  std::vector<uint32_t> own_uids;  // as in ParseInput
  bool operator==(const ConfigBundle&) const = default;
};

struct PreparedConfig {
  Config config;
  ConfigBundle bundle;
};

/// ParseConfig(input), and the bundle from which ParseBundle makes the same Config anywhere.
std::expected<PreparedConfig, std::vector<Diagnostic>> PrepareConfig(const ParseInput& input);
std::expected<Config, std::vector<Diagnostic>> ParseBundle(const ConfigBundle& bundle);

/// A magic line, then in the order of the members: counts and numbers as u32 little-endian, texts
/// as a u32 length and their bytes.
std::string Encode(const ConfigBundle& bundle);
/// Errors: kCorrupt for anything but exactly one bundle.
Result<ConfigBundle> DecodeConfigBundle(std::string_view bytes);

}  // namespace broker::policy
