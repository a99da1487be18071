// SealedStore's beginning: a new store, with its keys or before it has any. FORMAT.md has the
// records.
#include <new>
#include <span>
#include <utility>

#include "token_cache/sealed_store.h"

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Fail, broker::Secret, broker::Status;
using Table = SqliteFile::Table;

struct FirstKeys {
  DataKey name, data;
};

// Fills in all of the header but the store's id.
FirstKeys MakeKeys(const Secret& kek, const Kdf& kdf, SealHeader* header, broker::Random& random) {
  FirstKeys keys{NewDataKey(0, random), NewDataKey(1, random)};
  header->kdf = kdf;
  header->kek_id = KekId(kek, header->store_id);
  header->name_key = Wrap(keys.name, kek, *header, random);
  header->data_keys = {Wrap(keys.data, kek, *header, random)};
  return keys;
}

}  // namespace

Status SealedStore::Initialise(const std::string& path, const std::string& tenant,
                               const Secret& kek, const Kdf& kdf, broker::Random& random) {
  if (kek.size() != kKeyBytes || !kdf.IsWithinLimits())
    return Fail(ErrorCode::kInvalidRequest, "key-encryption key of a new store");
  try {
    SealHeader header;
    random.Fill(std::as_writable_bytes(std::span(header.store_id)));
    const FirstKeys keys = MakeKeys(kek, kdf, &header, random);
    const StoreState state{.tenant = tenant};
    return SqliteFile::Create(
        path, {{Table::kHeader, "", EncodeHeader(header)},
               {Table::kState, "",
                SealBox(keys.data, StateAad(header.store_id), EncodeState(state), random)}});
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  }
}

Status SealedStore::InitialiseWithoutKeys(const std::string& path, broker::Random& random) {
  SealHeader header{.kdf = {.kind = KdfKind::kKeyVault}};
  random.Fill(std::as_writable_bytes(std::span(header.store_id)));
  return SqliteFile::Create(path, {{Table::kHeader, "", EncodeHeader(header)}});
}

bool SealedStore::has_keys() const {
  const std::scoped_lock lock(db_mutex_);
  return !header_.data_keys.empty();
}

Status SealedStore::FirstSeal(const Secret& kek, const Kdf& kdf, GenerationBounds bounds) {
  if (kek.size() != kKeyBytes || kdf.kind != KdfKind::kKeyVault || kdf.wrapping.empty() ||
      !kdf.IsWithinLimits())
    return Fail(ErrorCode::kInvalidRequest, "key-encryption key of a new store");
  try {
    const std::scoped_lock lock(write_mutex_, db_mutex_);
    if (!header_.data_keys.empty()) return Fail(ErrorCode::kConflict, "the store has keys");
    if (bounds.intended > 0 && !bounds.accept_restored)
      return Fail(ErrorCode::kConflict,
                  "the ledger knows generation " + std::to_string(bounds.intended) +
                      " of the store, and this one is new: the store was taken away" +
                      std::string(kIfRestored));
    SealHeader header{.store_id = header_.store_id};
    FirstKeys made = MakeKeys(kek, kdf, &header, random_);
    StoreState state{.generation = bounds.intended, .tenant = tenant_};
    if (const auto done = file_->Commit({HeaderRow(header), StateRow(state, made.data)}); !done)
      return done;
    header_ = std::move(header);
    state_ = std::move(state);
    Keys keys{.name_key = std::move(made.name.bytes)};
    keys.data.push_back(std::move(made.data));
    keys_ = std::move(keys);
    return {};
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  }
}

}  // namespace token_cache
