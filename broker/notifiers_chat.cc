// Notifiers: a message in a Teams chat, written with the token of a credential of its own.
#include <utility>

#include "broker/chat_replies.h"
#include "broker/notification_card.h"
#include "broker/notifiers.h"

namespace broker {

Notifiers::Outcome Notifiers::ToChat(const policy::Config& config, const policy::Notifier& notifier,
                                     const Message& message, NotificationCard card) {
  const auto token = chat_.Token(config, notifier, message.agent);
  if (!token) return token.error();
  // While Entra was asked, somebody may have decided.
  if (!IsWanted(message)) return std::nullopt;
  const auto* const approval = std::get_if<Approval>(&message.about);
  std::optional<ReplyCode> code;
  if (approval != nullptr && ports_.replies != nullptr) {
    code = ports_.replies->Offer(config, notifier, *approval);
  }
  if (code) {
    NotificationCard asks = CardFor(config, *approval, code->text());
    if (ShowsAll(asks)) {
      card = std::move(asks);
    } else {
      code.reset();  // nobody says yes in the chat to what it does not show whole
    }
  }
  const std::string body = ToChatMessage(card);
  return Try(message, [&]() -> Outcome {
    const auto sent = chat_.Write(*token, config, notifier, body);
    if (!sent) return sent.error();
    if (!code) return std::nullopt;
    const auto created = ReadCreated(sent->Expose(Exit::kOwnRecord));
    if (!created) {
      return Failure{.reason = Reason::kUpstreamInvalid,
                     .why =
                         "Graph does not say when the message was created: no answer to it "
                         "counts"};
    }
    ports_.replies->Watch(notifier, *approval, std::move(*code), *created);
    return std::nullopt;
  });
}

}  // namespace broker
