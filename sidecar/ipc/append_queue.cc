#include "sidecar/ipc/append_queue.h"

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::ipc {

void AppendQueue::Add(std::string_view message) {
  const std::scoped_lock lock(mutex_);
  if (!frames_.empty() && JoinAppend(message, &frames_.back())) return;
  frames_.emplace_back(message);
}

bool AppendQueue::Flush(int fd) {
  const std::scoped_lock lock(mutex_);
  while (!frames_.empty()) {
    const auto sent = Send(fd, frames_.front(), {}, /*nonblocking=*/true);
    if (!sent) return sent.error().detail.ends_with("EAGAIN");
    frames_.pop_front();
  }
  return true;
}

}  // namespace sidecar::ipc
