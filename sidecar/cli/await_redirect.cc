#include "sidecar/cli/await_redirect.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <ostream>
#include <vector>

#include "broker/entra/login_redirect.h"
#include "sidecar/cli/pasted_lines.h"

namespace sidecar::cli {
namespace {

using std::chrono::steady_clock;
using Waited = std::expected<broker::Secret, NoRedirect>;

/// Signals that would end the command become readable while it lives.
class Interruption {
 public:
  Interruption() {
    sigset_t ends;
    sigemptyset(&ends);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
    sigprocmask(SIG_BLOCK, &ends, &before_);
    fd_ = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  // What came is taken, so that it does not end the command after all.
  ~Interruption() {
    signalfd_siginfo taken;
    while (read(fd_, &taken, sizeof taken) == sizeof taken) continue;
    close(fd_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  sigset_t before_;
  int fd_;
};

// Declined counts, too: the broker says what that means.
bool IsAnswer(std::string_view text, const std::string& state) {
  const auto code = broker::entra::ReadRedirect(text, state);
  return code.has_value() || code.error().code == broker::ErrorCode::kDenied;
}

int MillisecondsUntil(steady_clock::time_point when, steady_clock::time_point now) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - now);
  return static_cast<int>(std::max<int64_t>(left.count(), 0));
}

std::optional<broker::Secret> AnswerAmong(PastedLines& pasted, const std::string& state,
                                          std::ostream& said) {
  while (auto line = pasted.Next()) {
    if (IsAnswer(line->Expose(broker::Exit::kInspectClaims), state)) return line;
    said << "That is not the address that this login ends at. It begins with http://localhost "
            "and has code= and state= in it; copy all of it."
         << std::endl;
  }
  return std::nullopt;
}

}  // namespace

Waited AwaitRedirect(LoopbackListener listener, const std::string& state,
                     std::chrono::seconds longest, const Spoken& spoken) {
  const Interruption interruption;
  PastedLines pasted;
  spoken.to << spoken.prompt << std::endl;
  const auto is_answer = [&state](std::string_view target) { return IsAnswer(target, state); };
  const auto end = steady_clock::now() + longest;
  std::vector<pollfd> polled;
  while (true) {
    auto now = steady_clock::now();
    if (now >= end) return std::unexpected(NoRedirect::kTimeout);
    // poll() skips negative descriptors.
    polled = {{interruption.fd(), POLLIN, 0}, {pasted.open() ? STDIN_FILENO : -1, POLLIN, 0}};
    listener.AddTo(&polled);
    const auto next = std::min(end, listener.NextDeadline().value_or(end));
    const int ready = poll(polled.data(), polled.size(), MillisecondsUntil(next, now));
    if (ready < 0 && errno != EINTR) return std::unexpected(NoRedirect::kFailed);
    if (polled[0].revents != 0) return std::unexpected(NoRedirect::kInterrupted);
    if (polled[1].revents != 0) {
      pasted.Read();
      if (auto answer = AnswerAmong(pasted, state, spoken.to)) return std::move(*answer);
    }
    if (auto answer = listener.Serve(steady_clock::now(), is_answer)) return std::move(*answer);
  }
}

}  // namespace sidecar::cli
