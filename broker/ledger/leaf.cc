#include "broker/ledger/leaf.h"

#include <nettle/sha2.h>

#include "broker/ledger/sha256.h"

namespace broker::ledger {
namespace {

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// Nettle uses the processor's SHA instructions, which libsodium does not (four times as fast), and
// is a tenth of OpenSSL's size.
Leaf Digest(sha256_ctx* context) {
  Leaf digest;
  sha256_digest(context, digest.size(), digest.data());
  return digest;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Leaf LeafHash(std::string_view line) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, 1, &kLeafPrefix);
  sha256_update(&context, line.size(), Bytes(line));
  return Digest(&context);
}

std::string Sha256Hex(std::string_view bytes) {
  sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), Bytes(bytes));
  return LeafHex(Digest(&context));
}

Sha256::Sha256() { sha256_init(&context_); }

void Sha256::Update(std::string_view bytes) {
  sha256_update(&context_, bytes.size(), Bytes(bytes));
}

std::string Sha256::Finish() { return LeafHex(Digest(&context_)); }

void AppendHex(const uint8_t* bytes, size_t count, std::string* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const size_t used = out->size();
  out->resize(used + 2 * count);
  char* p = out->data() + used;
  for (size_t i = 0; i < count; ++i) {
    *p++ = kDigits[bytes[i] >> 4];
    *p++ = kDigits[bytes[i] & 15];
  }
}

std::string LeafHex(const Leaf& leaf) {
  std::string hex;
  AppendHex(leaf.data(), leaf.size(), &hex);
  return hex;
}

std::optional<Leaf> ParseLeafHex(std::string_view hex) {
  Leaf leaf;
  if (hex.size() != 2 * leaf.size()) return std::nullopt;
  for (size_t i = 0; i < leaf.size(); ++i) {
    const int high = HexValue(hex[2 * i]);
    const int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    leaf[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return leaf;
}

}  // namespace broker::ledger
