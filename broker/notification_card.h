// broker/notification_card.h: what people are told of an approval or a release, elsewhere. Pure.
#pragma once
#include <string>
#include <vector>

#include "broker/approval.h"
#include "broker/notices.h"

namespace broker {

/// What stands on a card. Every text is inert already (broker/card_text.h).
struct NotificationCard {
  struct Line {
    std::string title, text;
  };
  std::string headline;
  std::vector<Line> facts;            // proven, or of the configuration
  std::vector<Line> claims;           // what the agent says of itself, quoted
  std::vector<std::string> commands;  // by which a person decides; the card decides nothing
  std::vector<std::string> answers;   // which decide, too, when an approver says them there
  std::string last;                   // one sentence below
};

/// `instance`: of purser; several may write to one chat. `code`: ReplyCode::text(), with which an
/// answer in the same chat decides; empty: none does. REQUIRES: it was made by NewApproval.
NotificationCard CardOf(const std::string& instance, const Approval& approval,
                        const std::string& code = {});
NotificationCard CardOf(const std::string& instance, const Notice& notice);

/// Whether everything that is asked stands on it, nothing cut off, and fits into one message.
bool ShowsAll(const NotificationCard& card);

/// The body of a request to a Teams workflow ("When a Teams webhook request is received"): a
/// message with one Adaptive Card, version 1.2, of texts alone: without actions, images, links or
/// mentions. Below Teams' 28 KB: where the facts are too long, the card names agent and commands.
std::string ToWorkflowMessage(const NotificationCard& card);

/// The body of Microsoft Graph's POST /chats/{id}/messages: ToHtml of it, below Teams' 28 KB as
/// above.
std::string ToChatMessage(const NotificationCard& card);

/// HTML of headings, lists and paragraphs without attributes.
std::string ToHtml(const NotificationCard& card);

}  // namespace broker
