#include "sidecar/cli/audit_view.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sidecar::cli {
namespace {

using nlohmann::json;

constexpr size_t kSeqWidth = 8;
constexpr size_t kTimeWidth = 20;  // "2026-11-20 08:15:30Z"
constexpr size_t kTypeWidth = 19;
constexpr size_t kAgentWidth = 16;
constexpr size_t kOutcomeWidth = 8;

// Text of the configuration and of the kernel: nothing to quote unless somebody made it odd.
std::string PlainOrQuoted(std::string_view text) {
  const std::string inert = InertText(text);
  const bool odd = inert.size() != text.size() + 2 || text.find(' ') != std::string_view::npos;
  return odd ? inert : std::string(text);
}

std::string ValueText(const json& value) {
  if (value.is_string()) return PlainOrQuoted(value.get_ref<const std::string&>());
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const json& item : value) list += (list.empty() ? "" : ",") + ValueText(item);
  return list;
}

// The value at "/policy/rule" and the like; empty when the entry has none.
std::string At(const json& entry, const char* pointer) {
  const json::json_pointer where(pointer);
  return entry.contains(where) ? ValueText(entry.at(where)) : std::string();
}

void Pad(std::string text, size_t width, std::string* row) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  row->append(text).append("  ");
}

struct Column {
  const char* name;
  const char* pointer;
};
constexpr std::array kFacts{
    Column{"reason", "/reason"},
    Column{"scopes", "/scopes"},
    Column{"rule", "/policy/rule"},
    Column{"credential", "/credential/name"},
    Column{"uid", "/caller/uid"},
    Column{"uti", "/token/uti"},
    Column{"host", "/upstream/host"},
    Column{"status", "/upstream/status"},
    Column{"target", "/target/id"},
    Column{"by", "/change/by"},
    Column{"why", "/change/why"},
    Column{"count", "/change/count"},
    Column{"generation", "/change/generation"},
};

std::string ClaimedText(const json& entry) {
  const auto claimed = entry.find("claimed");
  if (claimed == entry.end() || !claimed->is_object()) return {};
  std::string text;
  for (const auto& [key, value] : claimed->items()) {
    text += (text.empty() ? "" : ", ") + key + " ";
    text += value.is_string() ? InertText(value.get_ref<const std::string&>()) : value.dump();
  }
  return text;
}

void AppendDetails(const json& object, const std::string& prefix, std::string* out) {
  for (const auto& [key, value] : object.items()) {
    if (prefix.empty() && key == "claimed") continue;
    const std::string name = prefix + key;
    if (value.is_object()) {
      AppendDetails(value, name + ".", out);
    } else {
      Pad(name, 22, out);
      out->append(ValueText(value)).append("\n");
    }
  }
}

// Characters that turn or hide text: U+061C, U+200B-200F, U+2028-202E, U+2060-2069, U+FEFF.
bool TurnsText(uint32_t c) {
  return c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || (c >= 0x7f && c <= 0x9f);
}

}  // namespace

std::string InertText(std::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    const size_t length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t value = length == 1 ? first : first & (0xffU >> (length + 1));
    for (size_t k = 1; k < length && i + k < text.size(); ++k) {
      value = value << 6 | (static_cast<uint8_t>(text[i + k]) & 0x3fU);
    }
    if (first == '"' || first == '\\') {
      out.append("\\").push_back(static_cast<char>(first));
    } else if (value < 0x20 || TurnsText(value)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", value);
      out.append(escape.data());
    } else {
      out.append(text.substr(i, length));
    }
    i += length;
  }
  return out + "\"";
}

std::string AuditRowHeader() {
  std::string row;
  Pad("seq", kSeqWidth, &row);
  Pad("time (UTC)", kTimeWidth, &row);
  Pad("type", kTypeWidth, &row);
  Pad("agent", kAgentWidth, &row);
  Pad("outcome", kOutcomeWidth, &row);
  return row + "facts";
}

std::string AuditRow(const json& entry) {
  std::string time = At(entry, "/time").substr(0, 19);
  if (time.size() > 10) time[10] = ' ';
  std::string row;
  Pad(At(entry, "/seq"), kSeqWidth, &row);
  Pad(time + "Z", kTimeWidth, &row);
  Pad(At(entry, "/type"), kTypeWidth, &row);
  const std::string agent = At(entry, "/agent/name");
  Pad(agent.empty() ? "-" : agent, kAgentWidth, &row);
  Pad(At(entry, "/outcome"), kOutcomeWidth, &row);
  for (const Column& fact : kFacts) {
    const std::string value = At(entry, fact.pointer);
    if (!value.empty()) row.append(fact.name).append("=").append(value).append(" ");
  }
  const std::string claimed = ClaimedText(entry);
  if (!claimed.empty()) row += "claimed[" + claimed + "]";
  while (row.back() == ' ') row.pop_back();
  return row;
}

std::string AuditDetails(const json& entry) {
  std::string text;
  AppendDetails(entry, "", &text);
  const auto claimed = entry.find("claimed");
  if (claimed == entry.end() || !claimed->is_object()) return text;
  text += "claimed by the agent about itself, not verified:\n";
  for (const auto& [key, value] : claimed->items()) {
    Pad("  " + key, 22, &text);
    text += value.is_string() ? InertText(value.get_ref<const std::string&>()) : value.dump();
    text += "\n";
  }
  return text;
}

}  // namespace sidecar::cli
