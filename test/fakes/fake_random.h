#pragma once
#include "broker/ports/random.h"

/// Counts upwards: every byte differs from the one before, and tests are repeatable.
class FakeRandom final : public broker::Random {
 public:
  void Fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = static_cast<std::byte>(next_++);
  }

 private:
  unsigned char next_ = 1;
};
