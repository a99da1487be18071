#include "sidecar/cli/refusal_search.h"

#include <algorithm>
#include <filesystem>
#include <ranges>
#include <string_view>

#include "broker/base/strict_json.h"
#include "sidecar/cli/ledger_files.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// An entry under suspicion may have any shape.
bool HasText(const json& entry, const json::json_pointer& place, std::string_view text) {
  return entry.contains(place) && entry[place] == text;
}

bool IsRefusalOf(const json& entry, const std::string& agent) {
  const json::json_pointer name("/agent/name");
  return HasText(entry, json::json_pointer("/type"), "connection.refused") &&
         (agent.empty() ? !entry.contains(name) : HasText(entry, name, agent));
}

}  // namespace

broker::Result<std::vector<json>> RecentRefusals(const std::string& folder,
                                                 const std::string& agent) {
  const auto segments = ListSegments(folder);
  if (!segments) return std::unexpected(segments.error());
  std::vector<json> found;
  const auto look = [&](std::string_view line) {
    // Few lines are refused connections: most are passed over without being parsed.
    if (line.find("\"connection.refused\"") == std::string_view::npos) return true;
    auto entry = broker::ParseStrictJson(line);
    if (entry && IsRefusalOf(*entry, agent)) found.push_back(std::move(*entry));
    return found.size() < kRecentRefusals;
  };
  for (const std::string& segment : std::views::reverse(*segments)) {
    const auto read = ReadLinesBackwards(std::filesystem::path(folder) / segment, look);
    if (!read) return std::unexpected(read.error());
    if (found.size() >= kRecentRefusals) break;
  }
  std::ranges::reverse(found);
  return found;
}

}  // namespace sidecar::cli
