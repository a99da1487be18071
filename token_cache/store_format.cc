#include "token_cache/store_format.h"

#include <algorithm>
#include <concepts>
#include <optional>
#include <utility>

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::SecretKind;

constexpr std::string_view kMagic = "PURSERST";

/// Big-endian integers; strings with two bytes of length before them.
class Writer {
 public:
  template <std::unsigned_integral Int>
  Writer& Put(Int value) {
    for (size_t i = sizeof(Int); i-- > 0;) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  Writer& Raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  template <size_t N>
  Writer& Raw(const std::array<uint8_t, N>& bytes) {
    bytes_.append(reinterpret_cast<const char*>(bytes.data()), N);
    return *this;
  }
  Writer& Text(std::string_view text) { return Put(static_cast<uint16_t>(text.size())).Raw(text); }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// After the first byte too few every read yields zeroes, and done() is false for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <std::unsigned_integral Int>
  Int Get() {
    uint64_t value = 0;
    for (const char c : Raw(sizeof(Int))) value = value << 8 | static_cast<uint8_t>(c);
    return static_cast<Int>(value);
  }
  std::string_view Raw(size_t size) {
    if (size > rest_.size()) {
      short_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  template <size_t N>
  void Raw(std::array<uint8_t, N>& out) {
    const std::string_view taken = Raw(N);
    std::ranges::transform(taken, out.begin(), [](char c) { return static_cast<uint8_t>(c); });
  }
  std::string_view Text() { return Raw(Get<uint16_t>()); }
  [[nodiscard]] bool ok() const { return !short_; }
  [[nodiscard]] bool done() const { return !short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

void PutKey(Writer& out, const WrappedKey& key) { out.Put(key.id).Raw(key.nonce).Raw(key.sealed); }

WrappedKey GetKey(Reader& in) {
  WrappedKey key;
  key.id = in.Get<uint32_t>();
  in.Raw(key.nonce);
  in.Raw(key.sealed);
  return key;
}

void PutKdf(Writer& out, const Kdf& kdf) {
  out.Put(static_cast<uint8_t>(kdf.kind)).Raw(kdf.salt).Put(kdf.passes).Put(kdf.memory_kib);
  if (kdf.kind != KdfKind::kKeyVault) return;
  out.Text(kdf.wrapping.key).Text(kdf.wrapping.version).Text(kdf.wrapping.wrapped);
}

std::optional<Kdf> GetKdf(Reader& in) {
  Kdf kdf;
  const auto kind = in.Get<uint8_t>();
  in.Raw(kdf.salt);
  kdf.passes = in.Get<uint32_t>();
  kdf.memory_kib = in.Get<uint32_t>();
  if (kind < std::to_underlying(KdfKind::kNone) || kind > std::to_underlying(KdfKind::kKeyVault))
    return std::nullopt;
  kdf.kind = static_cast<KdfKind>(kind);
  if (kdf.kind == KdfKind::kKeyVault) {
    kdf.wrapping.key = in.Text();
    kdf.wrapping.version = in.Text();
    kdf.wrapping.wrapped = in.Text();
  }
  return kdf.IsWithinLimits() ? std::optional(kdf) : std::nullopt;
}

bool IsKind(uint8_t kind) {
  return kind >= std::to_underlying(SecretKind::kRefreshToken) &&
         kind <= std::to_underlying(SecretKind::kInternal);
}

bool IsName(std::string_view name) { return !name.empty() && name.size() <= kMaxNameBytes; }

Writer Aad(std::string_view what, const StoreId& store) {
  Writer aad;
  aad.Raw("purser store ").Text(what).Put(kFormatVersion).Raw(store);
  return aad;
}

}  // namespace

std::string EncodeHeader(const SealHeader& header) {
  Writer out;
  out.Raw(kMagic).Put(kFormatVersion).Raw(header.store_id);
  PutKdf(out, header.kdf);
  out.Raw(header.kek_id);
  PutKey(out, header.name_key);
  out.Put(static_cast<uint8_t>(header.data_keys.size()));
  for (const WrappedKey& key : header.data_keys) PutKey(out, key);
  return out.Take();
}

Result<SealHeader> ParseHeader(std::string_view bytes) {
  Reader in(bytes);
  if (in.Raw(kMagic.size()) != kMagic) return Fail(ErrorCode::kCorrupt, "not a purser store");
  if (in.Get<uint8_t>() != kFormatVersion) return Fail(ErrorCode::kCorrupt, "store format unknown");
  SealHeader header;
  in.Raw(header.store_id);
  const auto kdf = GetKdf(in);
  if (!kdf) return Fail(ErrorCode::kCorrupt, "key derivation of the store is out of range");
  header.kdf = *kdf;
  in.Raw(header.kek_id);
  header.name_key = GetKey(in);
  const auto count = in.Get<uint8_t>();
  const bool keyless = kdf->kind == KdfKind::kKeyVault && kdf->wrapping.empty();
  if (keyless ? count != 0 : count < 1 || count > 2)
    return Fail(ErrorCode::kCorrupt, "store header: number of keys");
  if (keyless) {
    if (!in.done() || header.kek_id != SealHeader{}.kek_id || header.name_key != WrappedKey{})
      return Fail(ErrorCode::kCorrupt, "header of a store without keys");
    return header;
  }
  for (uint8_t i = 0; i < count; ++i) header.data_keys.push_back(GetKey(in));
  const bool ids_rise = header.name_key.id == 0 && header.data_keys.front().id > 0 &&
                        (count == 1 || header.data_keys[1].id > header.data_keys[0].id);
  if (!in.done() || !ids_rise) return Fail(ErrorCode::kCorrupt, "store header");
  return header;
}

std::string EncodeState(const StoreState& state) {
  Writer out;
  out.Put(state.generation).Text(state.tenant);
  for (const uint64_t generation : state.bucket_generation) out.Put(generation);
  out.Put(static_cast<uint8_t>(state.markers.size()));
  for (const std::string& name : state.markers) out.Text(name);
  return out.Take();
}

Result<StoreState> ParseState(std::string_view bytes) {
  Reader in(bytes);
  StoreState state;
  state.generation = in.Get<uint64_t>();
  state.tenant = in.Text();
  bool sound = true;
  for (uint64_t& generation : state.bucket_generation) {
    generation = in.Get<uint64_t>();
    sound = sound && generation <= state.generation;
  }
  const auto count = in.Get<uint8_t>();
  for (uint8_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view name = in.Text();
    sound = sound && IsName(name) && (state.markers.empty() || *state.markers.rbegin() < name);
    state.markers.emplace(name);
  }
  if (!in.done() || !sound || count > kMaxMarkers) return Fail(ErrorCode::kCorrupt, "store state");
  return state;
}

std::string EncodeBucket(const Bucket& bucket) {
  Writer out;
  for (const IndexEntry& entry : bucket) {
    out.Text(entry.id.name).Put(std::to_underlying(entry.id.kind));
    out.Put(entry.version).Put(entry.generation);
  }
  return out.Take();
}

Result<Bucket> ParseBucket(std::string_view bytes) {
  Reader in(bytes);
  Bucket bucket;
  while (in.ok() && !in.done()) {
    IndexEntry entry;
    entry.id.name = in.Text();
    const auto kind = in.Get<uint8_t>();
    entry.version = in.Get<uint64_t>();
    entry.generation = in.Get<uint64_t>();
    if (!in.ok() || !IsName(entry.id.name) || !IsKind(kind) || entry.version == 0)
      return Fail(ErrorCode::kCorrupt, "index entry");
    entry.id.kind = static_cast<SecretKind>(kind);
    if (!bucket.empty() && !(bucket.back().id < entry.id))
      return Fail(ErrorCode::kCorrupt, "index entries out of order");
    bucket.push_back(std::move(entry));
  }
  if (bucket.empty()) return Fail(ErrorCode::kCorrupt, "index bucket without entries");
  return bucket;
}

std::string WrapAad(const SealHeader& header, uint32_t key_id) {
  Writer aad = Aad("key", header.store_id);
  PutKdf(aad, header.kdf);
  return aad.Raw(header.kek_id).Put(key_id).Take();
}

std::string StateAad(const StoreId& store) { return Aad("state", store).Take(); }

std::string BucketAad(const StoreId& store, size_t number, uint64_t generation) {
  return Aad("bucket", store).Put(static_cast<uint32_t>(number)).Put(generation).Take();
}

std::string SecretAad(const StoreId& store, std::string_view tenant, const IndexEntry& entry) {
  Writer aad = Aad("secret", store);
  aad.Text(tenant).Text(entry.id.name).Put(std::to_underlying(entry.id.kind));
  return aad.Put(entry.version).Put(entry.generation).Take();
}

std::string MarkerAad(const StoreId& store, std::string_view tenant, std::string_view name) {
  return Aad("marker", store).Text(tenant).Text(name).Take();
}

}  // namespace token_cache
