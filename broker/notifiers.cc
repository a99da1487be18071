#include "broker/notifiers.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "broker/chat_replies.h"
#include "broker/credential_access.h"
#include "broker/webhook_url.h"

namespace broker {
namespace {

using ledger::Entry, ledger::EntryType;

std::string ApprovalIdOf(const std::variant<Approval, Notice>& about) {
  const auto* const approval = std::get_if<Approval>(&about);
  return approval == nullptr ? std::string() : approval->id;
}

}  // namespace

void Notifiers::Post(Message message) {
  const auto config = ports_.config();
  if (config->notifiers.empty()) return;
  const bool notice = std::holds_alternative<Notice>(message.about);
  const auto shared = std::make_shared<const Message>(std::move(message));
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, notifier] : config->notifiers) {
    if (notice && !notifier.notices) continue;
    Lane& lane = lanes_[name];
    Enqueue(shared, lane);
    StartLane(name, lane);
  }
}

// Nobody waits for a notice: however many an agent is given tokens, they keep no approval away.
void Notifiers::Enqueue(std::shared_ptr<const Message> message, Lane& lane) {
  if (lane.queue.size() >= kMaxQueued) {
    ++lane.dropped;
    const auto is_notice = [](const auto& one) {
      return std::holds_alternative<Notice>(one->about);
    };
    const auto last = std::ranges::find_if(lane.queue.rbegin(), lane.queue.rend(), is_notice);
    if (is_notice(message) || last == lane.queue.rend()) return;
    lane.queue.erase(std::next(last).base());
  }
  lane.queue.push_back(std::move(message));
}

void Notifiers::Again(const std::string& notifier, const Approval& approval) {
  const std::scoped_lock lock(mutex_);
  Lane& lane = lanes_[notifier];
  Enqueue(std::make_shared<const Message>(Message{approval.agent, approval}), lane);
  StartLane(notifier, lane);
}

// Without a thread now, the next message brings one.
void Notifiers::StartLane(const std::string& name, Lane& lane) {
  if (!lane.busy) lane.busy = ports_.start([this, name] { Drain(name); });
}

void Notifiers::Drain(const std::string& name) {
  while (true) {
    std::shared_ptr<const Message> message;
    int64_t dropped = 0;
    {
      const std::scoped_lock lock(mutex_);
      Lane& lane = lanes_[name];
      if (lane.queue.empty()) {
        lane.busy = false;
        return;
      }
      message = std::move(lane.queue.front());
      lane.queue.pop_front();
      dropped = std::exchange(lane.dropped, 0);
    }
    if (dropped > 0) {
      Record(name, nullptr, {.reason = Reason::kOverloaded, .why = "too many wait to be told"},
             dropped);
    }
    try {
      DeliverOne(name, *message);
    } catch (const std::bad_alloc&) {
      Record(name, message.get(), {.reason = Reason::kOverloaded, .why = "no memory"}, 0);
    }
  }
}

void Notifiers::DeliverOne(const std::string& name, const Message& message) {
  const auto config = ports_.config();
  const auto notifier = config->notifiers.find(name);
  if (notifier == config->notifiers.end()) return;  // not configured any more
  if (!IsWanted(message)) return;
  const Outcome failure = Deliver(*config, notifier->second, message);
  if (failure && failure->reason != Reason::kKilled) Record(name, &message, *failure, 0);
}

// Not of a stopped agent, nor of what was decided meanwhile.
bool Notifiers::IsWanted(const Message& message) const {
  if (ports_.stopped(message.agent)) return false;
  const auto* const approval = std::get_if<Approval>(&message.about);
  return approval == nullptr || ports_.pending(approval->id);
}

Notifiers::Outcome Notifiers::Deliver(const policy::Config& config,
                                      const policy::Notifier& notifier, const Message& message) {
  const auto* const approval = std::get_if<Approval>(&message.about);
  const NotificationCard card = approval != nullptr
                                    ? CardFor(config, *approval, {})
                                    : CardOf(config.instance.name, std::get<Notice>(message.about));
  if (notifier.kind == "teams-chat") return ToChat(config, notifier, message, card);
  return ToWebhook(config, notifier, message, ToWorkflowMessage(card));
}

// An agent that reads a chat, too, could have its own card ask for an answer to another one.
NotificationCard Notifiers::CardFor(const policy::Config& config, const Approval& approval,
                                    const std::string& code) const {
  NotificationCard card = CardOf(config.instance.name, approval, code);
  const auto lures = [this](const NotificationCard::Line& line) {
    return ports_.replies->HasCodeOfACard(line.text);
  };
  if (ports_.replies == nullptr || std::ranges::none_of(card.claims, lures)) return card;
  card.claims = {
      {"withheld", "it has the code of another card in it, which only that one asks for"}};
  return card;
}

// A few times within one deadline, as long as somebody still needs to know.
Notifiers::Outcome Notifiers::Try(const Message& message, const std::function<Outcome()>& once) {
  const Clock::Steady until = ports_.clock.Now() + kDeadline;
  std::chrono::seconds pause = kFirstPause;
  for (int tried = 1;; ++tried) {
    Outcome failure = once();
    if (!failure || !failure->again || tried == kTries) return failure;
    const auto wait = std::max(pause, failure->retry_after.value_or(pause));
    if (ports_.clock.Now() + wait + kTryDeadline > until) return failure;
    ports_.sleeper.Sleep(wait);
    if (!IsWanted(message)) return failure;
    pause *= 2;
  }
}

// The whole address is the secret: read after its entry, compared with `host` at each use.
Notifiers::Outcome Notifiers::ToWebhook(const policy::Config& config,
                                        const policy::Notifier& notifier, const Message& message,
                                        const std::string& body) {
  const auto credential = config.credentials.find(notifier.credential);
  if (credential == config.credentials.end()) return Failure{.reason = Reason::kInternal};
  if (ports_.revocations.Find(config, credential->second)) {
    return Failure{.reason = Reason::kCredentialRevoked, .why = "its credential is revoked"};
  }
  Entry access{.type = EntryType::kCredentialAccess, .outcome = ledger::Outcome::kSuccess};
  access.agent = message.agent;
  access.target_kind = "notifier";
  access.target_id = notifier.name;
  access.credential_name = credential->second.name;
  access.credential_kind = credential->second.kind;
  access.policy_sha256 = config.sha256;
  if (const auto told = ports_.ledger.Append(access); !told) {
    const Refusal refusal = LedgerRefusal(told.error());
    return Failure{.reason = refusal.reason, .why = refusal.detail};
  }
  const auto secret =
      ports_.vault.Fetch({credential->second.name, *SecretKindOf(credential->second)});
  if (!secret) {
    const Refusal refusal = VaultRefusal(credential->second, secret.error());
    return Failure{.reason = refusal.reason, .why = refusal.detail};
  }
  const std::string url(secret->value.Expose(Exit::kSendUpstream));
  if (!IsWebhookUrl(url, notifier.host)) {
    return Failure{.reason = Reason::kCredentialUnavailable,
                   .why = "the address that is enrolled is not one of its host"};
  }
  return Try(message, [&] { return PostOnce(url, body); });
}

Notifiers::Outcome Notifiers::PostOnce(const std::string& url, const std::string& body) {
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.content_type = "application/json";
  request.body = Secret::CopyOf(body);
  request.deadline = kTryDeadline;
  const auto response = ports_.http.Send(request);
  if (!response) {
    const bool passes = response.error().code == ErrorCode::kUnavailable;
    return Failure{.reason = passes ? Reason::kUpstreamUnavailable : Reason::kUpstreamInvalid,
                   .why = response.error().detail,
                   .again = passes};
  }
  const int status = response->status;
  if (status >= 200 && status < 300) return std::nullopt;
  Failure failure{.reason = Reason::kUpstreamRejected,
                  .why = "status " + std::to_string(status),
                  .status = status,
                  .retry_after = response->retry_after};
  if (status < 400) failure.why += ": it points elsewhere, and nobody follows";
  failure.again = status == 408 || status == 429 || status >= 500;
  if (status == 429) failure.reason = Reason::kUpstreamThrottled;
  if (status >= 500) failure.reason = Reason::kUpstreamUnavailable;
  return failure;
}

void Notifiers::Record(const std::string& name, const Message* message, const Failure& failure,
                       int64_t dropped) {
  Entry about;
  if (message != nullptr) {
    about.agent = message->agent;
    about.approval_id = ApprovalIdOf(message->about);
    if (const auto* const notice = std::get_if<Notice>(&message->about)) {
      about.change["seq"] = static_cast<int64_t>(notice->seq);
    }
  }
  if (dropped > 0) about.change["count"] = dropped;
  RecordFailure(ports_.ledger, ports_.log, *ports_.config(), name, std::move(about), failure);
}

}  // namespace broker
