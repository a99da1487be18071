// token_cache/store_format.h: the records inside store.db. FORMAT.md has the grammar. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/ports/sealed_store.h"
#include "token_cache/key_encryption_key.h"

namespace token_cache {

inline constexpr uint8_t kFormatVersion = 1;
// A Put re-seals one bucket: with 100,000 secrets about 400 entries of 40 bytes. More buckets would
// make the state record, which every commit re-seals, the larger part.
inline constexpr size_t kBuckets = 256;
inline constexpr size_t kMaxNameBytes = 255;  // a credential's name in purser.toml
inline constexpr size_t kMaxSecretBytes =
    64 << 10;  // an RSA key with a long certificate chain is < 20 KiB
// The ledger's head, and what agents have used of some 700 limits.
inline constexpr size_t kMaxMarkerBytes = size_t{32} << 10;
inline constexpr size_t kMaxMarkers = 16;  // the ledger's head is one; the state record stays small

using StoreId = std::array<uint8_t, 16>;

/// A data key, encrypted under the key-encryption key.
struct WrappedKey {
  uint32_t id = 0;
  std::array<uint8_t, 24> nonce{};
  std::array<uint8_t, 48> sealed{};  // 32 bytes of key, 16 of tag
  bool operator==(const WrappedKey&) const = default;
};

/// The one record that is not encrypted: what is needed to get from the key-encryption key to the
/// data keys. Changing any of it makes the store refuse to open.
struct SealHeader {
  StoreId store_id{};
  Kdf kdf;
  std::array<uint8_t, 16> kek_id{};
  WrappedKey name_key;                // keys the hash of names; id 0
  std::vector<WrappedKey> data_keys;  // one; two while a rotation is under way, the newer one last;
                                      // none until a key vault has wrapped the first key
};

/// Re-sealed by every commit.
/// Behind what does not fit: only a person knows whether it is a backup of their own.
inline constexpr std::string_view kIfRestored =
    " (a backup that you put back yourself: purser restore --accept)";

struct StoreState {
  uint64_t generation = 0;
  std::string tenant;
  std::array<uint64_t, kBuckets> bucket_generation{};  // 0: no secret was ever put there
  std::set<std::string> markers;
};

struct IndexEntry {
  broker::SecretId id;
  uint64_t version = 0;
  uint64_t generation = 0;  // of the commit that wrote the row
};
/// Sorted by id, unique.
using Bucket = std::vector<IndexEntry>;

std::string EncodeHeader(const SealHeader& header);
std::string EncodeState(const StoreState& state);
std::string EncodeBucket(const Bucket& bucket);

// Canonical: bytes that parse are the bytes that encoding the result gives. Errors: kCorrupt.
broker::Result<SealHeader> ParseHeader(std::string_view bytes);
broker::Result<StoreState> ParseState(std::string_view bytes);
broker::Result<Bucket> ParseBucket(std::string_view bytes);

// Associated data: what each sealed record is bound to. The id of the data key is added by SealBox.
std::string WrapAad(const SealHeader& header, uint32_t key_id);
std::string StateAad(const StoreId& store);
std::string BucketAad(const StoreId& store, size_t number, uint64_t generation);
std::string SecretAad(const StoreId& store, std::string_view tenant, const IndexEntry& entry);
std::string MarkerAad(const StoreId& store, std::string_view tenant, std::string_view name);

}  // namespace token_cache
