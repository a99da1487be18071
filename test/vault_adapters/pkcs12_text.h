// test/vault_adapters/pkcs12_text.h: a PKCS#12 file as Key Vault gives it.
#pragma once
#include <openssl/pkcs12.h>
#include <sodium.h>

#include <string>

/// Base64; takes `file`.
inline std::string TextOf(PKCS12* file) {
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(file, &der);
  const std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  PKCS12_free(file);
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return text;
}
