#include "sidecar/supervisor/layout.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "broker/ledger/segment_name.h"
#include "sidecar/supervisor/auditors.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::policy::Config, broker::policy::Paths;
using ipc::Fd;

constexpr mode_t kPublicFolder = 0755;  // sockets are reached through it
constexpr mode_t kOwnFolder = 0700;
constexpr mode_t kLedgerFolder = 02750;  // set-group-id: what is made in it stays in its group
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + what);
}

size_t Index(RoleKind kind) { return static_cast<size_t>(kind); }

std::string UserOf(RoleKind kind) { return "purser-" + std::string(NameOf(kind)); }

Result<Fd> Lock(const std::string& folder) {
  const std::string path = folder + "/lock";
  Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return FailOn(path, strerrorname_np(errno));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return Fail(ErrorCode::kConflict, path + ": another purserd uses this folder; stop it first");
  }
  return file;
}

Result<Fd> OpenExecutable(const std::string& path) {
  Fd file(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status{};
  if (!file.valid() || fstat(file.get(), &status) != 0) {
    return FailOn(path, std::string(strerrorname_np(errno)) + "; name the folder with --libexec");
  }
  if (!S_ISREG(status.st_mode)) return FailOn(path, "is not an executable file");
  const bool root = geteuid() == 0;
  if (root && (status.st_uid != 0 || (status.st_mode & kWritableByOthers) != 0)) {
    return FailOn(path,
                  "must belong to root and be writable by nobody else: chown root; chmod 0711");
  }
  if (!root && (status.st_mode & S_IWOTH) != 0) return FailOn(path, "is writable by everybody");
  return file;
}

}  // namespace

std::string_view NameOf(RoleKind kind) {
  switch (kind) {
    case RoleKind::kLedger:
      return "ledger";
    case RoleKind::kDialer:
      return "dialer";
    case RoleKind::kBroker:
      return "broker";
    case RoleKind::kWindow:
      return "window";
  }
  return "unknown";
}

Result<RoleUsers> FindRoleUsers() {
  RoleUsers users;
  if (geteuid() != 0) return users;
  for (const RoleKind kind : kAllRoles) {
    std::vector<char> buffer(size_t{16} << 10);
    passwd entry{};
    passwd* found = nullptr;
    const std::string name = UserOf(kind);
    getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr || entry.pw_uid == 0) {
      std::string advice = "missing: run `purser init`, or: useradd --system --user-group ";
      advice.append("--no-create-home --shell /usr/sbin/nologin ").append(name);
      return FailOn("user " + name, advice);
    }
    users.at(Index(kind)) = RunAs{entry.pw_uid, entry.pw_gid};
  }
  return users;
}

Result<Executables> OpenExecutables(const std::string& libexec) {
  Executables executables;
  for (const RoleKind kind : kAllRoles) {
    auto file = OpenExecutable(libexec + "/purser-" + std::string(NameOf(kind)));
    if (!file) return std::unexpected(file.error());
    executables.at(Index(kind)) = std::move(*file);
  }
  return executables;
}

std::string LedgerDir(const Paths& paths) { return paths.state + "/ledger"; }
std::string StoreDir(const Paths& paths) { return paths.state + "/store"; }
std::string StoreFile(const Paths& paths) { return StoreDir(paths) + "/store.db"; }
std::string AdminSocket(const Paths& paths) { return paths.run + "/admin/sock"; }
std::string AgentSocket(const Paths& paths, const std::string& agent) {
  return paths.run + "/agents/" + agent + "/sock";
}

Status PrepareFolder(const std::string& path, const std::optional<RunAs>& owner, mode_t mode) {
  const bool made = mkdir(path.c_str(), kOwnFolder) == 0;
  if (!made && errno != EEXIST) return FailOn(path, strerrorname_np(errno));
  const Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (!folder.valid() || fstat(folder.get(), &status) != 0) {
    return FailOn(path, "must be a folder, not a link");
  }
  const uid_t uid = owner ? owner->uid : geteuid();
  const gid_t gid = owner ? owner->gid : status.st_gid;
  if (!made && status.st_uid != uid && status.st_uid != geteuid()) {
    return FailOn(path, "belongs to uid " + std::to_string(status.st_uid) + ", not to " +
                            std::to_string(uid) + ": somebody else made it; look, then chown it");
  }
  if ((status.st_uid != uid || status.st_gid != gid) && fchown(folder.get(), uid, gid) != 0) {
    return FailOn(path, std::string("chown: ") + strerrorname_np(errno));
  }
  if ((status.st_mode & 07777) != mode && fchmod(folder.get(), mode) != 0) {
    return FailOn(path, std::string("chmod: ") + strerrorname_np(errno));
  }
  return {};
}

Result<Locks> PrepareFolders(const Config& config, const RoleUsers& users) {
  struct Folder {
    std::string path;
    std::optional<RunAs> owner;
    mode_t mode;
  };
  const Paths& paths = config.paths;
  const std::array folders{
      Folder{paths.state, std::nullopt, kPublicFolder},
      Folder{LedgerDir(paths), users.at(Index(RoleKind::kLedger)), kLedgerFolder},
      Folder{StoreDir(paths), users.at(Index(RoleKind::kBroker)), kOwnFolder},
      Folder{paths.run, std::nullopt, kPublicFolder},
      Folder{paths.run + "/agents", std::nullopt, kPublicFolder},
      Folder{paths.run + "/admin", std::nullopt, kPublicFolder},
  };
  for (const Folder& folder : folders) {
    if (Status made = PrepareFolder(folder.path, folder.owner, folder.mode); !made) {
      return std::unexpected(made.error());
    }
  }
  const std::string ledger = LedgerDir(paths);
  const std::string archive = ledger + "/" + std::string(broker::ledger::kArchiveFolder);
  for (const std::string& folder : {ledger, archive}) {
    if (folder == archive && access(archive.c_str(), F_OK) != 0)
      continue;  // inherits it, when made
    if (Status read = PermitAuditors(folder, config.admin.auditor_gids); !read) {
      return std::unexpected(read.error());
    }
  }
  auto state = Lock(paths.state);
  if (!state) return std::unexpected(state.error());
  auto run = Lock(paths.run);
  if (!run) return std::unexpected(run.error());
  return Locks{std::move(*state), std::move(*run)};
}

}  // namespace sidecar::supervisor
