// What a person reads of an approval. Names and numbers of ours stand as they are; what an agent or
// its process chose is quoted and inert.
#include <pwd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "broker/policy/config_values.h"
#include "broker/policy/inert.h"
#include "sidecar/cli/approval_commands.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using broker::policy::Inert;
using nlohmann::json;

// Of a terminal of the usual width: what it would cut off is not read, and a line that it breaks
// itself could begin with what looks like a fact.
constexpr size_t kWidth = 64;

std::string Line(const char* name, std::string_view text) {
  constexpr size_t kColumn = 15;
  std::string lines;
  for (std::string head = "  " + std::string(name); lines.empty() || !text.empty(); head.clear()) {
    const std::string mark = lines.empty() ? "" : "| ";
    size_t end = std::min(text.size(), kWidth - mark.size());
    if (end < text.size()) {
      if (const size_t space = text.rfind(' ', end); space != text.npos && space > 0) end = space;
    }
    head.resize(kColumn, ' ');
    lines += head + mark + std::string(text.substr(0, end)) + "\n";
    text.remove_prefix(end);
  }
  return lines;
}

std::string UserName(uint32_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return std::to_string(uid) + (found == nullptr ? "" : " (" + std::string(entry.pw_name) + ")");
}

std::string Seconds(const json& object, const char* name) {
  return broker::policy::Format(std::chrono::seconds(object.value(name, int64_t{0})));
}

std::string Process(const json& process) {
  std::string text = "user " + UserName(process.value("uid", 65534U));
  if (process.contains("loginuid")) {
    text += ", logged in as " + UserName(process.value("loginuid", 65534U));
  }
  text += ", first asked by process " + Field(process, "pid");
  if (process.contains("unit")) text += ", unit " + Inert(Field(process, "unit"));
  if (process.contains("exe")) text += ", program " + Inert(Field(process, "exe"));
  if (process.contains("exe_sha256")) text += ", sha256 " + Inert(Field(process, "exe_sha256"));
  return text;
}

std::string Credential(const json& credential) {
  std::string text = Field(credential, "name") + ", " + Field(credential, "kind");
  if (credential.contains("client_id")) text += ", client " + Field(credential, "client_id");
  return text + (credential.contains("user") ? ", user " + Field(credential, "user")
                                             : ", as an application or for the proven user");
}

std::string Gives(const json& shown) {
  const json terms = shown.value("terms", json::object());
  const auto uses = terms.value("uses", 1U);
  std::string text = uses == 1 ? "one token" : std::to_string(uses) + " tokens";
  text += " within " + Seconds(terms, "within_s") + " of the last yes, good for ";
  return text + (shown.contains("lifetime_s") ? "at most " + Seconds(shown, "lifetime_s")
                                              : "as long as the tenant lets it live");
}

std::string CanAlso(const json& shown) {
  if (!shown.contains("can_also")) return {};
  return Line("can also", JoinTexts(shown["can_also"]) + ", with the same token");
}

std::string Claimed(const json& shown) {
  if (!shown.contains("claimed")) return {};
  std::string text = "  the agent says of itself, and nobody has proven:\n";
  for (const char* name : {"purpose", "task", "requested_by"}) {
    if (shown["claimed"].contains(name)) {
      text += Line(name, Inert(Field(shown["claimed"], name)));
    }
  }
  return text;
}

}  // namespace

std::string CardText(const json& approval) {
  const json shown = approval.value("shown", json::object());
  const size_t votes = approval.value("votes", json::array()).size();
  std::string head = Bold("approval " + Field(approval, "id")) + "  " + Field(approval, "state");
  if (approval.value("expires_in", 0) > 0) head += ", " + Seconds(approval, "expires_in") + " left";
  if (approval.value("quorum", 1) > 1) {
    head += ", " + std::to_string(votes) + " of " + Field(approval, "quorum") + " have said yes";
  }
  std::string text =
      head + "\n" + Line("agent", Field(approval, "agent")) +
      Line("process", Process(shown.value("process", json::object()))) +
      Line("for user",
           shown.contains("user") ? Field(shown, "user") + ", proven" : "none was proven") +
      Line("wants",
           JoinTexts(shown.value("scopes", json::array())) + " at " + Field(shown, "resource")) +
      CanAlso(shown) + Line("credential", Credential(shown.value("credential", json::object()))) +
      Line("by rule", Field(shown, "rule")) + Line("gets", Gives(shown));
  const json lately = shown.value("lately", json::array());
  text += Line("lately", lately.empty() ? "nothing else" : Text(lately.front()));
  for (size_t i = 1; i < lately.size(); ++i) text += Line("", Text(lately[i]));
  text += Line("digest", Field(approval, "digest"));
  if (shown.contains("claims")) text += Line("challenge", Inert(Field(shown, "claims")));
  return text + Claimed(shown);
}

}  // namespace sidecar::cli
