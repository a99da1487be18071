#pragma once
#include "sidecar/ipc/messages.h"
#include "test/sidecar/ledger/ledger_fixture.h"

/// A ledger role on a thread of this process, not hardened, with the three clients that it has.
class RunningRole {
 public:
  explicit RunningRole(const std::string& folder)
      : RunningRole(*sidecar::ledger::Disk::OpenFolder(folder)) {}
  explicit RunningRole(std::unique_ptr<sidecar::ledger::Disk> disk) : disk_(std::move(disk)) {
    auto [near, far] = *sidecar::ipc::MakePair();
    control_ = std::move(near);
    role_ = std::make_unique<sidecar::ledger::Role>(
        *disk_, sidecar::ledger::RoleOptions{.identity = {"test-log", "contoso.example", "boot-1"}},
        sidecar::ledger::Writer::Ports{clock, random_, log.log()}, std::move(far));
    started = role_->Start().has_value();
    thread_ = std::thread([this] { exit_code = role_->Serve("[]"); });
    Connect(broker, sidecar::ipc::MessageType::kBrokerChannel);
    Connect(supervisor, sidecar::ipc::MessageType::kSupervisorChannel);
    Connect(dialer, sidecar::ipc::MessageType::kDialerChannel);
  }
  ~RunningRole() { Stop(); }

  void Stop() {
    if (!thread_.joinable()) return;
    Send(sidecar::ipc::MessageType::kStop, {}, {});
    thread_.join();
  }

  sidecar::ipc::Fd Reader(const std::string& agent) {
    auto [near, far] = *sidecar::ipc::MakePair();
    Send(sidecar::ipc::MessageType::kReaderChannel, agent, {far.get()});
    return std::move(near);
  }

  void Send(sidecar::ipc::MessageType type, const std::string& text, const std::vector<int>& fds) {
    std::string out;
    Encode(sidecar::ipc::TextMessage{type, text}, &out);
    const auto sent = sidecar::ipc::Send(control_.get(), out, fds);
    if (!sent) throw std::runtime_error(sent.error().detail);
  }

  /// The next message that the role sends to its supervisor.
  sidecar::ipc::TextMessage NextFromRole() {
    sidecar::ipc::Message message;
    const auto got = sidecar::ipc::Receive(control_.get(), &message);
    if (!got) throw std::runtime_error(got.error().detail);
    return *sidecar::ipc::DecodeText(message.bytes);
  }

  FakeClock clock;
  CapturedLog log;
  sidecar::ipc::LedgerClient broker, supervisor, dialer;
  bool started = false;
  int exit_code = -1;

 private:
  void Connect(sidecar::ipc::LedgerClient& client, sidecar::ipc::MessageType type) {
    auto [near, far] = *sidecar::ipc::MakePair();
    Send(type, {}, {far.get()});
    client.Reset(std::move(near));
  }

  FakeRandom random_;
  std::unique_ptr<sidecar::ledger::Disk> disk_;
  sidecar::ipc::Fd control_;
  std::unique_ptr<sidecar::ledger::Role> role_;
  std::thread thread_;
};
