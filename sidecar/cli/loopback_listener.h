// sidecar/cli/loopback_listener.h: where the browser of a login comes back to.
#pragma once
#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace sidecar::cli {

/// Listens on 127.0.0.1 and on ::1, on one port that is free on both: what "localhost" means to a
/// browser is then ours, whichever it takes. Where the machine has one of the two alone, on that.
/// Serves whoever connects, for nobody can be told from the browser, and takes one request. Not
/// thread-safe.
class LoopbackListener {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Whether the target of a request ("/?code=…&state=…") is what is waited for.
  using IsAnswer = std::function<bool(std::string_view target)>;

  // More than a browser opens to one host at once; whoever comes then takes the oldest's place.
  static constexpr size_t kMaxConnections = 16;
  // From connecting to the last byte, and again to read the answer to something else.
  static constexpr std::chrono::seconds kPatience{10};

  /// Errors: kUnavailable (no loopback address, no free port).
  static broker::Result<LoopbackListener> Open();
  ~LoopbackListener();
  LoopbackListener(LoopbackListener&&) noexcept;
  LoopbackListener& operator=(LoopbackListener&&) = delete;

  [[nodiscard]] uint16_t port() const { return port_; }
  /// Adds all that Serve() wants to be called for.
  void AddTo(std::vector<pollfd>* polled) const;
  /// When Serve() is to be called even if nothing happens; nothing while nobody is connected.
  [[nodiscard]] std::optional<Time> NextDeadline() const;
  /// Accepts, reads and answers without waiting. Everything but the answer gets a short refusal,
  /// late ones too. Returns the target of the first request that is the answer, once the browser
  /// was told: call it no more then.
  std::optional<broker::Secret> Serve(Time now, const IsAnswer& is_answer);

 private:
  struct Connection;
  LoopbackListener(std::vector<int> listening, uint16_t port);
  void Accept(Time now);
  std::optional<broker::Secret> Read(Connection& connection, const IsAnswer& is_answer);

  std::vector<int> listening_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // the oldest first
};

}  // namespace sidecar::cli
