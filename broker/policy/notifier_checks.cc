#include <algorithm>

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
    if (notifier_->host.empty() && !draft_->IsUnread(path_ + ".host")) {
      Fault("host", "kind = \"webhook\" needs host = \"https://…\", the origin of its address");
    }
    CheckCredential();
  }

 private:
  void Fault(const std::string& key, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path_ + "." + key), message);
  }

  void CheckCredential() {
    const std::string& name = notifier_->credential;
    if (name.empty()) return;  // faulted where it stands
    const auto& credentials = draft_->config.credentials;
    const auto found = credentials.find(name);
    if (found == credentials.end()) {
      return Fault("credential", NoSuchMessage("credential", name, NamesOf(credentials), "add it"));
    }
    if (found->second.kind == "webhook-url" || found->second.kind.empty()) return;
    Fault("credential",
          "kind = \"webhook\" takes a credential of kind \"webhook-url\": name one, whose address "
          "goes into the store with `purser secret set`");
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
