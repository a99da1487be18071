// sidecar/ipc/system_ports.h: the machine's clocks and randomness, for every role and the command.
#pragma once
#include <sodium.h>

#include <thread>

#include "broker/ports/clock.h"
#include "broker/ports/random.h"
#include "broker/ports/sleeper.h"

namespace sidecar {

/// Thread-safe.
class SystemClock final : public broker::Clock {
 public:
  [[nodiscard]] Steady Now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] Wall WallNow() const override { return std::chrono::system_clock::now(); }
};

/// Thread-safe.
class SystemSleeper final : public broker::Sleeper {
 public:
  void Sleep(std::chrono::milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

/// libsodium's generator (getrandom). Thread-safe. REQUIRES: sodium_init() has succeeded.
class SystemRandom final : public broker::Random {
 public:
  void Fill(std::span<std::byte> out) override { randombytes_buf(out.data(), out.size()); }
};

}  // namespace sidecar
