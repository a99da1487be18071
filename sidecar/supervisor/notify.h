// sidecar/supervisor/notify.h: sd_notify(3) without the library.
#pragma once
#include <chrono>
#include <string>

#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// Tells the service manager. Without one, every call does nothing. Never blocks.
class Notifier {
 public:
  /// `socket` is the value of NOTIFY_SOCKET: a path, or "@name" in the abstract namespace; anything
  /// else (systemd has vsock too) counts as none.
  explicit Notifier(const std::string& socket);

  void Ready();      // after the start and after each reload, successful or not
  void Reloading();  // with the moment, as Type=notify-reload asks
  void Stopping();
  void Alive();
  /// One line for `systemctl status`.
  void Status(const std::string& text);

 private:
  void Send(const std::string& text);
  std::string address_;  // sockaddr_un's path bytes; empty: nobody listens
  ipc::Fd socket_;
};

/// The value of WATCHDOG_USEC in microseconds; zero where it is absent or nonsense.
std::chrono::microseconds ParseWatchdogPeriod(const std::string& watchdog_usec);

}  // namespace sidecar::supervisor
