#include "broker/base/seal_box.h"

#include <sodium.h>

namespace broker {
namespace {

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string ToBase64(std::string_view raw) {
  std::string text(sodium_base64_encoded_len(raw.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), Bytes(raw), raw.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the terminator
  return text;
}

Result<std::string> FromBase64(std::string_view text, size_t max_bytes) {
  std::string raw(max_bytes, '\0');
  size_t size = 0;
  if (sodium_base642bin(Bytes(raw), raw.size(), text.data(), text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0) {
    return Fail(ErrorCode::kInvalidRequest, "not base64, or too large");
  }
  raw.resize(size);
  return raw;
}

}  // namespace

SealBox::SealBox()
    : public_key_(crypto_box_PUBLICKEYBYTES, '\0'),
      secret_key_(Secret::Allocate(crypto_box_SECRETKEYBYTES)) {
  crypto_box_keypair(Bytes(public_key_),
                     reinterpret_cast<unsigned char*>(secret_key_.Writable().data()));
  public_key_base64_ = ToBase64(public_key_);
}

Result<Secret> SealBox::Open(std::string_view sealed_base64) const {
  const auto sealed = FromBase64(sealed_base64, kMaxSealedBytes);
  if (!sealed) return std::unexpected(sealed.error());
  if (sealed->size() < crypto_box_SEALBYTES) {
    return Fail(ErrorCode::kInvalidRequest, "sealed box too short");
  }
  Secret plain = Secret::Allocate(sealed->size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(reinterpret_cast<unsigned char*>(plain.Writable().data()),
                           Bytes(*sealed), sealed->size(), Bytes(public_key_),
                           Bytes(secret_key_.Expose(Exit::kDeriveKey))) != 0) {
    return Fail(ErrorCode::kInvalidRequest, "not sealed to this key; fetch it again");
  }
  return plain;
}

Result<std::string> SealTo(std::string_view public_key_base64, const Secret& plain) {
  const auto key = FromBase64(public_key_base64, crypto_box_PUBLICKEYBYTES);
  if (!key || key->size() != crypto_box_PUBLICKEYBYTES) {
    return Fail(ErrorCode::kInvalidRequest, "not a public key");
  }
  std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
  if (crypto_box_seal(Bytes(sealed), Bytes(plain.Expose(Exit::kPassToRole)), plain.size(),
                      Bytes(*key)) != 0) {
    return Fail(ErrorCode::kInvalidRequest, "not a usable public key");
  }
  return ToBase64(sealed);
}

}  // namespace broker
