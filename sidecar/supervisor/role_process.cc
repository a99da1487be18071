#include "sidecar/supervisor/role_process.h"

#include <sys/epoll.h>

#include <utility>

namespace sidecar::supervisor {

using broker::Result;
using ipc::MessageType;

namespace {

bool IsQuestion(MessageType type) {
  return type == MessageType::kStatusQuery || type == MessageType::kOpenFile;
}

}  // namespace

RoleProcess::RoleProcess(const broker::Clock& clock, Name name, Callbacks callbacks)
    : clock_(clock),
      name_(std::move(name)),
      callbacks_(std::move(callbacks)),
      since_(clock.Now()) {}

Result<std::unique_ptr<RoleProcess>> RoleProcess::Start(EventLoop& loop, const broker::Clock& clock,
                                                        Name name, SpawnRequest request,
                                                        Callbacks callbacks) {
  auto pair = ipc::MakePair();
  if (!pair) return std::unexpected(pair.error());
  request.control = pair->second.get();
  auto child = Spawn(request);
  if (!child) return std::unexpected(child.error());
  std::unique_ptr<RoleProcess> role(new RoleProcess(clock, std::move(name), std::move(callbacks)));
  role->child_ = std::move(*child);
  role->control_ = std::move(pair->first);
  RoleProcess* self = role.get();
  auto control = loop.Add(self->control_.get(), EPOLLIN, [self](uint32_t) { self->OnControl(); });
  if (!control) return std::unexpected(control.error());
  self->control_watch_ = std::move(*control);
  auto exit = loop.Add(self->child_.pidfd.get(), EPOLLIN, [self](uint32_t) { self->OnExit(); });
  if (!exit) return std::unexpected(exit.error());
  self->exit_watch_ = std::move(*exit);
  return role;
}

RoleProcess::~RoleProcess() {
  if (reaped_ || child_.pid <= 0) return;
  Kill();
  Reap(child_);
}

void RoleProcess::Kill() {
  control_watch_.Reset();
  killed_ = true;  // nothing that it still says counts
  if (!reaped_) supervisor::Kill(child_);
}

void RoleProcess::Tell(MessageType type, std::string_view text, const std::vector<int>& fds) {
  std::string bytes;
  Encode(ipc::TextMessage{type, std::string(text)}, &bytes);
  if (!ipc::Send(control_.get(), bytes, fds, /*nonblocking=*/true)) Kill();
}

bool RoleProcess::Offer(const ipc::Connection& connection, const std::vector<int>& fds) {
  std::string bytes;
  Encode(connection, &bytes);
  // One frame, so that a full queue leaves nothing half sent.
  if (bytes.size() >= ipc::kMaxFrameBytes) return false;
  return ipc::Send(control_.get(), bytes, fds, /*nonblocking=*/true).has_value();
}

bool RoleProcess::TakeMessage() {
  if (killed_) return false;
  const broker::Status received = ipc::ReceiveShort(control_.get(), &message_);
  if (!received) {
    if (received.error().detail == "empty") return false;
    Kill();  // closed or malformed: either way this life is over
    return false;
  }
  const auto type = ipc::TypeOf(message_.bytes);
  if (!type || (!IsQuestion(*type) && !chatter_.Take(clock_.Now()))) {
    Kill();
    return false;
  }
  callbacks_.message(*this, *type, message_);
  return true;
}

// One message per round: nobody keeps the loop for himself.
void RoleProcess::OnControl() { TakeMessage(); }

void RoleProcess::OnExit() {
  // What it said before it went still counts: its findings, or that it had stopped.
  while (TakeMessage()) {
  }
  reaped_ = true;
  const std::string how = Reap(child_);
  control_watch_.Reset();
  exit_watch_.Reset();
  const auto died = std::move(callbacks_.died);  // outlives this, which it may destroy
  died(*this, how);
}

}  // namespace sidecar::supervisor
