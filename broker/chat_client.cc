#include "broker/chat_client.h"

#include <algorithm>
#include <utility>

#include "broker/chat_answers.h"
#include "broker/entra/scope_list.h"
#include "broker/policy/chat_replies.h"
#include "broker/policy/scopes.h"

namespace broker {
namespace {

constexpr const char* kToWrite =
    "ChatMessage.Send, delegated, to a user who is a member of the chat";
constexpr const char* kToRead = "Chat.Read, delegated, to a user who is a member of the chat";

// Entra puts all that is consented into the token: no more than what the chat needs.
bool CanOnly(const AccessToken& token, const std::vector<std::string>& scopes) {
  return std::ranges::all_of(token.scopes, [&](const std::string& scope) {
    return std::ranges::find(scopes, scope) != scopes.end() || entra::IsOidcScope(scope);
  });
}

// The id has no character that a path would have to escape: policy/config_keys.cc sees to it.
std::string UrlOf(const policy::Config& config, const policy::Notifier& notifier) {
  return config.tenant.graph + "/v1.0/chats/" + notifier.chat + "/messages";
}

template <class T>
ChatResult<T> Told(GraphResult<T> result) {
  if (!result) return std::unexpected(FailureOf(result.error()));
  return std::move(*result);
}

}  // namespace

std::optional<NotifierFailure> ChatClient::Unusable(const policy::Config& config,
                                                    const policy::Notifier& notifier) const {
  const auto credential = config.credentials.find(notifier.credential);
  if (credential == config.credentials.end()) return NotifierFailure{.reason = Reason::kInternal};
  if (!revocations_.Find(config, credential->second)) return std::nullopt;
  return NotifierFailure{.reason = Reason::kCredentialRevoked, .why = "its credential is revoked"};
}

ChatResult<SharedToken> ChatClient::Token(const policy::Config& config,
                                          const policy::Notifier& notifier,
                                          const std::string& agent) {
  if (auto why = Unusable(config, notifier)) return std::unexpected(std::move(*why));
  const policy::Credential& credential = config.credentials.at(notifier.credential);
  ledger::Entry who;
  who.agent = agent;
  who.target_kind = "notifier";
  who.target_id = notifier.name;
  auto token = Told(graph_.Token(config, credential, std::move(who)));
  if (!token) return token;
  const auto scopes = policy::ScopesOf(notifier);
  if (!CanOnly(**token, scopes)) {
    return std::unexpected(NotifierFailure{.reason = Reason::kOverScoped,
                                           .why = "the token of credential " + credential.name +
                                                  " can do more than " +
                                                  policy::JoinNames(scopes, " ")});
  }
  return token;
}

// Microsoft Graph, "Send message in a chat".
ChatResult<Secret> ChatClient::Write(const SharedToken& token, const policy::Config& config,
                                     const policy::Notifier& notifier, const std::string& body) {
  HttpRequest request;
  request.method = "POST";
  request.url = UrlOf(config, notifier);
  request.content_type = "application/json";
  request.body = Secret::CopyOf(body);
  request.deadline = kDeadline;
  return Told(graph_.Send(token, std::move(request), kToWrite));
}

// Microsoft Graph, "List messages in a chat": only lastModifiedDateTime knows `gt`, and only where
// it orders, too.
ChatResult<Secret> ChatClient::List(const SharedToken& token, const policy::Config& config,
                                    const policy::Notifier& notifier, Clock::Wall since) {
  HttpRequest request;
  request.method = "GET";
  request.url = UrlOf(config, notifier) + "?$top=" + std::to_string(kMostMessages) +
                "&$orderby=lastModifiedDateTime%20desc&$filter=lastModifiedDateTime%20gt%20" +
                TimeText(since);
  request.deadline = kDeadline;
  return Told(graph_.Send(token, std::move(request), kToRead));
}

}  // namespace broker
