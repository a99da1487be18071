#include "sidecar/ipc/codec.h"

#include <array>

namespace sidecar::ipc {
namespace {

template <class Int>
void PutLittleEndian(std::string* out, Int value) {
  std::array<char, sizeof(Int)> bytes;
  for (size_t i = 0; i < sizeof(Int); ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  out->append(bytes.data(), bytes.size());
}

template <class Int>
Int GetLittleEndian(std::string_view bytes) {
  Int value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= static_cast<Int>(static_cast<Int>(static_cast<uint8_t>(bytes[i])) << (8 * i));
  }
  return value;
}

}  // namespace

void Writer::U32(uint32_t value) { PutLittleEndian(out_, value); }
void Writer::U64(uint64_t value) { PutLittleEndian(out_, value); }
void Writer::Text(std::string_view value) {
  U32(static_cast<uint32_t>(value.size()));
  out_->append(value);
}
void Writer::List(const std::vector<std::string>& values) {
  U32(static_cast<uint32_t>(values.size()));
  for (const std::string& value : values) Text(value);
}

std::string_view Reader::Take(size_t count) {
  if (!ok_ || count > in_.size()) {
    ok_ = false;
    return {};
  }
  const std::string_view taken = in_.substr(0, count);
  in_.remove_prefix(count);
  return taken;
}

uint8_t Reader::U8() { return GetLittleEndian<uint8_t>(Take(1)); }
uint32_t Reader::U32() { return GetLittleEndian<uint32_t>(Take(4)); }
uint64_t Reader::U64() { return GetLittleEndian<uint64_t>(Take(8)); }
std::string_view Reader::TextView() { return Take(U32()); }

bool Reader::Bool() {
  const uint8_t value = U8();
  if (value > 1) ok_ = false;
  return ok_ && value == 1;
}

std::vector<std::string> Reader::List() {
  const uint32_t count = U32();
  if (count > kMaxListItems) ok_ = false;
  std::vector<std::string> values;
  for (uint32_t i = 0; ok_ && i < count; ++i) values.emplace_back(TextView());
  return values;
}

}  // namespace sidecar::ipc
