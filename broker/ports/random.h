// broker/ports/random.h
#pragma once
#include <cstddef>
#include <span>

namespace broker {

/// Cryptographic randomness. Never fails: a process without it must not run.
class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<std::byte> out) = 0;
};

}  // namespace broker
