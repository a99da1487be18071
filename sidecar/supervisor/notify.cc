#include "sidecar/supervisor/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <ctime>

namespace sidecar::supervisor {

Notifier::Notifier(const std::string& socket_name) : address_(socket_name) {
  const bool is_path = address_.starts_with('/');
  const bool is_abstract = address_.starts_with('@');
  if ((!is_path && !is_abstract) || address_.size() >= sizeof(sockaddr_un::sun_path)) {
    address_.clear();
    return;
  }
  if (is_abstract) address_.front() = '\0';
  socket_ = ipc::Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

void Notifier::Send(const std::string& text) {
  if (address_.empty() || !socket_.valid()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::ranges::copy(address_, to.sun_path);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  sendto(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&to), size);
}

void Notifier::Ready() { Send("READY=1"); }
void Notifier::Stopping() { Send("STOPPING=1"); }
void Notifier::Alive() { Send("WATCHDOG=1"); }
void Notifier::Status(const std::string& text) { Send("STATUS=" + text); }

void Notifier::Reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t microseconds = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  Send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

std::chrono::microseconds ParseWatchdogPeriod(const std::string& watchdog_usec) {
  int64_t value = 0;
  const char* const end = watchdog_usec.data() + watchdog_usec.size();
  const auto [rest, error] = std::from_chars(watchdog_usec.data(), end, value);
  if (error != std::errc() || rest != end || value < 0) return {};
  return std::chrono::microseconds(value);
}

}  // namespace sidecar::supervisor
