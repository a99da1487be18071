#include <algorithm>

#include "broker/base/ascii.h"
#include "broker/policy/chat_replies.h"
#include "broker/policy/config_checks.h"
#include "broker/policy/config_messages.h"
#include "broker/policy/kinds.h"
#include "broker/policy/nearest.h"

namespace broker::policy {
namespace {

// One [notify.NAME] against everything around it.
class NotifierCheck {
 public:
  NotifierCheck(Draft* draft, const Notifier* notifier)
      : draft_(draft), notifier_(notifier), path_("notify." + notifier->name) {}

  void Run() {
    if (notifier_->kind.empty()) return;  // faulted where it stands
    const bool chat = notifier_->kind == "teams-chat";
    const char* const other = chat ? "host" : "chat";
    if (draft_->IsWritten(path_ + "." + other)) {
      Fault(other, std::string("kind = \"") + notifier_->kind + "\" has no " + other +
                       ": remove it, or write the other kind");
    }
    if (chat && notifier_->chat.empty() && !draft_->IsUnread(path_ + ".chat")) {
      Fault("chat", "kind = \"teams-chat\" needs chat = \"19:…\", the id of the chat");
    } else if (!chat && notifier_->host.empty() && !draft_->IsUnread(path_ + ".host")) {
      Fault("host", "kind = \"webhook\" needs host = \"https://…\", the origin of its address");
    }
    CheckReplies();
    CheckCredential();
  }

 private:
  void Fault(const std::string& key, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path_ + "." + key), message);
  }

  // Whose answers count is known by object id alone, and nobody here may write in their name.
  void CheckReplies() {
    if (notifier_->kind == "webhook" && draft_->IsWritten(path_ + ".replies")) {
      return Fault("replies",
                   "kind = \"webhook\" has no replies: a workflow only takes cards; remove it");
    }
    if (!notifier_->replies) return;
    if (draft_->config.admin.approver_entra.users.empty()) {
      Fault("replies",
            "replies = true takes answers of approvers whom [admin] approvers names as "
            "\"entra-user:GUID\": name one there");
    }
    for (const auto& [name, credential] : draft_->config.credentials) {
      const std::string scope = ForgesReplies(credential);
      if (scope.empty()) continue;
      Fault("replies", "with credential " + name + " (" + scope +
                           ") an agent could answer in another person's name: take the scope "
                           "away, or set replies = false");
    }
  }

  void CheckCredential() {
    const std::string& name = notifier_->credential;
    if (name.empty()) return;  // faulted where it stands
    const auto& credentials = draft_->config.credentials;
    const auto found = credentials.find(name);
    if (found == credentials.end()) {
      return Fault("credential", NoSuchMessage("credential", name, NamesOf(credentials), "add it"));
    }
    if (found->second.kind.empty()) return;
    if (notifier_->kind == "teams-chat") return CheckWriter(found->second);
    if (found->second.kind == "webhook-url") return;
    Fault("credential",
          "kind = \"webhook\" takes a credential of kind \"webhook-url\": name one, whose address "
          "goes into the store with `purser secret set`");
  }

  // Who writes to the chat may do nothing else, and nobody else may write as it.
  void CheckWriter(const Credential& writer) {
    if (writer.kind == "webhook-url" || SubjectOf(writer) != Subject::kConfiguredUser) {
      return Fault("credential",
                   "kind = \"teams-chat\" writes as a user: name a credential of kind "
                   "\"refresh-token\", or an agent identity with act = \"agent-user\"");
    }
    const bool read = !draft_->IsUnread("credential." + writer.name + ".scopes");
    std::vector<std::string> scopes = writer.scopes;
    std::ranges::sort(scopes);
    if (const auto wanted = ScopesOf(*notifier_); read && scopes != wanted) {
      std::string list;
      for (const std::string& one : wanted) list += (list.empty() ? "\"" : ", \"") + one + "\"";
      Fault("credential", "credential " + writer.name + " must have scopes = [" + list +
                              "] and no other: give the chat a registration of its own");
    }
    const std::string other = OtherUserOf(writer);
    if (other.empty()) return;
    Fault("credential", "the registration of credential " + writer.name + " is used by " + other +
                            ", too: give the chat a registration of its own");
  }

  [[nodiscard]] bool IsSame(const Credential& writer, const std::string& name) const {
    const auto found = draft_->config.credentials.find(name);
    if (found == draft_->config.credentials.end()) return false;
    const std::string& client = found->second.client_id;
    return name == writer.name || (!client.empty() && SameIgnoringCase(client, writer.client_id));
  }

  // What else could write to the chat, or act with more than the chat's rights; empty: nothing.
  [[nodiscard]] std::string OtherUserOf(const Credential& writer) const {
    const Config& config = draft_->config;
    for (const auto& [name, agent] : config.agents) {
      for (const Rule& rule : agent.rules) {
        if (IsSame(writer, rule.credential)) return "a rule of agent " + name;
      }
    }
    if (IsSame(writer, config.admin.upstream)) return "[admin] upstream";
    const std::string& people = config.admin.client_id;
    if (!people.empty() && SameIgnoringCase(people, writer.client_id)) return "[admin] client_id";
    for (const auto& [name, credential] : config.credentials) {
      if (IsSame(writer, credential.rotate_with)) return "rotate_with of credential " + name;
    }
    for (const auto& [name, vault] : config.vaults) {
      constexpr std::string_view kBy = "credential:";
      if (vault.auth.starts_with(kBy) && IsSame(writer, vault.auth.substr(kBy.size()))) {
        return "vault " + name;
      }
    }
    return {};
  }

  Draft* draft_;
  const Notifier* notifier_;
  std::string path_;
};

}  // namespace

void CheckNotifiers(Draft* draft) {
  const auto& notifiers = draft->config.notifiers;
  for (const auto& [name, notifier] : notifiers) NotifierCheck(draft, &notifier).Run();
  if (notifiers.size() <= kMaxNotifiers) return;
  draft->Fault(draft->PlaceOf("notify." + notifiers.rbegin()->first),
               "no more than " + std::to_string(kMaxNotifiers) + " notifiers: remove some");
}

}  // namespace broker::policy
