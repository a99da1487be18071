// broker/policy/chat_replies.h: whose answers in a Teams chat may decide an approval, and what.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// What the credential of such a chat is consented to besides kChatScope: the least with which a
/// user lists a chat's messages (Microsoft Graph, "List messages in a chat").
inline constexpr const char* kChatReadScope = "Chat.Read";

/// All that the notifier's credential is consented to, sorted. REQUIRES: kind "teams-chat".
std::vector<std::string> ScopesOf(const Notifier& notifier);

/// Whether answers alone could satisfy the terms: each part of `by` names users of the directory,
/// or the person in whose name it is asked.
bool TakesReplies(const Config& config, const ApprovalTerms& terms);

/// Whether that user of the directory (an object id) is an approver by name, as "entra-user:GUID",
/// and no [credential.NAME] speaks as them: an agent that has its token could write in their name.
bool MayReply(const Config& config, std::string_view oid);

/// The scope by which an agent could write to chats in the name of whoever it likes, with this
/// credential; empty: none. An agent's own user aside, which MayReply() refuses.
std::string ForgesReplies(const Credential& credential);

/// A warning for each notifier whose answers decide: what Microsoft's terms say of polling. Pure;
/// in the order of the notifiers.
std::vector<Diagnostic> ReplyWarnings(const Config& config);

}  // namespace broker::policy
