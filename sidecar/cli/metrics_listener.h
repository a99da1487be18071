// sidecar/cli/metrics_listener.h: `purser metrics --listen`: metrics for whoever asks on this
// machine.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace sidecar::cli {

/// What a request, up to the empty line, is answered: 200 to `GET /metrics` of this machine, else
/// 400, 404, 405 or 421 (another host's: a page in a browser that had its name point here). Pure.
int ScrapeStatus(std::string_view head);

/// Listens on one loopback address and serves GET /metrics and nothing else, one request of a
/// connection. Any process of the machine may ask. Not thread-safe.
class MetricsListener {
 public:
  using Fetch = std::function<broker::Result<std::string>()>;

  // More than the collectors of a machine; whoever comes then takes the oldest's place.
  static constexpr size_t kMaxConnections = 16;
  // A collector sends some two hundred bytes.
  static constexpr size_t kMaxHeadBytes = size_t{8} << 10;
  // From connecting to the last byte of the answer: as long as Prometheus waits by default.
  static constexpr std::chrono::seconds kPatience{10};
  // Each look at the daemon has it start a process: whoever asks again at once gets the same.
  static constexpr std::chrono::seconds kFresh{1};

  /// `address`: "127.0.0.1:9464", "[::1]:9464"; port 0: one that is free.
  /// Errors: kInvalidRequest (no loopback address), kUnavailable (the port is taken).
  static broker::Result<MetricsListener> Open(std::string_view address);
  ~MetricsListener();
  MetricsListener(MetricsListener&&) noexcept;
  MetricsListener& operator=(MetricsListener&&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  /// Waits until something happens, and does it.
  void Serve(const Fetch& fetch);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Connection;
  MetricsListener(int fd, uint16_t port);
  void Accept(Time now);
  void Read(Connection& connection, const Fetch& fetch, Time now);
  std::string Answer(std::string_view head, const Fetch& fetch, Time now);

  int fd_ = -1;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // the oldest first
  std::string text_;                                      // of the last look
  Time looked_{};
};

struct Console;
/// `purser metrics --listen`: until it is ended. Returns an ExitCode where it cannot begin.
int ServeMetrics(const Console& console, const std::string& address);

}  // namespace sidecar::cli
