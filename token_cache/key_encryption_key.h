// token_cache/key_encryption_key.h: where the key comes from that wraps the store's data keys.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/random.h"

namespace token_cache {

inline constexpr size_t kKeyBytes = 32;  // XChaCha20-Poly1305

/// Wire-stable: stored in the header of the store.
enum class KdfKind : uint8_t { kNone = 1, kArgon2id = 2, kKeyVault = 3 };

/// A key-encryption key as a vault's key has wrapped it. Whoever may unwrap with that key has it.
struct WrappedKek {
  std::string key;      // what the vault calls the key that wrapped
  std::string version;  // of it
  std::string wrapped;  // RSA-OAEP-256: as long as the key's modulus
  bool operator==(const WrappedKek&) const = default;
  [[nodiscard]] bool empty() const { return *this == WrappedKek{}; }
};

/// How the key-encryption key follows from what an operator holds. Not secret; kept in the store.
struct Kdf {
  // 64 MiB and three passes: the second recommended option of RFC 9106 §4, for machines that cannot
  // spare 2 GiB; libsodium computes one lane, so each guess takes an attacker as long as four
  // would.
  static constexpr uint32_t kPasses = 3;
  static constexpr uint32_t kMemoryKib = 64 << 10;
  // A header that asks for more was not written by purser: it would only tie the broker down.
  static constexpr uint32_t kMaxPasses = 16;
  static constexpr uint32_t kMaxMemoryKib = 1 << 20;
  static constexpr uint32_t kMinMemoryKib = 8;  // libsodium's own minimum

  KdfKind kind = KdfKind::kNone;
  std::array<uint8_t, 16> salt{};  // all zero with kNone
  uint32_t passes = 0;
  uint32_t memory_kib = 0;
  WrappedKek wrapping;  // kKeyVault alone; empty there: the store has no keys yet

  [[nodiscard]] bool IsWithinLimits() const;
};

/// A fresh random key-encryption key, for a vault to wrap.
broker::Secret NewKek(broker::Random& random);

/// Argon2id with a fresh salt and the constants above, for `[seal] kind = "passphrase"`.
Kdf NewPassphraseKdf(broker::Random& random);

// Sixteen characters a person invents hold some 30 bits; shorter ones fall to a day of guessing.
inline constexpr size_t kMinPassphraseBytes = 16;

/// The key-encryption key of a passphrase. Takes about 0.2 s and `kdf.memory_kib` of memory.
/// Errors: kInvalidRequest (too short, or `kdf` is not Argon2id) · kUnavailable (memory).
broker::Result<broker::Secret> DeriveKek(const broker::Secret& passphrase, const Kdf& kdf);

/// A key-encryption key from the content of a key file: 32 raw bytes, 64 hexadecimal digits, or
/// base64, the latter two with or without a final newline. `label` names the source in error texts.
/// Errors: kInvalidRequest (not a key, or all zero).
broker::Result<broker::Secret> ParseKey(broker::Secret text, const std::string& label);

/// Whose permissions count for a key that is read from a descriptor.
enum class KeySource {
  kFile,               // readable by its owner alone, or refused
  kSystemdCredential,  // systemd guards its folder and shows an ACL mask as group bits
};

/// Reads a key-encryption key from the start of `fd`.
/// Errors: kDenied (others may read it; the detail holds the chmod that mends it) · kInvalidRequest
/// (not a regular file, and as ParseKey) · kUnavailable (cannot be read).
broker::Result<broker::Secret> ReadKey(int fd, KeySource source, const std::string& label);

/// Opens a key file for ReadKey: never through a symbolic link, never blocking on a pipe.
/// Returns a descriptor that the caller closes. Errors: kNotFound · kDenied (a link, or
/// permission).
broker::Result<int> OpenKeyFile(const std::string& path);

/// Creates `path` with mode 0600 and 64 hexadecimal digits of a fresh key, durable on return.
/// Errors: kConflict (exists: a key is never overwritten) · kUnavailable.
broker::Status GenerateKeyFile(const std::string& path, broker::Random& random);

}  // namespace token_cache
