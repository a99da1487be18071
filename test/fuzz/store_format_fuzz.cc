// The records of store.db and the content of a key file. Whatever is read must be canonical: its
// encoding is the bytes that were read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "token_cache/key_encryption_key.h"
#include "token_cache/store_format.h"

namespace {

template <class Parsed, class Encode>
void CheckCanonical(const Parsed& parsed, Encode encode, std::string_view bytes) {
  if (parsed && encode(*parsed) != bytes) abort();
}

void CheckKey(std::string_view bytes) {
  const auto key = token_cache::ParseKey(broker::Secret::CopyOf(bytes), "fuzz");
  if (key && key->size() != token_cache::kKeyBytes) abort();
}

}  // namespace

// The first byte chooses the reader.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 64 << 10) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'h':
      CheckCanonical(token_cache::ParseHeader(bytes), token_cache::EncodeHeader, bytes);
      break;
    case 's':
      CheckCanonical(token_cache::ParseState(bytes), token_cache::EncodeState, bytes);
      break;
    case 'b':
      CheckCanonical(token_cache::ParseBucket(bytes), token_cache::EncodeBucket, bytes);
      break;
    case 'k':
      CheckKey(bytes);
      break;
    default:  // a byte, not an enum
      break;
  }
  return 0;
}
