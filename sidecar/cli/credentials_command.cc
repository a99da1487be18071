// `purser credentials`, and the warnings of `purser status` before one ends.
#include <ostream>

#include "sidecar/cli/credential_lines.h"
#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/rotate_command.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/utc_time.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

std::string Day(const json& unix_seconds) { return UtcDay(unix_seconds.get<int64_t>()); }
std::string Moment(const json& unix_seconds) { return UtcTime(unix_seconds.get<int64_t>()); }

// "9 days left", "1 day left", "ended 3 days ago".
std::string DaysLeft(int64_t days) {
  const auto count = [](int64_t n) { return std::to_string(n) + (n == 1 ? " day" : " days"); };
  if (days >= 0) return count(days) + " left";
  return days == -1 ? "ended within the last day" : "ended " + count(-days - 1) + " ago";
}

std::string LivesIn(const json& lives) {
  const std::string in = Field(lives, "in");
  if (in == "vault") {
    const std::string pinned =
        lives.contains("pinned") ? ", pinned to version " + Field(lives, "pinned") : "";
    return "in vault " + Field(lives, "vault") + " as " + Field(lives, "name") + pinned;
  }
  if (in == "credential")
    return "none of its own: proved by credential " + Field(lives, "credential");
  if (in == "file") return "the platform's file " + Field(lives, "path");
  if (in == "metadata-service") return "none: the metadata service, " + Field(lives, "source");
  return "in purser's store";
}

void PrintSecrets(std::ostream& out, const json& credential) {
  if (credential.contains("revoked")) {
    const std::string revoked = Field(credential, "revoked");
    const bool itself = revoked == Field(credential, "name");
    out << "  " << Red("revoked") << "   not used"
        << (itself ? "" : ", because " + revoked + " was revoked, which proves it") << '\n';
  }
  const json& lives = credential["lives"];
  if (Field(lives, "in") != "store") {
    const std::string used =
        credential.contains("version_used") ? ", version " + Field(credential, "version_used") : "";
    out << "  secret    " << LivesIn(lives) << used << '\n';
    return;
  }
  for (const json& secret : credential["secrets"]) {
    const bool enrolled = secret.value("enrolled", false);
    out << "  secret    "
        << (enrolled ? LivesIn(lives) + ", version " + Field(secret, "version")
                     : Red("missing") + ": " + Field(secret, "enrol_by"))
        << '\n';
  }
}

void PrintEnd(std::ostream& out, const json& end) {
  if (!end.contains("on")) {
    const bool secret = Field(end, "what") == "client-secret";
    out << "  ends      unknown (" << Field(end, "what") << ")"
        << (secret ? ": Entra does not say; purser secret set NAME --expires DATE" : "") << '\n';
    return;
  }
  const int64_t days = end.value("days_left", int64_t{0});
  const std::string text = Day(end["on"]) + ", " + DaysLeft(days);
  const auto colour = days < kUrgentDays ? Red : Yellow;
  out << "  ends      " << (days < kSoonDays ? colour(text) : text) << " (" << Field(end, "what");
  const std::string by = Field(end, "by");
  out << (by == "inactivity" ? ", unless it is used before)"
          : by == "operator" ? ", as it was said)"
          : by == "rotation" ? ", as purser had it made)"
          : by == "vault"    ? ", as the vault says)"
                             : ")")
      << '\n';
}

void PrintUsers(std::ostream& out, const json& users) {
  if (users.empty()) out << "  used by   nobody\n";
  for (const json& user : users) {
    out << "  used by   ";
    if (user.contains("agent")) {
      out << Field(user, "agent") << ", rule " << Field(user, "rule") << ": "
          << JoinTexts(user["scopes"]) << '\n';
    } else if (user.contains("notifier")) {
      out << "notifier " << Field(user, "notifier") << ", which posts to it\n";
    } else if (user.contains("rotates")) {
      out << "credential " << Field(user, "rotates") << ", which is rotated with it\n";
    } else if (user.contains("admin")) {
      out << "[admin] " << Field(user, "admin") << ", to end at Entra what is stopped here\n";
    } else if (user.contains("vault")) {
      out << "vault " << Field(user, "vault") << ", to sign in there\n";
    } else {
      out << "credential " << Field(user, "credential") << ", as its proof\n";
    }
  }
}

void PrintUse(std::ostream& out, const json& credential, const std::string& since) {
  const json& use = credential["last_use"];
  if (use.is_null()) {
    out << "  last use  none since " << since;
    if (credential.contains("last_token")) {
      out << "; the last token before that on " << Day(credential["last_token"]);
    }
    out << '\n';
  } else {
    const std::string result = Field(use, "result");
    out << "  last use  " << Moment(use["at"]) << ", "
        << (result == "token" ? "a token" : Red(result)) << '\n';
  }
  const json& tokens = credential["outstanding"];
  const auto count = tokens.value("tokens", uint64_t{0});
  if (count == 0) return;
  out << "  tokens    " << count << " alive in agents' hands, the last until "
      << Moment(tokens["until"]) << '\n';
}

}  // namespace

void PrintEnding(const Console& console, const json& ending) {
  for (const json& end : ending) {
    const bool soon = Field(end, "level") == "soon";
    console.out << (soon ? Yellow("ends      ") : Red("ends      ")) << Field(end, "credential")
                << ": " << Field(end, "what") << " on " << Day(end["on"]) << ", "
                << DaysLeft(end.value("days_left", int64_t{0}))
                << ". To do: " << Field(end, "remedy") << '\n';
  }
}

bool AnyUrgent(const json& ending) {
  for (const json& end : ending) {
    if (Field(end, "level") != "soon") return true;
  }
  return false;
}

int RunCredentials(const Console& console) {
  const auto answer = console.client.Call("GET", "/v1/credentials");
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  const std::string since = Moment(answer->body["since"]);
  for (const json& credential : answer->body["credentials"]) {
    console.out << Bold(Field(credential, "name")) << "  " << Field(credential, "kind");
    if (!Field(credential, "client_id").empty()) {
      console.out << ", application " << Field(credential, "client_id");
    }
    console.out << ", consented to " << JoinTexts(credential["scopes"]) << '\n';
    PrintSecrets(console.out, credential);
    if (credential.contains("rotation")) {
      console.out << "  rotation  " << RotationText(credential["rotation"]) << '\n';
    }
    for (const json& end : credential["ends"]) PrintEnd(console.out, end);
    PrintUsers(console.out, credential["used_by"]);
    PrintUse(console.out, credential, since);
  }
  if (answer->body["credentials"].empty()) console.out << "none: the configuration names none\n";
  if (answer->body.contains("outstanding_unknown")) {
    console.out << Yellow("not all") << " tokens from before purser-broker's start may be counted ("
                << Field(answer->body, "outstanding_unknown") << ")\n";
  }
  return kExitDone;
}

}  // namespace sidecar::cli
