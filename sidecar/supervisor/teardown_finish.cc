#include "sidecar/supervisor/teardown_finish.h"

#include <sys/epoll.h>

#include <utility>

#include "broker/ledger/leaf.h"
#include "broker/ledger/state.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using ipc::MessageType;
using nlohmann::json;

// A start reads the whole tail of a large ledger; its exit is bounded likewise.
constexpr std::chrono::seconds kPatience{30};

/// The ledger's answers to what was asked at once: the entry, then the state behind it.
struct Answers {
  std::string refused;
  std::optional<ipc::LedgerState> state;

  // False: malformed.
  bool Take(std::string_view message) {
    if (ipc::TypeOf(message) == MessageType::kLedgerState) {
      auto decoded = ipc::DecodeLedgerState(message);
      if (decoded) state = std::move(*decoded);
      return decoded.has_value();
    }
    const auto acks = ipc::DecodeAcks(message);
    if (!acks) return false;
    for (const ipc::Ack& ack : *acks) refused = ack.detail;
    return true;
  }
};

Status Ask(int channel, const Entry& last) {
  std::string bytes;
  Encode(ipc::Append{1, last}, &bytes);
  if (Status sent = ipc::Send(channel, bytes); !sent) return sent;
  bytes.clear();
  Encode(ipc::TextMessage{MessageType::kLedgerQuery, {}}, &bytes);
  return ipc::Send(channel, bytes);
}

}  // namespace

Result<json> CloseLedger(TeardownPorts& ports, const broker::policy::Config& config,
                         const Entry& last) {
  EventLoop loop(ports.clock);
  if (Status opened = loop.Open(); !opened) return std::unexpected(opened.error());
  RoleFactory factory(loop, ports.clock, std::move(ports.roles));
  auto pair = ipc::MakePair();
  if (!pair) return std::unexpected(pair.error());
  Answers answers;
  bool gone = false, late = false;
  RoleProcess::Callbacks callbacks{[](RoleProcess&, MessageType, ipc::Message&) {},
                                   [&](RoleProcess&, const std::string&) { gone = true; }};
  auto ledger = factory.Start({.kind = RoleKind::kLedger}, config, std::move(callbacks));
  if (!ledger) return std::unexpected(ledger.error());
  (*ledger)->Tell(MessageType::kSupervisorChannel, {}, {pair->second.get()});
  pair->second.Reset();
  if (Status asked = Ask(pair->first.get(), last); !asked) return std::unexpected(asked.error());
  ipc::Message message;
  EventLoop::Watch watch;
  const auto read = [&](uint32_t) {
    const Status got = ipc::ReceiveShort(pair->first.get(), &message);
    const bool good = got && answers.Take(message.bytes);
    if (!good && (got || got.error().detail != "empty")) watch.Reset();
  };
  auto added = loop.Add(pair->first.get(), EPOLLIN, read);
  if (!added) return std::unexpected(added.error());
  watch = std::move(*added);
  const auto deadline = loop.After(kPatience, [&late] { late = true; });
  while (!answers.state && !gone && !late) loop.RunOnce(kPatience);
  if (!gone) (*ledger)->Tell(MessageType::kStop);
  while (!gone && !late) loop.RunOnce(kPatience);
  if (!answers.state) return Fail(ErrorCode::kUnavailable, "the ledger did not answer");
  const auto& state = *answers.state;
  if (!state.latch_reason.starts_with(broker::ledger::kClosedWord)) {
    return Fail(ErrorCode::kUnavailable,
                "the ledger does not take its last entry: " +
                    (state.latched ? state.latch_reason : answers.refused));
  }
  return json{{"seq", state.seq}, {"leaf", state.leaf_hex}};
}

Status FinishTeardown(TeardownPorts& ports, const broker::policy::Config& config,
                      TeardownNote note) {
  note.destroyed = CarryOutAll(DeedsOf(config));
  note.unreadable = TryToOpen(config, ports.credentials_directory);
  Entry last{.type = EntryType::kInstanceTornDown, .outcome = Outcome::kSuccess};
  last.policy_sha256 = config.sha256;
  last.change["by"] = std::string("purserd");
  last.change["report_sha256"] =
      broker::ledger::Sha256Hex(note.report.dump(-1, ' ', false, json::error_handler_t::replace));
  auto head = CloseLedger(ports, config, last);
  if (!head) return std::unexpected(head.error());
  note.ledger = std::move(*head);
  note.phase = TeardownPhase::kClosed;
  return WriteTeardown(config.paths, note);
}

}  // namespace sidecar::supervisor
