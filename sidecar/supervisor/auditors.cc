#include "sidecar/supervisor/auditors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/access_list.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;
using ipc::Fd;

constexpr uint16_t kRead = 4;
constexpr uint16_t kReadWrite = 6;
constexpr uint16_t kReadSearch = 5;
constexpr uint16_t kAll = 7;

bool Set(int fd, const char* attribute, const AccessList& list) {
  const std::string acl = Encode(list);
  return fsetxattr(fd, attribute, acl.data(), acl.size(), 0) == 0;
}

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest,
              path + ": cannot be given to the [admin] auditors: " + what);
}

// Nothing but a plain file of the folder's owner: its process, taken over, could have put a link
// there that leads to somebody else's.
bool IsItsOwn(int file, uid_t owner) {
  struct stat status{};
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
         status.st_uid == owner;
}

Status PermitFiles(const std::string& path, Fd folder, uid_t owner,
                   const std::vector<uint32_t>& gids) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(fdopendir(folder.get()), closedir);
  if (!list) return FailOn(path, strerrorname_np(errno));
  const int at = folder.Release();
  while (const dirent* entry = readdir(list.get())) {
    const Fd file(
        openat(at, entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.valid() || !IsItsOwn(file.get(), owner)) continue;
    if (!Set(file.get(), kAccessAcl,
             {.owner = kReadWrite, .group = kRead, .uid = {}, .gids = gids, .named = kRead})) {
      return FailOn(path + "/" + entry->d_name, strerrorname_np(errno));
    }
  }
  return {};
}

}  // namespace

Status PermitAuditors(const std::string& path, const std::vector<uint32_t>& gids) {
  Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (!folder.valid() || fstat(folder.get(), &status) != 0) {
    return FailOn(path, strerrorname_np(errno));
  }
  const AccessList list{
      .owner = kAll, .group = kReadSearch, .uid = {}, .gids = gids, .named = kReadSearch};
  if (Set(folder.get(), kAccessAcl, list) && Set(folder.get(), kDefaultAcl, list)) {
    return PermitFiles(path, std::move(folder), status.st_uid, gids);
  }
  const int why = errno;
  if (gids.empty()) return {};
  // Without access lists one group can have the folder; set-group-id gives it what is made there.
  const bool one = std::ranges::all_of(gids, [&](uint32_t gid) { return gid == gids.front(); });
  if (one && fchown(folder.get(), static_cast<uid_t>(-1), gids.front()) == 0 &&
      fchmod(folder.get(), status.st_mode & 07777) == 0) {
    return {};
  }
  return FailOn(path, std::string(strerrorname_np(why)) +
                          "; name one group that purserd may give it to, or put [paths] state on "
                          "a file system with access control lists");
}

}  // namespace sidecar::supervisor
