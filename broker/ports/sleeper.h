// broker/ports/sleeper.h
#pragma once
#include <chrono>

namespace broker {

/// Waiting, by port, so that tests do not. Thread-safe: blocks the calling thread only.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  virtual void Sleep(std::chrono::milliseconds duration) = 0;
};

}  // namespace broker
