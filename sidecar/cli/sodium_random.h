// sidecar/cli/sodium_random.h
#pragma once
#include <sodium.h>

#include "broker/ports/random.h"

namespace sidecar::cli {

/// libsodium's generator. REQUIRES: sodium_init() has succeeded.
class SodiumRandom final : public broker::Random {
 public:
  void Fill(std::span<std::byte> out) override { randombytes_buf(out.data(), out.size()); }
};

}  // namespace sidecar::cli
