// broker/chat_answers.h: "yes CODE" and "no CODE", as people say them in a Teams chat. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ports/clock.h"
#include "broker/ports/random.h"

namespace broker {

/// What an answer to one card names: "K7QM-4XWT9H". Everybody in the chat reads it; it says which
/// request is meant, and that who answers has seen its card. Who answers is proven otherwise.
struct ReplyCode {
  // Which card; as many as never meet by chance in one chat.
  static constexpr size_t kTagLetters = 4;
  // Of 32 letters: one in 2^30 is guessed right, and a handful of guesses ends it.
  static constexpr size_t kSecretLetters = 6;

  std::string tag, secret;

  static ReplyCode New(Random& random);
  [[nodiscard]] std::string text() const { return tag + "-" + secret; }
  /// Whether the secret is in the text, however it is set apart there.
  [[nodiscard]] bool StandsIn(std::string_view other) const;
  /// Compares in constant time.
  [[nodiscard]] bool HasSecret(std::string_view other) const;
};

/// A message that is nothing but an answer.
struct ChatAnswer {
  std::string message;  // its id
  std::string user;     // object id of who sent it, in lower case: from.user.id
  Clock::Wall created;
  bool yes = false;
  ReplyCode code;
};

/// The answers in Graph's list of a chat's messages, the earliest first; nothing where it is no
/// such list. Every other message is left out: one that was edited or deleted, that an application,
/// a guest of another tenant or the chat itself sent, or in which there is more than an answer. A
/// display name is never looked at (Microsoft Graph, chatMessage and teamworkUserIdentity).
std::optional<std::vector<ChatAnswer>> ReadAnswers(std::string_view list);

/// When the message was created that Graph shows; nothing where it does not say.
std::optional<Clock::Wall> ReadCreated(std::string_view message);

/// "2026-11-22T05:50:01.123Z", for a filter; rounded down to milliseconds.
std::string TimeText(Clock::Wall time);

}  // namespace broker
