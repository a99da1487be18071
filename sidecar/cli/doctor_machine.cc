#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sidecar/cli/doctor_command.h"

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

// One file or folder: there, not wider than `widest`.
void ExaminePath(const std::string& path, mode_t widest, const std::string& if_missing,
                 Findings* found) {
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

}  // namespace

Findings ExamineMachine(const broker::policy::Config& config) {
  Findings found;
  const auto& paths = config.paths;
  if (config.seal.kind == "file") ExaminePath(config.seal.path, 0600, "purser init", &found);
  ExaminePath(paths.state + "/store/store.db", 0600, "purser init", &found);
  ExaminePath(paths.state + "/ledger", 0750, "start purserd once", &found);
  ExaminePath(paths.run + "/admin/sock", 0660, "start purserd", &found);
  for (const auto& [name, agent] : config.agents) {
    ExaminePath(paths.run + "/agents/" + name + "/sock", 0660, "start purserd", &found);
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
  return found;
}

}  // namespace sidecar::cli
