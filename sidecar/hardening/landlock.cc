#include "sidecar/hardening/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace sidecar::hardening {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;

// The headers of Debian 12 end at ABI 2; the rest is as landlock(7) numbers it.
constexpr uint64_t kFsOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr uint64_t kFsRefer = uint64_t{1} << 13;     // ABI 2
constexpr uint64_t kFsTruncate = uint64_t{1} << 14;  // ABI 3
constexpr uint64_t kFsIoctlDev = uint64_t{1} << 15;  // ABI 5
constexpr uint64_t kNetBindTcp = uint64_t{1} << 0;   // ABI 4
constexpr uint64_t kNetConnectTcp = uint64_t{1} << 1;
constexpr uint64_t kScopeAbstractUnix = uint64_t{1} << 0;  // ABI 6
constexpr uint64_t kScopeSignal = uint64_t{1} << 1;

constexpr uint64_t kReadFiles = LANDLOCK_ACCESS_FS_READ_FILE;
// Removing is part of renaming, and refer of renaming into the archive folder in it; the filter has
// no call that only removes. Truncating is for a torn tail, by descriptor; the filter has no
// truncate by path.
constexpr uint64_t kKeepSegments = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE | kFsRefer | kFsTruncate;

// struct landlock_ruleset_attr of ABI 6. Older kernels take it while what they do not know is zero.
struct RulesetAttributes {
  uint64_t handled_fs = 0;
  uint64_t handled_net = 0;
  uint64_t scoped = 0;
};

struct FolderRule {
  std::string path;
  uint64_t access;
};

RulesetAttributes AllThatIsKnown(int abi, Role role) {
  RulesetAttributes all{.handled_fs = kFsOfAbi1};
  if (abi >= 2) all.handled_fs |= kFsRefer;
  if (abi >= 3) all.handled_fs |= kFsTruncate;
  if (abi >= 4) all.handled_net = kNetBindTcp;
  // The dialer's ports may change with a reload, and a ruleset cannot; its host list decides.
  if (abi >= 4 && role != Role::kDialer) all.handled_net |= kNetConnectTcp;
  if (abi >= 5) all.handled_fs |= kFsIoctlDev;
  if (abi >= 6) all.scoped = kScopeAbstractUnix | kScopeSignal;
  return all;
}

// Folders, not files: whoever manages resolv.conf replaces the file, and a rule stays with the
// inode.
std::vector<FolderRule> ResolverFolders() {
  std::vector<FolderRule> rules{{"/etc", kReadFiles}};
  char target[PATH_MAX];
  if (realpath("/etc/resolv.conf", target) != nullptr) {
    const std::string path = target;
    const std::string folder = path.substr(0, path.rfind('/'));
    if (!folder.empty() && folder != "/etc") rules.push_back({folder, kReadFiles});
  }
  return rules;
}

std::vector<FolderRule> FoldersOf(Role role, const std::string& own_folder) {
  switch (role) {
    case Role::kLedger:
      return {{own_folder, kKeepSegments}};
    case Role::kDialer:
      return ResolverFolders();
    case Role::kSupervisor:
    case Role::kWindow:
    case Role::kBroker:
      break;
  }
  return {};
}

Status AddRule(int ruleset, const FolderRule& rule, uint64_t handled) {
  const int folder = open(rule.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return Fail(ErrorCode::kInvalidRequest, rule.path + ": " + strerrorname_np(errno));
  }
  landlock_path_beneath_attr beneath{.allowed_access = rule.access & handled, .parent_fd = folder};
  const long added =
      syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U);
  const int fault = errno;
  close(folder);
  if (added != 0) {
    return Fail(ErrorCode::kUnavailable, std::string("landlock: ") + strerrorname_np(fault));
  }
  return {};
}

}  // namespace

int LandlockAbi() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, size_t{0}, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Status RestrictFiles(Role role, const std::string& own_folder) {
  const int abi = LandlockAbi();
  if (abi == 0) return {};
  const RulesetAttributes attributes = AllThatIsKnown(abi, role);
  const auto ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0U));
  if (ruleset < 0) {
    return Fail(ErrorCode::kUnavailable, std::string("landlock: ") + strerrorname_np(errno));
  }
  Status done;
  for (const FolderRule& rule : FoldersOf(role, own_folder)) {
    if (done) done = AddRule(ruleset, rule, attributes.handled_fs);
  }
  if (done && syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0) {
    done = Fail(ErrorCode::kUnavailable, std::string("landlock: ") + strerrorname_np(errno));
  }
  close(ruleset);
  return done;
}

}  // namespace sidecar::hardening
