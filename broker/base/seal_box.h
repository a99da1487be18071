// broker/base/seal_box.h: what a person typed, sealed to the broker, so that no window reads it.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker {

/// An X25519 key pair of this process's lifetime (libsodium's crypto_box_seal). Thread-safe.
class SealBox {
 public:
  // A PEM private key with its chain has a few kB; the window's body limit is 64 KiB in base64.
  static constexpr size_t kMaxSealedBytes = size_t{48} << 10;

  SealBox();
  /// Base64 of the public key, for GET /v1/seal-key.
  [[nodiscard]] const std::string& public_key() const { return public_key_base64_; }
  /// Opens the base64 of a sealed box. Errors: kInvalidRequest (not base64, too large, or not for
  /// this key: the broker was restarted meanwhile).
  [[nodiscard]] Result<Secret> Open(std::string_view sealed_base64) const;

 private:
  std::string public_key_;
  std::string public_key_base64_;
  Secret secret_key_;
};

/// Base64 of `plain` sealed to a public key in base64. Errors: kInvalidRequest (not a key).
Result<std::string> SealTo(std::string_view public_key_base64, const Secret& plain);

}  // namespace broker
