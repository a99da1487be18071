#include "broker/chat_replies.h"

#include <algorithm>
#include <new>
#include <utility>

#include "broker/policy/chat_replies.h"
#include "broker/policy/person.h"
#include "broker/wait_until_due.h"

namespace broker {
namespace {

using ledger::Entry, ledger::EntryType;

constexpr const char* kHow = "teams-chat";

// It was not said too late, or by the wrong person: it could not be written down.
bool Passes(Reason reason) {
  return reason == Reason::kLedgerUnavailable || reason == Reason::kStoreUnavailable;
}

}  // namespace

std::optional<ReplyCode> ChatReplies::Offer(const policy::Config& config,
                                            const policy::Notifier& notifier,
                                            const Approval& approval) {
  if (!notifier.replies || approval.asker_loginuid ||
      !policy::TakesReplies(config, approval.terms)) {
    return std::nullopt;
  }
  const std::scoped_lock lock(mutex_);
  const auto chat = chats_.find(notifier.name);
  if (chat != chats_.end()) {
    for (const Card& card : chat->second.cards) {
      if (card.approval == approval.id && card.wrong >= kMaxWrong) return std::nullopt;
    }
  }
  ReplyCode code = ReplyCode::New(ports_.random);
  while (Find(notifier.name, code.tag) != nullptr) code = ReplyCode::New(ports_.random);
  return code;
}

bool ChatReplies::HasCodeOfACard(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(chats_, [&](const auto& chat) {
    return std::ranges::any_of(chat.second.cards, [&](const Card& card) {
      return !card.over && card.code.StandsIn(text);
    });
  });
}

void ChatReplies::Watch(const policy::Notifier& notifier, const Approval& approval, ReplyCode code,
                        Clock::Wall written) {
  const std::scoped_lock lock(mutex_);
  Chat& chat = chats_[notifier.name];
  if (chat.id != notifier.chat) chat.cards.clear();
  chat.id = notifier.chat;
  Card card{approval.id, approval.digest, approval.agent, std::move(code), written};
  for (Card& earlier : chat.cards) {
    if (earlier.approval != card.approval) continue;
    earlier.over = true;
    card.wrong = std::max(card.wrong, earlier.wrong);
    card.recorded = std::max(card.recorded, earlier.recorded);
    card.failed = card.failed || earlier.failed;
  }
  chat.cards.push_back(std::move(card));
  chat.due = std::min(chat.due, ports_.clock.Now() + chat.pause);
  ++changes_;
  changed_.notify_all();
}

ChatReplies::Card* ChatReplies::Find(const std::string& name, const std::string& tag) {
  const auto chat = chats_.find(name);
  if (chat == chats_.end()) return nullptr;
  for (Card& card : chat->second.cards) {
    if (card.code.tag == tag) return &card;
  }
  return nullptr;
}

Clock::Steady ChatReplies::NextDue() const {
  Clock::Steady due = Clock::Steady::max();
  for (const auto& [name, chat] : chats_) due = std::min(due, chat.due);
  return due;
}

bool ChatReplies::WaitDue(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return WaitUntilDue(lock, changed_, changes_, ports_.clock, stop, [this] { return NextDue(); });
}

void ChatReplies::Poll() {
  std::vector<std::string> due;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, chat] : chats_) {
      if (chat.due <= ports_.clock.Now()) due.push_back(name);
    }
  }
  for (const std::string& name : due) {
    try {
      PollOne(name);
    } catch (const std::bad_alloc&) {
      Failed(*ports_.config(), name, {.reason = Reason::kOverloaded, .why = "no memory"});
    }
  }
}

// Under the rules of now: a code is of the notifier, the chat and the approval as they still are.
bool ChatReplies::IsOpen(const policy::Config& config, const Card& card) const {
  if (card.over || ports_.stopped(card.agent)) return false;
  const auto approval = ports_.approvals.Find(card.approval);
  return approval && approval->state == ApprovalState::kPending &&
         approval->digest == card.digest && policy::TakesReplies(config, approval->terms);
}

// Ends the codes that are over; the oldest card that waits, or nothing: the chat is left alone.
std::optional<ChatReplies::Card> ChatReplies::Oldest(const policy::Config& config,
                                                     const std::string& name) {
  const auto notifier = config.notifiers.find(name);
  const std::scoped_lock lock(mutex_);
  Chat& chat = chats_.at(name);
  const bool read = notifier != config.notifiers.end() && notifier->second.replies &&
                    notifier->second.chat == chat.id;
  std::optional<Card> oldest;
  for (Card& card : chat.cards) {
    card.over = !read || !IsOpen(config, card);
    if (!card.over && (!oldest || card.written < oldest->written)) oldest = card;
  }
  if (!oldest) {
    chats_.erase(name);
    return std::nullopt;
  }
  // What is over is known for as long as its approval is: who says it late has not guessed.
  std::erase_if(chat.cards, [&](const Card& card) {
    return card.over && !ports_.approvals.Find(card.approval);
  });
  return oldest;
}

// Stays where it is: nobody but this thread erases it.
ChatReplies::Chat& ChatReplies::ChatOf(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  return chats_.at(name);
}

void ChatReplies::PollOne(const std::string& name) {
  const auto config = ports_.config();
  const auto oldest = Oldest(*config, name);
  if (!oldest) return;
  auto answers = Fetch(*config, config->notifiers.at(name), *oldest);
  if (!answers) return Failed(*config, name, answers.error());
  // Nothing has come of a yes until it is read: a no that was said by then goes before it.
  std::ranges::stable_partition(*answers, [](const ChatAnswer& one) { return !one.yes; });
  std::set<std::string> handled;
  Chat& chat = ChatOf(name);
  for (const ChatAnswer& answer : *answers) {
    const bool known = chat.handled.contains(answer.message);
    if (known || Take(*config, name, answer)) handled.insert(answer.message);
  }
  const std::scoped_lock lock(mutex_);
  chat.handled = std::move(handled);
  chat.pause = kInterval;
  chat.due = ports_.clock.Now() + chat.pause;
}

ChatResult<std::vector<ChatAnswer>> ChatReplies::Fetch(const policy::Config& config,
                                                       const policy::Notifier& notifier,
                                                       const Card& oldest) {
  Chat& chat = ChatOf(notifier.name);
  if (auto why = client_.Unusable(config, notifier)) return std::unexpected(std::move(*why));
  const bool kept = chat.token && chat.policy == config.sha256 &&
                    chat.token->expires_at > ports_.clock.Now() + kLeastLife;
  if (!kept) {
    auto token = client_.Token(config, notifier, oldest.agent);
    if (!token) return std::unexpected(std::move(token.error()));
    chat.token = std::move(*token);
    chat.policy = config.sha256;
  }
  const auto list = client_.List(chat.token, config, notifier, oldest.written);
  if (!list) return std::unexpected(list.error());
  auto answers = ReadAnswers(list->Expose(Exit::kOwnRecord));
  if (answers) return std::move(*answers);
  return std::unexpected(NotifierFailure{.reason = Reason::kUpstreamInvalid,
                                         .why = "what Graph answered is no list of messages"});
}

// Once for each approval; all of them wait on, for the commands and for a later look.
void ChatReplies::Failed(const policy::Config& config, const std::string& name,
                         const NotifierFailure& failure) {
  std::vector<Entry> untold;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = chats_.find(name);
    if (found == chats_.end()) return;
    Chat& chat = found->second;
    chat.token.reset();
    chat.pause = std::min(2 * chat.pause, kLongestInterval);
    const auto wait = std::max(chat.pause, failure.retry_after.value_or(chat.pause));
    chat.due = ports_.clock.Now() + wait;
    for (Card& card : chat.cards) {
      if (card.over || std::exchange(card.failed, true)) continue;
      Entry about;
      about.agent = card.agent;
      about.approval_id = card.approval;
      about.change["what"] = "replies";
      untold.push_back(std::move(about));
    }
  }
  for (Entry& about : untold) {
    RecordFailure(ports_.ledger, ports_.log, config, name, std::move(about), failure);
  }
}

// The card that the answer is to; nothing where it is nobody's who counts, or to no card of here.
std::optional<ChatReplies::Card> ChatReplies::CardFor(const policy::Config& config,
                                                      const std::string& name,
                                                      const ChatAnswer& answer) {
  if (!policy::MayReply(config, answer.user)) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  Card* const card = Find(name, answer.code.tag);
  if (card == nullptr || card->over || answer.created <= card->written) return std::nullopt;
  if (!card->code.HasSecret(answer.code.secret)) {
    ++card->wrong;
    card->over = card->wrong >= kMaxWrong;
  }
  return *card;
}

// Whether it needs no second look.
bool ChatReplies::Take(const policy::Config& config, const std::string& name,
                       const ChatAnswer& answer) {
  const auto card = CardFor(config, name, answer);
  if (!card || ports_.stopped(card->agent)) return true;
  if (!card->code.HasSecret(answer.code.secret)) {
    Refused(config, name, answer, *card, Reason::kNotFound);
    return true;
  }
  const policy::Person person{answer.user, {}};
  Approvals::Decision decision{.id = card->approval,
                               .digest = card->digest,
                               .signed_in = &person,
                               .asker_gids = {},
                               .why = {},
                               .who = {},
                               .how = kHow,
                               .message = answer.message};
  decision.who.policy_sha256 = config.sha256;
  const auto decided =
      answer.yes ? ports_.approvals.Approve(decision) : ports_.approvals.Deny(decision);
  if (!decided) {
    if (Passes(decided.error().reason)) return false;
    Refused(config, name, answer, *card, decided.error().reason);
    return true;
  }
  Spend(name, card->code);
  if (decided->state == ApprovalState::kPending) ports_.again(name, *decided);
  return true;
}

void ChatReplies::Spend(const std::string& name, const ReplyCode& code) {
  const std::scoped_lock lock(mutex_);
  if (Card* const card = Find(name, code.tag)) card->over = true;
}

void ChatReplies::Refused(const policy::Config& config, const std::string& name,
                          const ChatAnswer& answer, const Card& card, Reason reason) {
  {
    const std::scoped_lock lock(mutex_);
    Card* const kept = Find(name, card.code.tag);
    if (kept == nullptr || kept->recorded >= kMaxRecorded) return;
    ++kept->recorded;
  }
  Entry entry{.type = EntryType::kAdminDenied, .outcome = ledger::Outcome::kFailure};
  entry.reason = Describe(reason).name;
  entry.user_oid = answer.user;
  entry.target_kind = "notifier";
  entry.target_id = name;
  entry.approval_id = card.approval;
  entry.approval_digest = card.digest;
  entry.policy_sha256 = config.sha256;
  entry.change = {{"how", kHow}, {"message", answer.message}};
  if (reason == Reason::kNotFound) entry.change["wrong_codes"] = int64_t{card.wrong};
  [[maybe_unused]] const auto told = ports_.ledger.Append(entry);
}

}  // namespace broker
