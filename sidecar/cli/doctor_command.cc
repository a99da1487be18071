#include "sidecar/cli/doctor_command.h"

#include <algorithm>
#include <ostream>

#include "broker/policy/kinds.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using Level = DoctorFinding::Level;
using Findings = std::vector<DoctorFinding>;
using nlohmann::json;

std::string Text(const json& object, const char* name) {
  const json value = object.value(name, json(""));
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// How its secret gets here; of what lives by another's, the credentials say which.
std::string EnrolmentOf(const broker::policy::Credential& credential) {
  if (credential.kind == "refresh-token" && !credential.confidential) {
    return "purser login " + credential.name;
  }
  if (credential.kind == "client-secret" || credential.kind == "certificate") {
    return "purser secret set " + credential.name;
  }
  return "purser credentials says what is missing, and how it is enrolled";
}

// For who runs purser: the description that comes with a reason is for the agent.
std::string RemedyOf(const json& refusal, const broker::policy::Credential& credential) {
  const std::string reason = Text(refusal, "reason");
  if (reason == "credential_not_enrolled") return EnrolmentOf(credential);
  if (reason == "credential_revoked") {
    return "to use it again: " + EnrolmentOf(credential) +
           "; where no secret of it was destroyed: purser release --credential " + credential.name +
           " --why TEXT";
  }
  return Text(refusal, "error_description");
}

// A credential's real token, compared with what the configuration says of the registration.
void ExamineCredential(const Console& console, const broker::policy::Credential& credential,
                       Findings* found) {
  const std::string& name = credential.name;
  const auto answer = console.client.Call("POST", "/v1/doctor/credentials/" + name, json::object());
  if (!answer) {
    found->push_back(
        {Level::kBad, "credential " + name + ": " + answer.error().detail, "purser status"});
    return;
  }
  if (answer->status != 200 && Text(answer->body, "reason") == "role_missing") {
    found->push_back({Level::kWarning, "credential " + name + " could not be tried",
                      "run doctor as an operator"});
    return;
  }
  if (answer->status != 200) {
    found->push_back(
        {Level::kBad,
         "credential " + name + " yields no token (" + Text(answer->body, "reason") + ")",
         RemedyOf(answer->body, credential)});
    return;
  }
  found->push_back({Level::kGood, "credential " + name + " yields a token", {}});
  if (const std::string unused = Text(answer->body, "unused_version"); !unused.empty()) {
    found->push_back({Level::kWarning,
                      "credential " + name + ": its vault has a newer version, " + unused +
                          ", which purser did not make and does not use",
                      "disable it there; or, once Entra has its certificate, pin it with version"});
  }
  std::string excess;
  for (const json& scope : answer->body.value("over_consented", json::array())) {
    excess += " " + scope.get<std::string>();
  }
  if (excess.empty()) return;
  found->push_back({Level::kBad,
                    "credential " + name + " is over-consented: its token also holds" + excess +
                        ", so its rules are refused as over_scoped",
                    "withdraw that consent in Entra, or use a registration consented to less"});
}

void ExamineClock(const json& authority, Findings* found) {
  if (!authority.contains("clock_skew_s")) return;
  const int64_t skew = authority["clock_skew_s"].get<int64_t>();
  constexpr int64_t kTolerated = 60;  // Entra itself tolerates five minutes
  if (std::abs(skew) <= kTolerated) {
    found->push_back({Level::kGood, "the clock agrees with the authority's", {}});
  } else {
    found->push_back({Level::kBad, "the clock is off by " + std::to_string(skew) + " s",
                      "set it (chrony, systemd-timesyncd)"});
  }
}

void ExamineHosts(const Console& console, Findings* found) {
  const auto answer = console.client.Call("POST", "/v1/doctor/hosts", json::object());
  if (!answer || answer->status != 200) {
    found->push_back({Level::kBad, "hosts could not be examined", "run doctor as an operator"});
    return;
  }
  const json hosts = answer->body.value("hosts", json::array());
  for (const json& host : hosts) {
    const std::string url = Text(host, "url");
    if (host.value("reached", false)) {
      found->push_back(
          {Level::kGood, url + " answers (" + Text(host, "status") + ") through the dialer", {}});
    } else {
      found->push_back({Level::kBad, url + ": " + Text(host, "error"),
                        "check name resolution, [network] proxy and ca_file, and the firewall"});
    }
  }
  if (!hosts.empty()) ExamineClock(hosts.front(), found);
}

void ExamineStatus(const json& status, Findings* found) {
  for (const char* list : {"missing", "degraded"}) {
    for (const json& line : status.value(list, json::array())) {
      const bool bad = std::string_view(list) == "missing";
      found->push_back(
          {bad ? Level::kBad : Level::kWarning, line.get<std::string>(), "purser status"});
    }
  }
  const json processes = status.value("processes", json::object());
  const json hardening = processes.value("hardening", json::object());
  const json findings = hardening.value("findings", json::array());
  for (const json& finding : findings) {
    found->push_back({Level::kWarning, Text(finding, "role") + ": " + Text(finding, "what"),
                      Text(finding, "remedy")});
  }
  if (hardening.contains("findings") && findings.empty()) {
    found->push_back({Level::kGood, "every role tried to break out of its part and could not", {}});
  }
}

// What is still at Entra although nobody uses it, and what waits for somebody to look.
void ExamineRotations(const json& status, Findings* found) {
  for (const json& view : status.value("rotations", json::array())) {
    const std::string name = Text(view, "credential");
    if (Text(view, "step") == "idle") {
      found->push_back({Level::kWarning,
                        "the last rotation of " + name + ": " + Text(view, "failure"),
                        "mend the cause, then purser rotate " + name});
    } else if (view.value("stuck", false)) {
      found->push_back({Level::kBad,
                        "the rotation of " + name + " is stuck while " + Text(view, "step") + ": " +
                            Text(view, "trouble"),
                        "mend the cause: purser tries again by itself"});
    }
  }
}

// Whether the key-encryption key is there is what the store shows, whatever kind it is of.
void ExamineSeal(const json& status, const broker::policy::Seal& seal, Findings* found) {
  const json store = status.value("store", json::object());
  const std::string key = "the key-encryption key ([seal] kind " + seal.kind + ")";
  if (store.value("usable", false)) {
    found->push_back({Level::kGood, key + " opened the store", {}});
    return;
  }
  std::string remedy = "purser unseal";
  if (seal.kind == "file") remedy = "put the key file back at " + seal.path;
  if (seal.kind == "systemd-credential") {
    remedy = "LoadCredentialEncrypted=" + seal.path + ":FILE in purser.service, and restart it";
  }
  if (seal.kind == "azure-key-vault") {
    remedy = "mend what it says; purser asks [vault." + seal.vault +
             "] again within a minute, and at once after: purser reload";
  }
  found->push_back({Level::kBad, key + " has not opened the store: " + Text(store, "reason"),
                    std::move(remedy)});
}

void Print(const Console& console, const Findings& found) {
  if (console.json) {
    json rows = json::array();
    for (const auto& finding : found) {
      const char* level = finding.level == Level::kGood      ? "good"
                          : finding.level == Level::kWarning ? "warning"
                                                             : "bad";
      rows.push_back({{"level", level}, {"what", finding.what}, {"remedy", finding.remedy}});
    }
    console.out << json{{"findings", rows}}.dump(2) << '\n';
    return;
  }
  for (const auto& finding : found) {
    const std::string mark = finding.level == Level::kGood      ? Green("good    ")
                             : finding.level == Level::kWarning ? Yellow("warning ")
                                                                : Red("bad     ");
    console.out << mark << finding.what << '\n';
    if (!finding.remedy.empty()) console.out << "        → " << finding.remedy << '\n';
  }
}

}  // namespace

int RunDoctor(const Console& console, const std::string& config_path,
              const broker::policy::Config& config) {
  Findings found = ExamineMachine(config_path, config);
  const auto status = console.client.Call("GET", "/v1/status");
  if (!status) {
    found.push_back(
        {Level::kBad, status.error().detail, "systemctl start purser, or purserd --foreground"});
  } else if (status->status != 200) {
    found.push_back({Level::kBad, "the daemon refuses: " + Text(status->body, "error_description"),
                     "run doctor as an operator"});
  } else {
    ExamineStatus(status->body, &found);
    ExamineRotations(status->body, &found);
    ExamineSeal(status->body, config.seal, &found);
    ExamineHosts(console, &found);
    for (const auto& [name, credential] : config.credentials) {
      // One without scopes only proves another credential or shows a vault who asks: it is tried
      // with those.
      if (credential.scopes.empty()) continue;
      if (broker::policy::SubjectOf(credential) == broker::policy::Subject::kAssertedUser) {
        found.push_back({Level::kGood,
                         "credential " + name +
                             " is not tried: it acts for users, whose tokens only requests bring",
                         {}});
        continue;
      }
      ExamineCredential(console, credential, &found);
    }
  }
  Print(console, found);
  if (!status) return kExitUnreachable;
  const bool bad = std::ranges::any_of(found, [](const auto& f) { return f.level == Level::kBad; });
  return bad ? kExitRefused : kExitDone;
}

}  // namespace sidecar::cli
