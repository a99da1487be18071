// sidecar/supervisor/stop_file.h: a file that stops all agents.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "broker/base/log.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Looks for the file once a second: a stop must not hang on who has to tell whom, and whoever can
/// write the folder can use it with nothing but `touch`. Its content is not read. Not thread-safe.
class StopFile {
 public:
  static constexpr std::chrono::seconds kInterval{1};

  StopFile(EventLoop& loop, const broker::Log& log, std::function<void(bool there)> changed)
      : loop_(loop), log_(log), changed_(std::move(changed)) {}

  /// Looks at once, tells if it is there, and from then on tells each change.
  void Watch(std::string path);
  [[nodiscard]] bool there() const { return there_; }

 private:
  void Look();
  bool Exists();

  EventLoop& loop_;
  const broker::Log& log_;
  std::function<void(bool there)> changed_;
  std::string path_;
  bool there_ = false;
  EventLoop::Watch timer_;
};

}  // namespace sidecar::supervisor
