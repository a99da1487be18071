// broker/ports/sealed_store.h: secrets kept at rest.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker {

/// Wire-stable: part of a row's associated data. Append only.
enum class SecretKind : uint8_t {
  kRefreshToken = 1,
  kClientSecret = 2,
  kCertificate = 3,  // PEM: private key (PKCS#8) followed by the certificate
  kInternal = 4,     // purser's own keys and markers
};

/// What a row is bound to besides the tenant, which the store knows from its constructor.
struct SecretId {
  std::string name;  // the credential's name in purser.toml
  SecretKind kind;
  bool operator==(const SecretId&) const = default;
  auto operator<=>(const SecretId&) const = default;
};

struct StoredSecret {
  Secret value;
  uint64_t version = 0;  // 1 for the first value of this name, then one more each time
};

struct StoredSecretInfo {
  SecretId id;
  uint64_t version = 0;
};

/// Thread-safe. Every write is durable when it returns and is atomic over a crash: the old value or
/// the new one, never neither.
class SealedStore {
 public:
  virtual ~SealedStore() = default;
  /// Errors: kNotFound (never stored) · kCorrupt (row damaged, moved, or vanished from under its
  /// index) · kUnavailable (sealed, or the database failed).
  virtual Result<StoredSecret> Get(const SecretId& id) = 0;
  /// Stores `value` as the next version. With `expected_version`, only if that is still the current
  /// one (0: only if there is none), else kConflict. Returns the new version.
  virtual Result<uint64_t> Put(const SecretId& id, const Secret& value,
                               std::optional<uint64_t> expected_version) = 0;
  /// Names and versions from the sealed index, without opening a secret.
  virtual Result<std::vector<StoredSecretInfo>> List() = 0;
};

/// Told before and after each commit of the store, so that an older copy put back is noticed and a
/// crash in between is not mistaken for that (token_cache/FORMAT.md). The broker's implementation
/// writes ledger entries. An error from Intend aborts the commit.
class StoreWitness {
 public:
  virtual ~StoreWitness() = default;
  /// `generation` is about to be committed because `id` changes to `version`. Durable on return.
  virtual Status Intend(uint64_t generation, const SecretId& id, uint64_t version) = 0;
  /// `generation` has been committed.
  virtual Status Confirm(uint64_t generation, const SecretId& id, uint64_t version) = 0;
};

}  // namespace broker
