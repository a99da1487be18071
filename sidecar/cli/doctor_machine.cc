#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "broker/policy/selectors.h"
#include "broker/policy/sharing.h"
#include "sidecar/cli/doctor_command.h"
#include "sidecar/ipc/config_files.h"

namespace sidecar::cli {
namespace {

using Level = DoctorFinding::Level;
using Findings = std::vector<DoctorFinding>;

std::string Octal(mode_t mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3)
    text += static_cast<char>('0' + ((mode >> shift) & 7));
  return text;
}

// Whose a path has to be. Only root is told: purserd is then started as root, and who asks sees
// what belongs to others.
struct Owner {
  std::string user;  // empty: anybody's

  // Empty, or who owns it instead.
  [[nodiscard]] std::string Other(uid_t uid) const {
    if (user.empty() || geteuid() != 0) return {};
    const passwd* expected = getpwnam(user.c_str());
    if (expected == nullptr || expected->pw_uid == uid) return {};  // ExamineUsers misses it
    const passwd* other = getpwuid(uid);
    return other != nullptr ? other->pw_name : "user " + std::to_string(uid);
  }
};

// The folder above decides who can put another file in the place of this one; with a bit of
// `excused` in its mode nobody can but the owners.
void ExamineFolderOf(const std::string& path, const Owner& owner, Findings* found,
                     mode_t excused = S_ISVTX) {
  const std::string folder = path.substr(0, path.rfind('/'));
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0) return;  // the path itself is missing, too
  const std::string other = owner.Other(status.st_uid);
  if (!other.empty() && status.st_uid != 0) {
    found->push_back({Level::kBad, folder + " belongs to " + other,
                      "find out why, then: chown " + owner.user + ": " + folder});
  } else if ((status.st_mode & 022) != 0 && (status.st_mode & excused) == 0) {
    found->push_back({Level::kBad, folder + " can be written by others", "chmod go-w " + folder});
  }
}

// One file or folder: there, of its owner, not wider than `widest`.
void ExaminePath(const std::string& path, mode_t widest, const Owner& owner,
                 const std::string& if_missing, Findings* found) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    const bool unseen = errno == EACCES;
    found->push_back({unseen ? Level::kWarning : Level::kBad, path + ": " + std::strerror(errno),
                      unseen ? "run doctor as root to see it" : if_missing});
    return;
  }
  const mode_t mode = status.st_mode & 07777;
  if (S_ISLNK(status.st_mode)) {
    found->push_back({Level::kBad, path + " is a symbolic link", "put the file itself there"});
  } else if (const std::string other = owner.Other(status.st_uid); !other.empty()) {
    found->push_back({Level::kBad, path + " belongs to " + other,
                      "find out why, then: chown " + owner.user + ": " + path});
  } else if ((mode & ~widest & 0777) != 0) {
    found->push_back(
        {Level::kBad, path + " has mode " + Octal(mode), "chmod " + Octal(widest) + " " + path});
  } else {
    found->push_back({Level::kGood, path + " (mode " + Octal(mode) + ")", {}});
  }
}

void ExamineUsers(Findings* found) {
  if (geteuid() != 0) return;  // then one user runs all of it
  for (const char* name : {"purser-window", "purser-broker", "purser-ledger", "purser-dialer"}) {
    const bool there = getpwnam(name) != nullptr;
    found->push_back({there ? Level::kGood : Level::kBad,
                      std::string("user ") + name + (there ? " exists" : " is missing"),
                      there ? "" : "purser init"});
  }
}

void ExamineKernel(Findings* found) {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  found->push_back(
      abi > 0 ? DoctorFinding{Level::kGood, "kernel has Landlock, ABI " + std::to_string(abi), {}}
              : DoctorFinding{Level::kWarning, "kernel has no Landlock",
                              "boot with lsm=landlock,…: seccomp alone holds the roles"});
  const long secret = syscall(SYS_memfd_secret, 0);
  if (secret >= 0) close(static_cast<int>(secret));
  found->push_back(
      secret >= 0
          ? DoctorFinding{Level::kGood, "kernel has memfd_secret", {}}
          : DoctorFinding{
                Level::kWarning, "kernel has no memfd_secret",
                "boot with secretmem.enable=1, or unseal by hand after a broker's restart"});
  const long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
  if (pidfd >= 0) close(static_cast<int>(pidfd));
  if (pidfd < 0) {
    found->push_back({Level::kBad, "kernel has no pidfd_open", "Linux 5.3 or later is needed"});
  }
}

// Who can write one of these is the policy; purserd refuses to load what others can.
void ExamineConfig(const std::string& config_path, Findings* found) {
  const Owner root{"root"};
  const std::string folder = AgentsFolder(config_path);
  if (access(folder.c_str(), F_OK) == 0) ExaminePath(folder, 0755, root, {}, found);
  const auto paths = ConfigFilePaths(config_path);
  if (!paths) {
    found->push_back({Level::kBad, paths.error().detail, "run doctor as root"});
    return;
  }
  for (const std::string& path : *paths) ExaminePath(path, 0644, root, "purser init", found);
  ExamineFolderOf(config_path, root, found, /*excused=*/0);  // others could add an agents.d
}

// Where systemd puts them for the unit that is installed; purserd may run in another way.
void ExamineCredentialFile(const std::string& name, Findings* found) {
  const std::string path = "/run/credentials/purser.service/" + name;
  struct stat status{};
  if (stat(path.c_str(), &status) == 0) {
    found->push_back({Level::kGood, "systemd credential " + path + " is there", {}});
  } else {
    found->push_back({Level::kWarning, "systemd credential " + path + ": " + std::strerror(errno),
                      errno == EACCES ? "run doctor as root to see it"
                                      : "LoadCredentialEncrypted=" + name +
                                            ":FILE in purser.service, and restart it"});
  }
}

}  // namespace

Findings ExamineMachine(const std::string& config_path, const broker::policy::Config& config) {
  Findings found;
  const auto& paths = config.paths;
  const auto examine = [&found](const std::string& path, mode_t widest, const Owner& owner,
                                const std::string& if_missing) {
    ExaminePath(path, widest, owner, if_missing, &found);
    ExamineFolderOf(path, owner, &found);
  };
  ExamineConfig(config_path, &found);
  if (config.seal.kind == "file") examine(config.seal.path, 0600, {"root"}, "purser init");
  if (config.seal.kind == "systemd-credential") ExamineCredentialFile(config.seal.path, &found);
  examine(paths.state + "/store/store.db", 0600, {"purser-broker"}, "purser init");
  ExaminePath(paths.state + "/ledger", 0750, {"purser-ledger"}, "start purserd once", &found);
  // Where people sign in purserd opens it to everybody: who they are, they prove behind it.
  const mode_t door = broker::policy::OpenToSignIn(config.admin) ? 0666 : 0660;
  examine(paths.run + "/admin/sock", door, {"root"}, "start purserd");
  for (const auto& [name, agent] : config.agents) {
    // Not examined for its owner: where a file system has no access lists it is the agent.
    ExaminePath(paths.run + "/agents/" + name + "/sock", 0660, {}, "start purserd", &found);
  }
  ExamineUsers(&found);
  ExamineKernel(&found);
  if (!config.hardening.strict) {
    found.push_back({Level::kWarning, "[hardening] minimum is weak",
                     "set it to \"strict\" and see what purserd says"});
  }
  if (config.hardening.allow_same_uid) {
    found.push_back({Level::kWarning,
                     "[hardening] allow_same_uid is on: such an agent could read purser's files",
                     "give the agent a user of its own"});
  }
  for (const auto& warning : broker::policy::SharingWarnings(config)) {
    found.push_back({Level::kWarning, warning.message, "purser doctor --registrations"});
  }
  return found;
}

}  // namespace sidecar::cli
