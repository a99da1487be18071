#include "sidecar/broker/unseal_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret;

// "PURSERKK", so that a descriptor of something else is never taken for a key.
constexpr uint64_t kMagic = 0x4b4b524553525550;

/// The whole memory: one page at least, so that any key fits.
struct Layout {
  uint64_t magic;
  uint64_t size;
  char bytes[4096 - 2 * sizeof(uint64_t)];
};
static_assert(sizeof(Layout) == 4096);

/// Unmapped, not wiped: the pages belong to the descriptor.
class Mapping {
 public:
  Mapping(int fd, int protection)
      : at_(mmap(nullptr, sizeof(Layout), protection, MAP_SHARED, fd, 0)) {}
  ~Mapping() {
    if (ok()) munmap(at_, sizeof(Layout));
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  [[nodiscard]] bool ok() const { return at_ != MAP_FAILED; }
  Layout* operator->() const { return static_cast<Layout*>(at_); }

 private:
  void* at_;
};

}  // namespace

Result<ipc::Fd> KeepInMemfdSecret(const Secret& secret) {
  const std::string_view bytes = secret.Expose(Exit::kPassToRole);
  if (bytes.size() > sizeof(Layout::bytes))
    return Fail(ErrorCode::kInvalidRequest, "too large to keep for a successor");
  ipc::Fd fd(static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC)));
  if (!fd.valid()) return Fail(ErrorCode::kUnavailable, "the kernel has no memfd_secret");
  if (ftruncate(fd.get(), sizeof(Layout)) != 0)
    return Fail(ErrorCode::kUnavailable, "memfd_secret: no size");
  const Mapping memory(fd.get(), PROT_READ | PROT_WRITE);
  if (!memory.ok()) return Fail(ErrorCode::kUnavailable, "memfd_secret: RLIMIT_MEMLOCK");
  memory->magic = kMagic;
  memory->size = bytes.size();
  std::memcpy(memory->bytes, bytes.data(), bytes.size());
  return fd;
}

Result<Secret> ReadFromMemfdSecret(int fd) {
  // A shorter file would fault on access.
  struct stat facts{};
  if (fstat(fd, &facts) != 0 || facts.st_size != sizeof(Layout))
    return Fail(ErrorCode::kCorrupt, "kept key: not what a broker left");
  const Mapping memory(fd, PROT_READ);
  if (!memory.ok()) return Fail(ErrorCode::kUnavailable, "kept key: cannot be mapped");
  if (memory->magic != kMagic || memory->size > sizeof(Layout::bytes))
    return Fail(ErrorCode::kCorrupt, "kept key: not what a broker left");
  return Secret::CopyOf({memory->bytes, static_cast<size_t>(memory->size)});
}

}  // namespace sidecar::broker_role
