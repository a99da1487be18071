// SealedStore's rotation of the seal. FORMAT.md says what is on disk at each step.
#include <new>
#include <utility>

#include "token_cache/sealed_store.h"

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Secret, broker::Status;
using Table = SqliteFile::Table;

// What the witness is told that the two commits change which begin and end a rotation.
const broker::SecretId kSealId{"seal", broker::SecretKind::kInternal};

}  // namespace

bool SealedStore::rotation_pending() const {
  const std::scoped_lock lock(db_mutex_);
  return header_.data_keys.size() > 1;
}

Result<RotationReport> SealedStore::RotateSeal(const Secret& new_kek, const Kdf& kdf) {
  if (new_kek.size() != kKeyBytes || !kdf.IsWithinLimits())
    return Fail(ErrorCode::kInvalidRequest, "new key-encryption key");
  if (const auto resumed = ResumeRotation(); !resumed) return resumed;
  try {
    const std::scoped_lock lock(write_mutex_);
    if (sealed()) return Fail(ErrorCode::kUnavailable, "the store is sealed");
    if (const auto begun = BeginRotation(new_kek, kdf); !begun)
      return std::unexpected(begun.error());
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  }
  return ResumeRotation();
}

Result<RotationReport> SealedStore::ResumeRotation() {
  const std::unique_lock running(rotation_mutex_, std::try_to_lock);
  if (!running) return Fail(ErrorCode::kConflict, "a rotation of the seal is running");
  RotationReport report;
  try {
    for (size_t number = 0; number < kBuckets && rotation_pending(); ++number) {
      const std::scoped_lock lock(write_mutex_);
      if (sealed()) return Fail(ErrorCode::kUnavailable, "the store is sealed");
      const auto rotated = RotateBucket(number);
      if (!rotated) return std::unexpected(rotated.error());
      report.secrets += *rotated;
    }
    const std::scoped_lock lock(write_mutex_);
    if (sealed()) return Fail(ErrorCode::kUnavailable, "the store is sealed");
    if (const auto markers = RotateMarkers(); !markers) return std::unexpected(markers.error());
    if (const auto finished = FinishRotation(); !finished) return std::unexpected(finished.error());
    report.data_key = newest().id;
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  }
  return report;
}

// One commit: the header names the new key-encryption key and wraps both data keys with it; the
// state, and with it everything written from now on, is sealed with the new data key. The old
// key-encryption key never wraps the new data key: whoever stole it learns nothing that is new.
Status SealedStore::BeginRotation(const Secret& new_kek, const Kdf& kdf) {
  SealHeader header{.store_id = header_.store_id, .kdf = kdf};
  header.kek_id = KekId(new_kek, header.store_id);
  header.name_key = Wrap(DataKey{0, keys_->name_key.Clone()}, new_kek, header, random_);
  DataKey fresh = NewDataKey(newest().id + 1, random_);
  header.data_keys = {Wrap(newest(), new_kek, header, random_),
                      Wrap(fresh, new_kek, header, random_)};

  StoreState next = state_;
  ++next.generation;
  if (const auto told = witness_.Intend(next.generation, kSealId, fresh.id); !told) return told;
  {
    const std::scoped_lock lock(db_mutex_);
    if (const auto done = file_->Commit({HeaderRow(header), StateRow(next, fresh)}); !done)
      return done;
    header_ = std::move(header);
    state_ = next;
    keys_->data.push_back(std::move(fresh));
  }
  [[maybe_unused]] const Status confirmed = witness_.Confirm(next.generation, kSealId, newest().id);
  return {};
}

// One commit a bucket: its rows and itself, re-sealed with the new data key. Nothing that they say
// changes, so the generation stays.
Result<uint64_t> SealedStore::RotateBucket(size_t number) {
  const std::scoped_lock lock(db_mutex_);
  const auto bucket = ReadBucket(number);
  if (!bucket) return std::unexpected(bucket.error());
  std::vector<SqliteFile::Row> rows;
  for (const IndexEntry& entry : *bucket) {
    const std::string row_key = RowKey(keys_->name_key, entry.id);
    const auto value = ReadSecret(row_key, entry);
    if (!value) return std::unexpected(value.error());
    rows.push_back({Table::kSecret, row_key,
                    SealBox(newest(), SecretAad(header_.store_id, tenant_, entry),
                            value->Expose(broker::Exit::kSealToDisk), random_)});
  }
  if (rows.empty()) return 0;
  const uint64_t secrets = rows.size();
  rows.push_back(BucketRow(number, *bucket, state_.bucket_generation.at(number)));
  if (const auto done = file_->Commit(rows); !done) return std::unexpected(done.error());
  return secrets;
}

Status SealedStore::RotateMarkers() {
  const std::scoped_lock lock(db_mutex_);
  if (header_.data_keys.size() < 2) return {};
  std::vector<SqliteFile::Row> rows;
  for (const std::string& name : state_.markers) {
    const auto box = file_->Read(Table::kMarker, name);
    if (!box) return std::unexpected(box.error());
    if (!*box) return Fail(ErrorCode::kCorrupt, "the marker " + name + " has vanished");
    const std::string aad = MarkerAad(header_.store_id, tenant_, name);
    const auto plain = Open(aad, **box);
    if (!plain) return std::unexpected(plain.error());
    rows.push_back({Table::kMarker, name,
                    SealBox(newest(), aad, plain->Expose(broker::Exit::kSealToDisk), random_)});
  }
  return rows.empty() ? Status{} : file_->Commit(rows);
}

// Drops the old data key. The new one stays wrapped as it is, so this needs no key-encryption key.
Status SealedStore::FinishRotation() {
  if (header_.data_keys.size() < 2) return {};
  SealHeader header = header_;
  header.data_keys.erase(header.data_keys.begin());
  StoreState next = state_;
  ++next.generation;
  if (const auto done = CommitWitnessed({HeaderRow(header)}, std::move(next), kSealId, newest().id);
      !done)
    return done;
  const std::scoped_lock lock(db_mutex_);
  header_ = std::move(header);
  keys_->data.erase(keys_->data.begin());
  return file_->Checkpoint();  // the log still held records under the old key
}

}  // namespace token_cache
