#include "sidecar/supervisor/refusals.h"

#include <sys/socket.h>

#include <utility>

namespace sidecar::supervisor {

void Refusals::Answer(ipc::Fd socket, std::string_view answer) {
  const ssize_t sent =
      send(socket.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 || lingering_.size() >= kMaxLingering) return;
  shutdown(socket.get(), SHUT_WR);
  const uint64_t id = next_++;
  auto hang_up = loop_.Add(socket.get(), 0, [this, id](uint32_t) { lingering_.erase(id); });
  if (!hang_up) return;
  auto deadline = loop_.After(kLinger, [this, id] { lingering_.erase(id); });
  lingering_.emplace(id, Lingering{std::move(socket), std::move(*hang_up), std::move(deadline)});
}

}  // namespace sidecar::supervisor
