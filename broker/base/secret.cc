#include "broker/base/secret.h"

#include <sodium.h>
#include <sys/mman.h>

#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

namespace broker {
namespace {

constexpr size_t kGranule = 64;  // one cache line: two secrets never share one

// First fit over a map of free ranges. Only offsets live in the map: no secret byte leaves the
// arena.
class Arena {
 public:
  static Arena& Instance() {
    static Arena arena;
    return arena;
  }

  Status Map(size_t bytes) {
    const std::scoped_lock lock(mutex_);
    return MapLocked(bytes);
  }

  char* Take(size_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (!MapLocked(SecretArena::kDefaultBytes)) throw std::bad_alloc();
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      if (it->second < bytes) continue;
      const auto [offset, length] = *it;
      free_.erase(it);
      if (length > bytes) free_[offset + bytes] = length - bytes;
      used_ += bytes;
      return base_ + offset;
    }
    throw std::bad_alloc();
  }

  void Give(char* at, size_t bytes) noexcept {
    sodium_memzero(at, bytes);
    const std::scoped_lock lock(mutex_);
    used_ -= bytes;
    auto [it, inserted] = free_.emplace(static_cast<size_t>(at - base_), bytes);
    if (const auto next = std::next(it);
        next != free_.end() && it->first + it->second == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it == free_.begin()) return;
    if (const auto before = std::prev(it); before->first + before->second == it->first) {
      before->second += it->second;
      free_.erase(it);
    }
  }

  std::span<const char> Range() {
    const std::scoped_lock lock(mutex_);
    return {base_, size_};
  }
  size_t used() {
    const std::scoped_lock lock(mutex_);
    return used_;
  }

 private:
  // REQUIRES: mutex_ held. Does nothing when the arena is there.
  Status MapLocked(size_t bytes) {
    if (base_ != nullptr) return {};
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return Fail(ErrorCode::kUnavailable, "mmap of the secret arena failed");
    if (mlock(at, bytes) != 0) {
      munmap(at, bytes);
      return Fail(ErrorCode::kUnavailable,
                  "cannot lock " + std::to_string(bytes >> 10) + " KiB; raise RLIMIT_MEMLOCK");
    }
    if (madvise(at, bytes, MADV_DONTDUMP) != 0 || madvise(at, bytes, MADV_WIPEONFORK) != 0) {
      munmap(at, bytes);
      return Fail(ErrorCode::kUnavailable, "madvise of the secret arena failed");
    }
    base_ = static_cast<char*>(at);
    size_ = bytes;
    free_[0] = bytes;
    return {};
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  size_t size_ = 0;
  size_t used_ = 0;
  std::map<size_t, size_t> free_;  // offset -> length
};

size_t RoundUp(size_t size) { return (size + kGranule - 1) / kGranule * kGranule; }

}  // namespace

Status SecretArena::Init(size_t bytes) { return Arena::Instance().Map(RoundUp(bytes)); }
std::span<const char> SecretArena::Range() { return Arena::Instance().Range(); }
size_t SecretArena::used_bytes() { return Arena::Instance().used(); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  return *this;
}

Secret Secret::Allocate(size_t size) {
  Secret made;
  if (size == 0) return made;
  made.capacity_ = RoundUp(size);
  made.data_ = Arena::Instance().Take(made.capacity_);
  made.size_ = size;
  return made;
}

Secret Secret::CopyOf(std::string_view source) {
  Secret made = Allocate(source.size());
  if (!source.empty()) std::memcpy(made.data_, source.data(), source.size());
  return made;
}

Secret Secret::TakeFrom(std::string& source) {
  Secret taken = CopyOf(source);
  sodium_memzero(source.data(), source.size());
  source.clear();
  return taken;
}

void Secret::Append(std::string_view more) {
  if (size_ + more.size() > capacity_) {
    Secret grown = Allocate((size_ + more.size()) * 2);
    if (size_ != 0) std::memcpy(grown.data_, data_, size_);
    grown.size_ = size_;
    *this = std::move(grown);
  }
  if (!more.empty()) std::memcpy(data_ + size_, more.data(), more.size());
  size_ += more.size();
}

void Secret::Truncate(size_t size) {
  if (size >= size_) return;
  sodium_memzero(data_ + size, size_ - size);
  size_ = size;
}

bool Secret::Equals(const Secret& other) const {
  return size_ == other.size_ && (size_ == 0 || sodium_memcmp(data_, other.data_, size_) == 0);
}

void Secret::Wipe() noexcept {
  if (data_ != nullptr) Arena::Instance().Give(data_, capacity_);
  data_ = nullptr;
  size_ = capacity_ = 0;
}

}  // namespace broker
