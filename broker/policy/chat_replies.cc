#include "broker/policy/chat_replies.h"

#include <algorithm>
#include <array>

#include "broker/base/ascii.h"
#include "broker/policy/kinds.h"

namespace broker::policy {
namespace {

using std::string_view;

// What posts to /chats/{id}/messages for a user, by Graph's own permission table; and the one above
// those, which is the same for all chats.
constexpr auto kWritesAsUser = std::to_array<string_view>({
    kChatScope,
    "Chat.ReadWrite",
    "Chat.ReadWrite.All",
    "Group.ReadWrite.All",
});
// What imports messages, in anybody's name and with any date.
constexpr auto kWritesAsAnybody = std::to_array<string_view>({"Teamwork.Migrate.All"});

bool Holds(const std::vector<std::string>& list, string_view text) {
  return std::ranges::any_of(list,
                             [&](const std::string& one) { return SameIgnoringCase(one, text); });
}

}  // namespace

std::vector<std::string> ScopesOf(const Notifier& notifier) {
  std::vector<std::string> scopes{kChatScope};
  if (notifier.replies) scopes.insert(scopes.begin(), kChatReadScope);
  return scopes;
}

bool TakesReplies(const Config& config, const ApprovalTerms& terms) {
  return !config.admin.approver_entra.users.empty() &&
         std::ranges::all_of(terms.by, [](const ApprovalGroups& one) {
           return one.requester || !one.entra.users.empty();
         });
}

bool MayReply(const Config& config, string_view oid) {
  const auto speaks_as = [&](const auto& one) { return SameIgnoringCase(one.second.user, oid); };
  return !oid.empty() && Holds(config.admin.approver_entra.users, oid) &&
         std::ranges::none_of(config.credentials, speaks_as);
}

std::string ForgesReplies(const Credential& credential) {
  const auto found = [&](const auto& scopes) {
    const auto one =
        std::ranges::find_if(scopes, [&](string_view s) { return Holds(credential.scopes, s); });
    return one == scopes.end() ? std::string() : std::string(*one);
  };
  switch (SubjectOf(credential)) {
    case Subject::kAssertedUser:
      return found(kWritesAsUser);
    case Subject::kApplication:
      return found(kWritesAsAnybody);
    case Subject::kConfiguredUser:
      break;
  }
  return {};
}

std::vector<Diagnostic> ReplyWarnings(const Config& config) {
  std::vector<Diagnostic> warnings;
  for (const auto& [name, notifier] : config.notifiers) {
    if (!notifier.replies) continue;
    warnings.push_back(
        {notifier.place,
         "[notify." + name +
             "] replies = true polls the chat while an approval with a card in it is pending: "
             "Microsoft's terms for the Teams APIs allow an app to poll a resource once a day, and "
             "it may throttle or suspend one that does it more often. Without replies nothing is "
             "polled"});
  }
  return warnings;
}

}  // namespace broker::policy
