// broker/chat_replies.h: what approvers answer in a Teams chat decides what its card asks.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "broker/approvals.h"
#include "broker/base/log.h"
#include "broker/chat_answers.h"
#include "broker/chat_client.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/random.h"

namespace broker {

/// Polls the chats of [notify.NAME] replies = true, each only while an approval with a card there
/// is pending, and takes "yes CODE" and "no CODE" of approvers as their votes. Codes are in memory
/// alone: after a restart the commands decide. Thread-safe, Poll() aside; borrows all.
class ChatReplies {
 public:
  // Microsoft's terms allow one look a day, which is no use here: so as few as a person who has
  // just answered will wait for, and far below Graph's limit of one a second for each chat.
  static constexpr std::chrono::seconds kInterval{30};
  // Doubled up to this while Graph does not answer; a longer Retry-After is followed.
  static constexpr std::chrono::seconds kLongestInterval{300};
  // Wrong codes for one card until no answer decides its approval: a slip or two, no search.
  static constexpr int kMaxWrong = 5;
  // Entries about refused answers to one approval; whoever sends more is known by then.
  static constexpr int kMaxRecorded = 10;
  // A token that ends sooner is not used for another look.
  static constexpr std::chrono::seconds kLeastLife{60};

  struct Ports {
    GraphClient& graph;
    const Revocations& revocations;
    Approvals& approvals;
    LedgerSink& ledger;
    const Clock& clock;
    Random& random;
    std::function<std::shared_ptr<const policy::Config>()> config;
    std::function<bool(const std::string& agent)> stopped;
    // More people must say yes, and the code is spent: a new card. Must not wait.
    std::function<void(const std::string& notifier, const Approval&)> again;
    const Log* log = nullptr;
  };
  explicit ChatReplies(Ports ports) : ports_(std::move(ports)) {}

  /// The code for a card of the approval; nothing where no answer could decide it: the notifier
  /// takes none, the rule wants others than users of the directory by name, a login on this machine
  /// started the process that asks, or too many codes were wrong.
  std::optional<ReplyCode> Offer(const policy::Config& config, const policy::Notifier& notifier,
                                 const Approval& approval);
  /// Whether a card that somebody may answer now has a code that stands in the text: it was read in
  /// a chat, and may be to lure an answer.
  bool HasCodeOfACard(std::string_view text);
  /// The card was written then. Answers from then on count, those to its card before no longer.
  void Watch(const policy::Notifier& notifier, const Approval& approval, ReplyCode code,
             Clock::Wall written);

  /// Waits until a chat is to be looked at; false when stopped.
  bool WaitDue(const std::stop_token& stop);
  /// Looks at each chat that is due. Waits for Graph, Entra, store and ledger. One thread at a
  /// time.
  void Poll();

 private:
  struct Card {
    std::string approval, digest, agent;
    ReplyCode code;
    Clock::Wall written;
    int wrong = 0, recorded = 0;
    bool over = false;    // decided, spent or off: a code that is known, and is worth nothing
    bool failed = false;  // it has its entry
  };
  struct Chat {
    std::string id;  // Graph's
    std::vector<Card> cards;
    Clock::Steady due = Clock::Steady::max();
    std::chrono::seconds pause = kInterval;
    // The polling thread's own:
    SharedToken token;
    std::string policy;             // sha256 of the configuration under which it was minted
    std::set<std::string> handled;  // messages of the latest list
  };

  void PollOne(const std::string& name);
  Chat& ChatOf(const std::string& name);
  std::optional<Card> Oldest(const policy::Config& config, const std::string& name);
  ChatResult<std::vector<ChatAnswer>> Fetch(const policy::Config& config,
                                            const policy::Notifier& notifier, const Card& oldest);
  void Failed(const policy::Config& config, const std::string& name,
              const NotifierFailure& failure);
  bool Take(const policy::Config& config, const std::string& name, const ChatAnswer& answer);
  std::optional<Card> CardFor(const policy::Config& config, const std::string& name,
                              const ChatAnswer& answer);
  void Refused(const policy::Config& config, const std::string& name, const ChatAnswer& answer,
               const Card& card, Reason reason);
  void Spend(const std::string& name, const ReplyCode& code);
  [[nodiscard]] Clock::Steady NextDue() const;                  // under mutex_
  Card* Find(const std::string& name, const std::string& tag);  // under mutex_
  [[nodiscard]] bool IsOpen(const policy::Config& config, const Card& card) const;

  Ports ports_;
  ChatClient client_{ports_.graph, ports_.revocations};
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Chat> chats_;  // by notifier; only the polling thread erases
  uint64_t changes_ = 0;
};

}  // namespace broker
