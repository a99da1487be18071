#include "token_cache/sealed_box.h"

#include <sodium.h>

#include <utility>

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret;

constexpr size_t kIdBytes = 4;
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(sizeof(WrappedKey::nonce) == kNonceBytes);
static_assert(sizeof(WrappedKey::sealed) == kKeyBytes + kTagBytes);

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Writable(std::span<char> text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::string IdBytes(uint32_t id) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(id >> shift & 0xff);
  return out;
}

void Encrypt(const Secret& key, const unsigned char* nonce, std::string_view aad,
             std::string_view plain, unsigned char* out) {
  crypto_aead_xchacha20poly1305_ietf_encrypt(out, nullptr, Bytes(plain), plain.size(), Bytes(aad),
                                             aad.size(), nullptr, nonce,
                                             Bytes(key.Expose(Exit::kDeriveKey)));
}

bool Decrypt(const Secret& key, const unsigned char* nonce, std::string_view aad,
             std::string_view sealed, unsigned char* out) {
  return crypto_aead_xchacha20poly1305_ietf_decrypt(out, nullptr, nullptr, Bytes(sealed),
                                                    sealed.size(), Bytes(aad), aad.size(), nonce,
                                                    Bytes(key.Expose(Exit::kDeriveKey))) == 0;
}

}  // namespace

std::string SealBox(const DataKey& key, std::string_view aad, std::string_view plain,
                    broker::Random& random) {
  const std::string id = IdBytes(key.id);
  std::string box = id;
  box.resize(kIdBytes + kNonceBytes + plain.size() + kTagBytes);
  random.Fill(std::as_writable_bytes(std::span(box).subspan(kIdBytes, kNonceBytes)));
  auto* const at = reinterpret_cast<unsigned char*>(box.data());
  Encrypt(key.bytes, at + kIdBytes, id + std::string(aad), plain, at + kIdBytes + kNonceBytes);
  return box;
}

Result<Secret> OpenBox(const DataKey& key, std::string_view aad, std::string_view box) {
  if (box.size() < kIdBytes + kNonceBytes + kTagBytes || BoxKeyId(box) != key.id)
    return Fail(ErrorCode::kCorrupt, "sealed record");
  const std::string_view sealed = box.substr(kIdBytes + kNonceBytes);
  Secret plain = Secret::Allocate(sealed.size() - kTagBytes);
  if (!Decrypt(key.bytes, Bytes(box.substr(kIdBytes)), IdBytes(key.id) + std::string(aad), sealed,
               Writable(plain.Writable())))
    return Fail(ErrorCode::kCorrupt, "sealed record does not authenticate");
  return plain;
}

uint32_t BoxKeyId(std::string_view box) {
  if (box.size() < kIdBytes) return 0;
  uint32_t id = 0;
  for (const char c : box.substr(0, kIdBytes)) id = id << 8 | static_cast<uint8_t>(c);
  return id;
}

DataKey NewDataKey(uint32_t id, broker::Random& random) {
  DataKey key{id, Secret::Allocate(kKeyBytes)};
  random.Fill(std::as_writable_bytes(key.bytes.Writable()));
  return key;
}

WrappedKey Wrap(const DataKey& key, const Secret& kek, const SealHeader& header,
                broker::Random& random) {
  WrappedKey wrapped{.id = key.id};
  random.Fill(std::as_writable_bytes(std::span(wrapped.nonce)));
  Encrypt(kek, wrapped.nonce.data(), WrapAad(header, key.id), key.bytes.Expose(Exit::kSealToDisk),
          wrapped.sealed.data());
  return wrapped;
}

Result<DataKey> Unwrap(const WrappedKey& wrapped, const Secret& kek, const SealHeader& header) {
  DataKey key{wrapped.id, Secret::Allocate(kKeyBytes)};
  const std::string_view sealed(reinterpret_cast<const char*>(wrapped.sealed.data()),
                                wrapped.sealed.size());
  if (!Decrypt(kek, wrapped.nonce.data(), WrapAad(header, wrapped.id), sealed,
               Writable(key.bytes.Writable())))
    return Fail(ErrorCode::kCorrupt, "wrapped data key does not authenticate");
  return key;
}

std::array<uint8_t, 16> KekId(const Secret& kek, const StoreId& store) {
  std::array<uint8_t, 16> id{};
  std::string text = "purser kek id ";
  text.append(reinterpret_cast<const char*>(store.data()), store.size());
  const std::string_view key = kek.Expose(Exit::kDeriveKey);
  crypto_generichash(id.data(), id.size(), Bytes(text), text.size(), Bytes(key), key.size());
  return id;
}

std::string RowKey(const Secret& name_key, const broker::SecretId& id) {
  std::string text(1, static_cast<char>(std::to_underlying(id.kind)));
  text += id.name;
  std::string hash(crypto_generichash_BYTES, '\0');
  const std::string_view key = name_key.Expose(Exit::kDeriveKey);
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(), Bytes(text),
                     text.size(), Bytes(key), key.size());
  return hash;
}

}  // namespace token_cache
