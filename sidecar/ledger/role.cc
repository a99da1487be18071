#include "sidecar/ledger/role.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "broker/ledger/leaf.h"

namespace sidecar::ledger {

using broker::Status;
using ipc::MessageType;

namespace {

// Of one channel and turn: a broker that appends all the time must not keep the supervisor's
// daemon.stopped waiting.
constexpr int kMessagesPerTurn = 512;
// An acknowledgement is at most 25 bytes, a leaf and a reason: this many stay within one frame.
constexpr size_t kAcksPerMessage = 128;

std::string_view Bytes(const broker::ledger::Leaf& leaf) {
  return {reinterpret_cast<const char*>(leaf.data()), leaf.size()};
}

}  // namespace

Role::Role(Disk& disk, const RoleOptions& options, Writer::Ports ports, ipc::Fd control)
    : disk_(disk),
      ports_(ports),
      segments_(disk_, options.reserve_bytes),
      writer_(segments_, options.identity, ports),
      archiver_(segments_, writer_),
      reader_(disk_, ports.log, ports.clock),
      log_name_(options.identity.log),
      begins_latched_(options.latched),
      control_(std::move(control)),
      next_head_log_(ports.clock.Now() + kHeadLogInterval) {}

Status Role::Start() {
  if (begins_latched_.empty()) {
    writer_.Start();
  } else {
    writer_.StartLatched(begins_latched_);
  }
  return reader_.Start();
}

int Role::Serve(const std::string& findings) {
  Tell(MessageType::kStarted, findings);
  TellLatch();
  while (!stopping_) {
    WaitForNews();
    Turn();
    ReadControl();
  }
  Finish();
  return 0;
}

void Role::WaitForNews() {
  std::array<pollfd, kAppenders + 1> polled{};
  polled[kAppenders] = {control_.get(), POLLIN, 0};
  for (size_t i = 0; i < kAppenders; ++i) polled[i] = {appenders_[i].channel.get(), POLLIN, 0};
  auto until = writer_.NextCount();
  if (logged_seq_ != writer_.head().state.seq) until = std::min(until, next_head_log_);
  const bool reads = std::ranges::any_of(
      appenders_, [](const Appender& appender) { return !appender.archive.empty(); });
  int timeout_ms = reads ? 0 : -1;
  if (!reads && until != broker::Clock::Steady::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - ports_.clock.Now());
    timeout_ms = static_cast<int>(std::max<int64_t>(0, left.count()));
  }
  poll(polled.data(), polled.size(), timeout_ms);
}

// All that has arrived becomes one batch. Nobody waits for a fuller one: while this batch is
// written the next one gathers in the channels.
void Role::Turn() {
  DrainChannels();
  if (writer_.NextCount() <= ports_.clock.Now()) writer_.WriteCounts(/*all=*/false);
  const auto& answers = writer_.Commit();
  // Before the answers: whoever saw a refusal can rely on it that a restart does not undo it.
  TellLatch();
  // Before them, too: who has an answer finds the entry in the trail.
  Publish();
  Answer(answers);
  AnswerQuestions();
  Publish();
  if (saved_seq_ != published_seq_) {
    writer_.SaveHead();
    saved_seq_ = published_seq_;
  }
  TellLatch();  // a resume, or a head file that could not be written
  LogHead(/*now=*/false);
}

void Role::Publish() {
  const uint64_t seq = writer_.head().state.seq;
  if (seq == published_seq_) return;
  reader_.Publish(segments_.names(), segments_.size(), seq);
  published_seq_ = seq;
}

void Role::DrainChannels() {
  for (size_t i = 0; i < kAppenders; ++i) Drain(i);
}

void Role::Drain(size_t index) {
  Appender& from = appenders_[index];
  for (int taken = 0; taken < kMessagesPerTurn && from.channel.valid(); ++taken) {
    if (writer_.BatchIsFull()) return;
    const Status got = ipc::Receive(from.channel.get(), &message_, /*nonblocking=*/true);
    if (!got && got.error().detail == "empty") return;
    if (!got || !Take(index, message_)) from.channel.Reset();
    message_.fds.clear();  // that nothing asked for
  }
}

// False: malformed, or nothing that an appender may send.
bool Role::Take(size_t index, ipc::Message& received) {
  const std::string_view message = received.bytes;
  const auto origin = static_cast<Origin>(index);
  const auto type = ipc::TypeOf(message);
  if (type == MessageType::kAppend) {
    const auto appends = ipc::DecodeAppends(message);
    if (!appends) return false;
    for (const ipc::Append& append : *appends) {
      writer_.Add({index, append.id}, origin, append.entry);
    }
    return true;
  }
  auto text = ipc::DecodeText(message);
  if (!text) return false;
  if (type == MessageType::kLedgerQuery) {
    appenders_[index].asked_state = true;
  } else if (type == MessageType::kLedgerResume && origin == Origin::kBroker) {
    appenders_[index].asked_resume = true;
  } else if (type == MessageType::kLedgerArchive && origin == Origin::kBroker &&
             !text->text.empty()) {
    appenders_[index].archive = std::move(text->text);
  } else if (type == MessageType::kReaderChannel && origin == Origin::kBroker &&
             text->text.empty() && received.fds.size() == 1) {
    reader_.AddChannel(AuditReader::kBroker, std::move(received.fds[0]));
  } else {
    return false;
  }
  return true;
}

void Role::Answer(const std::vector<ledger::Answer>& answers) {
  for (const ledger::Answer& answer : answers) {
    Appender& to = appenders_[answer.ticket.channel];
    ipc::Ack ack{.id = answer.ticket.id, .seq = answer.seq, .leaf = Bytes(answer.leaf)};
    if (answer.error) {
      ack.error = static_cast<uint8_t>(answer.error->code);
      ack.detail = answer.error->detail;
    }
    to.acks.push_back(ack);
    if (to.acks.size() == kAcksPerMessage) SendAcks(to);
  }
  for (Appender& appender : appenders_) SendAcks(appender);
}

void Role::SendAcks(Appender& to) {
  if (!to.acks.empty() && to.channel.valid()) {
    out_.clear();
    ipc::EncodeAcks(to.acks, &out_);
    // Each waits for its answer, so that a full queue is not a matter of load: who does not read
    // must not make the others wait.
    if (!ipc::Send(to.channel.get(), out_, {}, /*nonblocking=*/true)) to.channel.Reset();
  }
  to.acks.clear();
}

void Role::AnswerQuestions() {
  for (Appender& appender : appenders_) {
    if (!appender.archive.empty()) AnswerOrder(appender);
    if (!appender.asked_state && !appender.asked_resume) continue;
    if (appender.asked_resume) writer_.Resume();
    appender.asked_state = appender.asked_resume = false;
    out_.clear();
    Encode(StateNow(), &out_);
    if (!ipc::Send(appender.channel.get(), out_, {}, /*nonblocking=*/true)) {
      appender.channel.Reset();
    }
  }
}

// One segment for each order, and one piece of it in each turn: what was appended meanwhile waits
// no longer for more.
void Role::AnswerOrder(Appender& appender) {
  const auto answer = archiver_.Step(appender.archive);
  if (!answer) return;
  appender.archive.clear();
  out_.clear();
  Encode(ipc::TextMessage{MessageType::kLedgerArchived, *answer}, &out_);
  if (!ipc::Send(appender.channel.get(), out_, {}, /*nonblocking=*/true)) appender.channel.Reset();
}

ipc::LedgerState Role::StateNow() const {
  const broker::ledger::State& state = writer_.head().state;
  return {.latched = !writer_.latch().empty(),
          .latch_reason = writer_.latch(),
          .seq = state.seq,
          .leaf_hex = broker::ledger::LeafHex(state.leaf),
          .store_intended = state.store_intended,
          .store_confirmed = state.store_confirmed,
          .all_killed = state.all_killed,
          .killed = {state.killed.begin(), state.killed.end()}};
}

void Role::ReadControl() {
  while (!stopping_) {
    ipc::Message message;
    const Status got = ipc::Receive(control_.get(), &message, /*nonblocking=*/true);
    if (!got && got.error().detail == "empty") return;
    const auto text = ipc::DecodeText(message.bytes);
    if (!got || !text) {
      stopping_ = true;  // without its supervisor a role is nobody's
      return;
    }
    if (text->type == MessageType::kBrokerChannel) {
      TakeChannel(static_cast<size_t>(Origin::kBroker), message);
    } else if (text->type == MessageType::kSupervisorChannel) {
      TakeChannel(static_cast<size_t>(Origin::kSupervisor), message);
    } else if (text->type == MessageType::kDialerChannel) {
      TakeChannel(static_cast<size_t>(Origin::kDialer), message);
    } else if (text->type == MessageType::kReaderChannel && message.fds.size() == 1 &&
               text->text != AuditReader::kBroker) {
      reader_.AddChannel(text->text, std::move(message.fds[0]));
    } else if (text->type == MessageType::kPing) {
      Tell(MessageType::kWatchdog, {});
    } else if (text->type == MessageType::kStop) {
      stopping_ = asked_to_stop_ = true;
    } else {
      ports_.log.Warn("unexpected_message", {{"type", static_cast<int>(text->type)}});
    }
  }
}

void Role::TakeChannel(size_t index, ipc::Message& message) {
  if (message.fds.size() == 1) appenders_[index] = {.channel = std::move(message.fds[0])};
}

void Role::Tell(MessageType type, const std::string& text) {
  out_.clear();
  Encode(ipc::TextMessage{type, text}, &out_);
  // A supervisor that is gone shows as end-of-file, where it is acted upon.
  [[maybe_unused]] const Status ignored = ipc::Send(control_.get(), out_);
}

void Role::TellLatch() {
  if (writer_.latch() == told_latch_) return;
  told_latch_ = writer_.latch();
  Tell(MessageType::kLatched, told_latch_);
}

void Role::LogHead(bool now) {
  const broker::ledger::State& state = writer_.head().state;
  if (state.seq == logged_seq_ || (!now && ports_.clock.Now() < next_head_log_)) return;
  ports_.log.Info(
      "ledger_head",
      {{"instance", log_name_}, {"seq", state.seq}, {"leaf", broker::ledger::LeafHex(state.leaf)}});
  logged_seq_ = state.seq;
  next_head_log_ = ports_.clock.Now() + kHeadLogInterval;
}

void Role::Finish() {
  writer_.WriteCounts(/*all=*/true);
  uint64_t before = 0;
  do {  // what was on its way when the stop came
    before = writer_.head().state.seq;
    Turn();
  } while (writer_.head().state.seq != before);
  reader_.Stop();
  LogHead(/*now=*/true);
  if (asked_to_stop_) Tell(MessageType::kStopped, {});
}

}  // namespace sidecar::ledger
