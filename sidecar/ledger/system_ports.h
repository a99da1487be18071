// sidecar/ledger/system_ports.h: the real clock and the kernel's randomness.
#pragma once
#include <sodium.h>

#include "broker/ports/clock.h"
#include "broker/ports/random.h"

namespace sidecar::ledger {

class SystemClock final : public broker::Clock {
 public:
  [[nodiscard]] Steady Now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] Wall WallNow() const override { return std::chrono::system_clock::now(); }
};

class SystemRandom final : public broker::Random {
 public:
  void Fill(std::span<std::byte> out) override { randombytes_buf(out.data(), out.size()); }
};

}  // namespace sidecar::ledger
