// broker/notifiers.h: telling people elsewhere, behind every decision.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "broker/approval.h"
#include "broker/base/log.h"
#include "broker/chat_client.h"
#include "broker/graph_client.h"
#include "broker/notices.h"
#include "broker/notification_card.h"
#include "broker/notifier_failure.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/sleeper.h"
#include "broker/ports/vault.h"
#include "broker/reason.h"
#include "broker/revocations.h"

namespace broker {

class ChatReplies;

/// Tells every [notify.NAME] of approvals that were opened, and those that want it of releases. One
/// that fails, hangs or is slow delays nobody, another notifier least of all: each has a queue, and
/// a thread while there is something in it. What could not be told has one `notifier.failed` entry;
/// approval and release have theirs before. Thread-safe; borrows all.
class Notifiers {
 public:
  // More than people read, and more than one agent may have open; the latest ones are left out,
  // notices before approvals.
  static constexpr size_t kMaxQueued = 32;
  // For one message with all its tries: an approval that waits for ten minutes is worth no more.
  static constexpr std::chrono::seconds kDeadline{60};
  static constexpr std::chrono::seconds kTryDeadline{10};
  static constexpr int kTries = 3;
  // Doubled each time; a longer Retry-After is followed within kDeadline.
  static constexpr std::chrono::seconds kFirstPause{2};

  using Job = std::move_only_function<void()>;
  struct Ports {
    HttpTransport& http;
    Vault& vault;
    LedgerSink& ledger;
    const Clock& clock;
    Sleeper& sleeper;
    GraphClient& graph;
    const Revocations& revocations;
    std::function<std::shared_ptr<const policy::Config>()> config;
    std::function<bool(Job)> start;  // on a thread that may wait; false: there is none
    std::function<bool(const std::string& agent)> stopped;
    std::function<bool(const std::string& approval)> pending;
    const Log* log = nullptr;        // where what failed is written, too
    ChatReplies* replies = nullptr;  // null: nobody reads what is answered
  };
  explicit Notifiers(Ports ports) : ports_(std::move(ports)) {}

  /// Do not wait. REQUIRES: its entry is durable.
  void Opened(const Approval& approval) { Post({approval.agent, approval}); }
  void Released(const Notice& notice) { Post({notice.agent, notice}); }
  /// Tells that one notifier once more: more people must say yes, and its code is spent.
  void Again(const std::string& notifier, const Approval& approval);

 private:
  struct Message {
    std::string agent;
    std::variant<Approval, Notice> about;
  };
  struct Lane {
    std::deque<std::shared_ptr<const Message>> queue;
    int64_t dropped = 0;  // since the last entry about it
    bool busy = false;
  };
  using Failure = NotifierFailure;
  using Outcome = std::optional<Failure>;  // nothing: told

  void Post(Message message);
  static void Enqueue(std::shared_ptr<const Message> message, Lane& lane);  // under mutex_
  void StartLane(const std::string& name, Lane& lane);                      // under mutex_
  void Drain(const std::string& name);
  void DeliverOne(const std::string& name, const Message& message);
  [[nodiscard]] bool IsWanted(const Message& message) const;
  Outcome Deliver(const policy::Config& config, const policy::Notifier& notifier,
                  const Message& message);
  [[nodiscard]] NotificationCard CardFor(const policy::Config& config, const Approval& approval,
                                         const std::string& code) const;
  Outcome Try(const Message& message, const std::function<Outcome()>& once);
  Outcome ToWebhook(const policy::Config& config, const policy::Notifier& notifier,
                    const Message& message, const std::string& body);
  Outcome PostOnce(const std::string& url, const std::string& body);
  Outcome ToChat(const policy::Config& config, const policy::Notifier& notifier,
                 const Message& message, NotificationCard card);
  void Record(const std::string& name, const Message* message, const Failure& failure,
              int64_t dropped);

  Ports ports_;
  ChatClient chat_{ports_.graph, ports_.revocations};
  std::mutex mutex_;
  std::map<std::string, Lane> lanes_;  // by notifier
};

}  // namespace broker
