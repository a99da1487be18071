// sidecar/ipc/codec.h: fields of a message. Little-endian, length-prefixed, nothing optional.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar::ipc {

/// Appends fields to a buffer that the caller may reuse.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}
  void U8(uint8_t value) { out_->push_back(static_cast<char>(value)); }
  void Bool(bool value) { U8(value ? 1 : 0); }
  void U32(uint32_t value);
  void U64(uint64_t value);
  void I64(int64_t value) { U64(static_cast<uint64_t>(value)); }
  void Text(std::string_view value);  // u32 length, then the bytes
  void List(const std::vector<std::string>& values);

 private:
  std::string* out_;
};

/// Reads fields in the same order. After the first fault every read returns a zero value and
/// ok() is false. Every byte must be read: check Finished() last.
class Reader {
 public:
  static constexpr uint32_t kMaxListItems = 4096;  // more than any list of any message

  explicit Reader(std::string_view in) : in_(in) {}
  uint8_t U8();
  bool Bool();  // any byte but 0 and 1 is a fault
  uint32_t U32();
  uint64_t U64();
  int64_t I64() { return static_cast<int64_t>(U64()); }
  std::string_view TextView();
  std::string Text() { return std::string(TextView()); }
  std::vector<std::string> List();
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool Finished() const { return ok_ && in_.empty(); }
  void Fault() { ok_ = false; }

 private:
  std::string_view Take(size_t count);
  std::string_view in_;
  bool ok_ = true;
};

}  // namespace sidecar::ipc
