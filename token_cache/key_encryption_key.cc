#include "token_cache/key_encryption_key.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret, broker::Status;

constexpr size_t kHexBytes = 2 * kKeyBytes;
constexpr size_t kBase64Bytes = 44;                 // 32 bytes with padding
constexpr size_t kMaxKeyFileBytes = kHexBytes + 2;  // a final CR LF

std::string Why() {
  return std::strerror(errno);
}  // NOLINT(concurrency-mt-unsafe): glibc's is safe

Status CheckFile(int fd, KeySource source, const std::string& label) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return Fail(ErrorCode::kUnavailable, label + ": " + Why());
  if (!S_ISREG(facts.st_mode))
    return Fail(ErrorCode::kInvalidRequest, label + ": not a regular file");
  if (source == KeySource::kFile && (facts.st_mode & 077) != 0)
    return Fail(ErrorCode::kDenied, label + ": others can read the key; run: chmod 0600 " + label);
  return {};
}

// Hexadecimal and base64 differ in length from each other and from raw bytes: one reading each.
Result<Secret> Decode(Secret text, const std::string& label) {
  std::string_view in = text.Expose(Exit::kDeriveKey);
  if (in.size() == kKeyBytes) return text;
  while (!in.empty() && (in.back() == '\n' || in.back() == '\r')) in.remove_suffix(1);
  Secret key = Secret::Allocate(kKeyBytes);
  auto* const out = reinterpret_cast<unsigned char*>(key.Writable().data());
  size_t size = 0;
  const bool read =
      in.size() == kHexBytes
          ? sodium_hex2bin(out, kKeyBytes, in.data(), in.size(), nullptr, &size, nullptr) == 0
          : in.size() == kBase64Bytes &&
                sodium_base642bin(out, kKeyBytes, in.data(), in.size(), nullptr, &size, nullptr,
                                  sodium_base64_VARIANT_ORIGINAL) == 0;
  if (!read || size != kKeyBytes)
    return Fail(
        ErrorCode::kInvalidRequest,
        label + ": not a key; write 32 bytes, 64 hexadecimal digits, or base64 of 32 bytes");
  return key;
}

// Key Vault's own names and versions, and RSA's lengths from 2048 to 4096 bits: all of it becomes
// part of a request.
bool IsSound(const WrappedKek& wrapping) {
  constexpr size_t kMaxKeyNameBytes = 127;
  constexpr size_t kVersionBytes = 32;
  const size_t size = wrapping.wrapped.size();
  return !wrapping.key.empty() && wrapping.key.size() <= kMaxKeyNameBytes &&
         std::ranges::all_of(wrapping.key,
                             [](char c) {
                               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                      (c >= 'A' && c <= 'Z') || c == '-';
                             }) &&
         wrapping.version.size() == kVersionBytes &&
         std::ranges::all_of(
             wrapping.version,
             [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }) &&
         (size == 256 || size == 384 || size == 512);
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

bool SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

}  // namespace

bool Kdf::IsWithinLimits() const {
  if (kind != KdfKind::kArgon2id) {
    const bool derives = passes != 0 || memory_kib != 0 ||
                         std::ranges::any_of(salt, [](uint8_t b) { return b != 0; });
    return !derives && (wrapping.empty() || (kind == KdfKind::kKeyVault && IsSound(wrapping)));
  }
  return wrapping.empty() && passes >= 1 && passes <= kMaxPasses && memory_kib >= kMinMemoryKib &&
         memory_kib <= kMaxMemoryKib;
}

Secret NewKek(broker::Random& random) {
  Secret key = Secret::Allocate(kKeyBytes);
  random.Fill(std::as_writable_bytes(key.Writable()));
  return key;
}

Kdf NewPassphraseKdf(broker::Random& random) {
  Kdf kdf{.kind = KdfKind::kArgon2id, .passes = Kdf::kPasses, .memory_kib = Kdf::kMemoryKib};
  random.Fill(std::as_writable_bytes(std::span(kdf.salt)));
  return kdf;
}

Result<Secret> DeriveKek(const Secret& passphrase, const Kdf& kdf) {
  if (kdf.kind != KdfKind::kArgon2id || !kdf.IsWithinLimits())
    return Fail(ErrorCode::kInvalidRequest, "this store does not open with a passphrase");
  if (passphrase.size() < kMinPassphraseBytes)
    return Fail(ErrorCode::kInvalidRequest, "a passphrase has at least 16 characters");
  Secret key = Secret::Allocate(kKeyBytes);
  const std::string_view text = passphrase.Expose(Exit::kDeriveKey);
  const int derived = crypto_pwhash(
      reinterpret_cast<unsigned char*>(key.Writable().data()), kKeyBytes, text.data(), text.size(),
      kdf.salt.data(), kdf.passes, size_t{kdf.memory_kib} << 10, crypto_pwhash_ALG_ARGON2ID13);
  if (derived != 0) return Fail(ErrorCode::kUnavailable, "no memory to derive the key");
  return key;
}

Result<Secret> ParseKey(Secret text, const std::string& label) {
  auto key = Decode(std::move(text), label);
  if (!key) return key;
  if (sodium_is_zero(reinterpret_cast<const unsigned char*>(key->Expose(Exit::kDeriveKey).data()),
                     kKeyBytes) != 0)
    return Fail(ErrorCode::kInvalidRequest, label + ": the key is all zero");
  return key;
}

Result<Secret> ReadKey(int fd, KeySource source, const std::string& label) {
  if (const auto sound = CheckFile(fd, source, label); !sound)
    return std::unexpected(sound.error());
  Secret text = Secret::Allocate(kMaxKeyFileBytes + 1);
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got =
        pread(fd, text.Writable().data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(ErrorCode::kUnavailable, label + ": " + Why());
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.Truncate(size);
  return ParseKey(std::move(text), label);
}

Result<int> OpenKeyFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) return fd;
  if (errno == ENOENT) return Fail(ErrorCode::kNotFound, path + ": no such file");
  if (errno == ELOOP)
    return Fail(ErrorCode::kDenied, path + ": a symbolic link; name the file itself");
  return Fail(ErrorCode::kDenied, path + ": " + Why());
}

Status GenerateKeyFile(const std::string& path, broker::Random& random) {
  const Secret key = NewKek(random);
  Secret hex = Secret::Allocate(kHexBytes + 1);
  sodium_bin2hex(hex.Writable().data(), hex.size(),
                 reinterpret_cast<const unsigned char*>(key.Expose(Exit::kSealToDisk).data()),
                 kKeyBytes);
  hex.Writable()[kHexBytes] = '\n';

  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return Fail(ErrorCode::kConflict, path + ": exists; a key is never overwritten");
  if (fd < 0) return Fail(ErrorCode::kUnavailable, path + ": " + Why());
  const bool written = WriteAll(fd, hex.Expose(Exit::kSealToDisk)) && fsync(fd) == 0;
  close(fd);
  if (!written || !SyncFolderOf(path)) {
    unlink(path.c_str());
    return Fail(ErrorCode::kUnavailable, path + ": could not be written");
  }
  return {};
}

}  // namespace token_cache
