// Notifiers: a message in a Teams chat, written with the token of a credential of its own.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/entra/scope_list.h"
#include "broker/notifiers.h"
#include "broker/policy/kinds.h"

namespace broker {
namespace {

using graph::Fault;

constexpr const char* kPermission =
    "ChatMessage.Send, delegated, to a user who is a member of the chat";

Reason ReasonOf(Fault fault) {
  switch (fault) {
    case Fault::kNoToken:
      return Reason::kCredentialUnavailable;
    case Fault::kThrottled:
      return Reason::kUpstreamThrottled;
    case Fault::kUnavailable:
      return Reason::kUpstreamUnavailable;
    case Fault::kInvalid:
      return Reason::kUpstreamInvalid;
    case Fault::kMissingPermission:
    case Fault::kNotFound:
    case Fault::kRefused:
      break;
  }
  return Reason::kUpstreamRejected;
}

// Entra puts all that is consented into the token: no more than what writes the message.
bool CanOnlySend(const AccessToken& token) {
  return std::ranges::all_of(token.scopes, [](const std::string& scope) {
    return scope == policy::kChatScope || entra::IsOidcScope(scope);
  });
}

// POST /chats/{chat-id}/messages (Microsoft Graph, "Send message in a chat"). The id has no
// character that a path would have to escape: policy/config_keys.cc sees to it.
HttpRequest MessageRequest(const policy::Config& config, const std::string& chat,
                           const std::string& body, std::chrono::milliseconds deadline) {
  HttpRequest request;
  request.method = "POST";
  request.url = config.tenant.graph + "/v1.0/chats/" + chat + "/messages";
  request.content_type = "application/json";
  request.body = Secret::CopyOf(body);
  request.deadline = deadline;
  return request;
}

}  // namespace

Notifiers::Outcome Notifiers::ToChat(const policy::Config& config, const policy::Notifier& notifier,
                                     const Message& message, const std::string& body) {
  const auto credential = config.credentials.find(notifier.credential);
  if (credential == config.credentials.end()) return Failure{.reason = Reason::kInternal};
  if (ports_.revocations.Find(config, credential->second)) {
    return Failure{.reason = Reason::kCredentialRevoked, .why = "its credential is revoked"};
  }
  const auto failed = [](const graph::GraphError& error) {
    const bool passes = error.fault == Fault::kThrottled || error.fault == Fault::kUnavailable;
    return Failure{.reason = ReasonOf(error.fault),
                   .why = error.detail,
                   .again = passes,
                   .retry_after = error.retry_after};
  };
  ledger::Entry who;
  who.agent = message.agent;
  who.target_kind = "notifier";
  who.target_id = notifier.name;
  const auto token = ports_.graph.Token(config, credential->second, std::move(who));
  if (!token) return failed(token.error());
  if (!CanOnlySend(**token)) {
    return Failure{.reason = Reason::kOverScoped,
                   .why = "the token of credential " + credential->first + " can do more than " +
                          policy::kChatScope};
  }
  // While Entra was asked, somebody may have decided.
  if (!IsWanted(message)) return std::nullopt;
  return Try(message, [&]() -> Outcome {
    const auto sent = ports_.graph.Send(
        *token, MessageRequest(config, notifier.chat, body, kTryDeadline), kPermission);
    return sent ? Outcome() : failed(sent.error());
  });
}

}  // namespace broker
