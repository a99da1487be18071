#include "sidecar/supervisor/signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace sidecar::supervisor {

broker::Status Signals::Open(EventLoop& loop, Handlers handlers) {
  handlers_ = std::move(handlers);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  fd_ = ipc::Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_.valid()) {
    return broker::Fail(broker::ErrorCode::kUnavailable,
                        std::string("signalfd: ") + strerrorname_np(errno));
  }
  auto watch = loop.Add(fd_.get(), EPOLLIN, [this](uint32_t) { OnSignal(); });
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

void Signals::OnSignal() {
  signalfd_siginfo received{};
  if (read(fd_.get(), &received, sizeof(received)) != sizeof(received)) return;
  if (received.ssi_signo == SIGHUP) {
    handlers_.reload();
  } else if (received.ssi_signo == SIGUSR1) {
    handlers_.stop_agents();
  } else {
    handlers_.stop();
  }
}

}  // namespace sidecar::supervisor
