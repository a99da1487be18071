// broker/chat_client.h: one Teams chat, with the token of a credential that is for it alone.
#pragma once
#include <chrono>
#include <expected>
#include <string>

#include "broker/graph_client.h"
#include "broker/notifier_failure.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/revocations.h"

namespace broker {

template <class T>
using ChatResult = std::expected<T, NotifierFailure>;

/// Writes to the chat of a [notify.NAME] kind = "teams-chat", and lists what is said there.
/// Thread-safe; borrows all.
class ChatClient {
 public:
  // Of one request. Whoever hangs keeps a thread that serves no agent.
  static constexpr std::chrono::seconds kDeadline{10};
  // What is read at a time, the latest first. Most are cards of some 4 kB, so that an answer stays
  // below HttpResponse::kMaxBodyBytes; where more is said between two looks, people use commands.
  static constexpr int kMostMessages = 20;

  ChatClient(GraphClient& graph, const Revocations& revocations)
      : graph_(graph), revocations_(revocations) {}

  /// A token of the notifier's credential that can do nothing but what the chat needs (ScopesOf),
  /// for an agent whose approval it is. Errors: no credential, a revoked one, kOverScoped, those of
  /// GraphClient::Token.
  ChatResult<SharedToken> Token(const policy::Config& config, const policy::Notifier& notifier,
                                const std::string& agent);
  /// Why the credential is no longer used; nothing: it is.
  [[nodiscard]] std::optional<NotifierFailure> Unusable(const policy::Config& config,
                                                        const policy::Notifier& notifier) const;

  /// POST /chats/{id}/messages. Returns the message as Graph shows it.
  ChatResult<Secret> Write(const SharedToken& token, const policy::Config& config,
                           const policy::Notifier& notifier, const std::string& body);
  /// GET /chats/{id}/messages, of those that were created or changed after `since`.
  ChatResult<Secret> List(const SharedToken& token, const policy::Config& config,
                          const policy::Notifier& notifier, Clock::Wall since);

 private:
  GraphClient& graph_;
  const Revocations& revocations_;
};

}  // namespace broker
