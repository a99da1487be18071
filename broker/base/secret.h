// broker/base/secret.h: bytes that wipe themselves and cannot be printed or copied.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "broker/base/result.h"

namespace broker {

/// Every lawful way out of a Secret. Adding a value is a security review; `grep -rn Exit::` lists
/// every reader.
enum class Exit {
  kSealToDisk,     // encrypted into the store, or wrapped
  kSendUpstream,   // in the body of a request to a listed host
  kHandToCaller,   // an access token to the agent whose request earned it
  kDeriveKey,      // as input of a key derivation or as a cipher's key
  kSign,           // a private key that signs a client assertion
  kInspectClaims,  // reading a token's claims to check what was minted
  kFingerprint,    // a keyed hash for the ledger
  kPassToRole,     // between purser's own processes
  kOwnRecord,      // a note of purser's own in the store, which is no secret
  kTest,
};

/// The process's one locked arena for secrets: mlocked, left out of core files, wiped in a forked
/// child. Thread-safe.
class SecretArena {
 public:
  // Below the default RLIMIT_MEMLOCK of 8 MiB; about 500 tokens of 4 kB.
  static constexpr size_t kDefaultBytes = size_t{4} << 20;

  /// Maps and locks the arena. Call once at start, before the seccomp filter; without the call the
  /// first Secret maps kDefaultBytes. Errors: kUnavailable when the memory cannot be locked.
  static Status Init(size_t bytes = kDefaultBytes);
  /// The arena's address range, for the test that looks for copies outside it.
  static std::span<const char> Range();
  static size_t used_bytes();
};

/// Move-only. The bytes live in the arena and are wiped on destruction.
/// Throws std::bad_alloc when the arena is full: the request that wanted it fails, nothing else.
class Secret {
 public:
  Secret() = default;
  ~Secret() { Wipe(); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Secret& operator=(Secret&& other) noexcept;

  /// `size` zero bytes, to be filled through Writable().
  static Secret Allocate(size_t size);
  /// Copies `source` into the arena, then wipes `source` in place and empties it.
  static Secret TakeFrom(std::string& source);
  /// Copies bytes that stay where they are; the owner of `source` wipes it.
  static Secret CopyOf(std::string_view source);

  /// Borrowed view, valid while *this lives and is not written to.
  [[nodiscard]] std::string_view Expose([[maybe_unused]] Exit reason) const {
    return {data_, size_};
  }
  /// For producers (decryption, a network read) to fill in place.
  [[nodiscard]] std::span<char> Writable() { return {data_, size_}; }

  /// Appends; grows inside the arena and wipes what it leaves behind.
  void Append(std::string_view more);
  void Append(const Secret& more) { Append(std::string_view{more.data_, more.size_}); }
  /// Shortens to `size` bytes and wipes the rest. REQUIRES: size <= this->size().
  void Truncate(size_t size);

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  /// Constant-time comparison.
  [[nodiscard]] bool Equals(const Secret& other) const;
  [[nodiscard]] Secret Clone() const { return CopyOf({data_, size_}); }

  template <class Stream>
  friend Stream& operator<<(Stream&, const Secret&) = delete;

 private:
  void Wipe() noexcept;
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace broker
