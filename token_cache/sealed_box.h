// token_cache/sealed_box.h: XChaCha20-Poly1305 with random nonces. Pure but for the random port.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/random.h"
#include "token_cache/store_format.h"

namespace token_cache {

struct DataKey {
  uint32_t id = 0;
  broker::Secret bytes;  // kKeyBytes
};

/// key id (4 bytes, big-endian) | nonce (24) | ciphertext | tag (16). The key's id is bound too.
/// 192-bit nonces may be drawn at random for as long as one likes.
std::string SealBox(const DataKey& key, std::string_view aad, std::string_view plain,
                    broker::Random& random);
/// Errors: kCorrupt. Throws std::bad_alloc when the secret arena is full.
broker::Result<broker::Secret> OpenBox(const DataKey& key, std::string_view aad,
                                       std::string_view box);
/// Under which key the box was sealed; 0 when it is too short to be one.
uint32_t BoxKeyId(std::string_view box);

/// A new data key with this id.
DataKey NewDataKey(uint32_t id, broker::Random& random);
/// What `header` says about key-encryption key, store and derivation is bound to the wrapped key.
WrappedKey Wrap(const DataKey& key, const broker::Secret& kek, const SealHeader& header,
                broker::Random& random);
/// Errors: kCorrupt.
broker::Result<DataKey> Unwrap(const WrappedKey& wrapped, const broker::Secret& kek,
                               const SealHeader& header);

/// Tells a wrong key-encryption key from a damaged header, and says nothing about the key.
std::array<uint8_t, 16> KekId(const broker::Secret& kek, const StoreId& store);
/// The place of a secret: a keyed hash, so that the file names no credential. 32 bytes; the first
/// is the number of its bucket.
std::string RowKey(const broker::Secret& name_key, const broker::SecretId& id);

}  // namespace token_cache
