// token_cache/sealed_store.h: secrets kept at rest in store.db. FORMAT.md has the records.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/random.h"
#include "broker/ports/sealed_store.h"
#include "token_cache/sealed_box.h"
#include "token_cache/sqlite_file.h"
#include "token_cache/store_format.h"

namespace token_cache {

/// What the ledger says about the store's generation; both 0 for a ledger without such an entry.
struct GenerationBounds {
  uint64_t confirmed = 0;  // the last generation that was confirmed
  uint64_t intended = 0;   // the last that was announced; ≥ confirmed
  // An operator says that the store or the ledger came from a backup: the store is opened although
  // the two do not fit, and both go on from a generation that neither has seen.
  bool accept_restored = false;
};

struct RotationReport {
  uint64_t secrets = 0;   // re-encrypted by this call
  uint32_t data_key = 0;  // id of the data key that now seals everything
};

/// Thread-safe. Opens sealed: until Unseal() everything answers kUnavailable. Reads wait for a
/// commit under way, never for the ledger. A secret is at most kMaxSecretBytes.
class SealedStore final : public broker::SealedStore {
 public:
  /// Creates `path`, whole or not at all. Errors: kConflict (exists) · kUnavailable.
  static broker::Status Initialise(const std::string& path, const std::string& tenant,
                                   const broker::Secret& kek, const Kdf& kdf,
                                   broker::Random& random);
  /// The same without keys: FirstSeal() makes them, once a key vault can be asked.
  static broker::Status InitialiseWithoutKeys(const std::string& path, broker::Random& random);
  /// Call before the seccomp filter; later calls open no file. Borrows `witness` and `random`.
  /// Errors: kNotFound (no file: never a new empty store) · kDenied (others may read it) · kCorrupt
  /// · kUnavailable (another process holds it).
  static broker::Result<std::unique_ptr<SealedStore>> Open(const std::string& path,
                                                           std::string tenant,
                                                           broker::StoreWitness& witness,
                                                           broker::Random& random);

  /// How the key-encryption key is derived, or was wrapped; for before Unseal.
  [[nodiscard]] Kdf kdf() const;
  /// False from InitialiseWithoutKeys() to FirstSeal().
  [[nodiscard]] bool has_keys() const;
  /// Gives a store without keys its first ones in one commit, and unseals it. `kdf` is kKeyVault,
  /// with `kek` wrapped. Errors: kConflict (it has keys · the ledger knows of what was
  /// stored before: this is not that store) · kInvalidRequest · kUnavailable.
  broker::Status FirstSeal(const broker::Secret& kek, const Kdf& kdf, GenerationBounds bounds);
  /// Opens the data keys and compares the generation with the ledger's. Reads no secret. An error
  /// changes nothing: a sealed store stays sealed, an unsealed one goes on.
  /// Errors: kDenied (another key-encryption key) · kCorrupt (damaged · another tenant's) ·
  /// kConflict (an older copy was put back · newer than the ledger knows; with `accept_restored`
  /// neither is an error) · the witness's.
  broker::Status Unseal(const broker::Secret& kek, GenerationBounds bounds);
  /// Drops the keys: sealed from now on, as before Unseal(). Waits for a write under way.
  void Forget();
  [[nodiscard]] bool sealed() const;
  [[nodiscard]] uint64_t generation() const;

  // broker::SealedStore
  broker::Result<broker::StoredSecret> Get(const broker::SecretId& id) override;
  broker::Result<uint64_t> Put(const broker::SecretId& id, const broker::Secret& value,
                               std::optional<uint64_t> expected_version) override;
  broker::Result<std::vector<broker::StoredSecretInfo>> List() override;

  /// A short text of purser's own, such as the ledger's last acknowledged head. Only the first
  /// write of a name is a commit that the witness sees: an older value put back is not noticed, a
  /// vanished one is. Errors as those of Put and Get.
  broker::Status PutMarker(const std::string& name, const std::string& text);
  broker::Result<std::string> GetMarker(const std::string& name);

  /// Re-wraps with `new_kek` and re-encrypts everything under a new data key, bucket by bucket;
  /// reads and writes go on. From its first commit on only `new_kek` opens the store, so the caller
  /// has that key on disk before. A crash leaves a store that ResumeRotation() finishes.
  /// Finishes an interrupted rotation first. Blocks; one at a time (kConflict).
  broker::Result<RotationReport> RotateSeal(const broker::Secret& new_kek, const Kdf& kdf);
  /// Finishes an interrupted rotation; with none under way the report counts no secrets.
  broker::Result<RotationReport> ResumeRotation();
  [[nodiscard]] bool rotation_pending() const;

  /// Sealed records opened so far; a test shows with it that Unseal does not read the secrets.
  [[nodiscard]] uint64_t test_only_opened() const { return opened_; }

 private:
  struct Keys {
    broker::Secret name_key;
    std::vector<DataKey> data;  // one; two during a rotation, the newer one last
  };

  SealedStore(std::unique_ptr<SqliteFile> file, SealHeader header, std::string tenant,
              broker::StoreWitness& witness, broker::Random& random);

  // The functions below want db_mutex_ held, or write_mutex_ where they only read state_ and keys_.
  [[nodiscard]] broker::Status CheckUnsealed() const;
  broker::Result<broker::Secret> Open(std::string_view aad, std::string_view box);
  broker::Result<Keys> OpenKeys(const broker::Secret& kek) const;
  broker::Result<StoreState> ReadState(const Keys& keys);
  broker::Result<Bucket> ReadBucket(size_t number);
  broker::Result<broker::Secret> ReadSecret(const std::string& row_key, const IndexEntry& entry);
  [[nodiscard]] const DataKey& newest() const { return keys_->data.back(); }
  SqliteFile::Row StateRow(const StoreState& state, const DataKey& key);
  SqliteFile::Row BucketRow(size_t number, const Bucket& bucket, uint64_t generation);
  SqliteFile::Row HeaderRow(const SealHeader& header) const;

  // These want write_mutex_ held, and take db_mutex_ for the database.
  broker::Result<uint64_t> PutLocked(const broker::SecretId& id, const broker::Secret& value,
                                     std::optional<uint64_t> expected_version);
  broker::Result<Bucket> BucketForWriting(size_t number);
  broker::Status CommitWitnessed(std::vector<SqliteFile::Row> rows, StoreState next,
                                 const broker::SecretId& id, uint64_t version);
  broker::Status BeginRotation(const broker::Secret& new_kek, const Kdf& kdf);
  broker::Result<uint64_t> RotateBucket(size_t number);
  broker::Status RotateMarkers();
  broker::Status FinishRotation();

  std::mutex rotation_mutex_;    // taken first
  std::mutex write_mutex_;       // then this: one change at a time, the ledger's answer included
  mutable std::mutex db_mutex_;  // last: the database, and writing to what is below
  std::unique_ptr<SqliteFile> file_;
  SealHeader header_;
  const std::string tenant_;
  broker::StoreWitness& witness_;
  broker::Random& random_;
  std::optional<Keys> keys_;  // none: sealed
  StoreState state_;
  std::atomic<uint64_t> opened_{0};
};

}  // namespace token_cache
