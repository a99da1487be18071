#include "sidecar/ledger/start.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/hardening/harden.h"
#include "sidecar/ipc/control.h"
#include "sidecar/ipc/system_ports.h"
#include "sidecar/ledger/role.h"

namespace sidecar::ledger {
namespace {

constexpr std::string_view kUsage = "usage: purser-ledger --dir DIR --log NAME --tenant TENANT";

struct CommandLine {
  std::string dir;
  RoleOptions role;
  std::vector<std::string> off_limits;
};

std::optional<CommandLine> Parse(int argc, char** argv) {
  CommandLine line;
  if (argc % 2 == 0) return std::nullopt;  // every option has a value
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--dir") {
      line.dir = value;
    } else if (option == "--log") {
      line.role.identity.log = value;
    } else if (option == "--tenant") {
      line.role.identity.tenant = value;
    } else if (option == "--off-limits") {
      line.off_limits.push_back(value);
    } else if (option == "--latched") {
      line.role.latched = value;
    } else if (option == "--reserve") {
      const char* end = value.data() + value.size();
      const auto read = std::from_chars(value.data(), end, line.role.reserve_bytes);
      if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  const bool complete =
      !line.dir.empty() && !line.role.identity.log.empty() && !line.role.identity.tenant.empty();
  return complete ? std::optional(std::move(line)) : std::nullopt;
}

// Random, made by the kernel at each boot: tells a restart of purser from one of the machine.
std::string BootId() {
  const ipc::Fd fd(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  std::string id(36, '\0');
  const ssize_t got = fd.valid() ? read(fd.get(), id.data(), id.size()) : -1;
  return got == static_cast<ssize_t>(id.size()) ? id : "unknown";
}

}  // namespace

int RunLedger(int argc, char** argv) {
  prctl(PR_SET_NAME, "purser-ledger");
  const char* journal = std::getenv("JOURNAL_STREAM");
  const broker::Log log(STDERR_FILENO, "ledger", journal != nullptr);
  auto line = Parse(argc, argv);
  if (!line) {
    log.Error("start_failed", {{"why", kUsage}});
    return 2;
  }
  if (sodium_init() < 0) {
    log.Error("start_failed", {{"why", "libsodium does not start"}});
    return 1;
  }
  umask(0027);  // segments are for the auditors' group to read
  line->role.identity.boot = BootId();
  auto disk = Disk::OpenFolder(line->dir);
  if (!disk) {
    log.Error("start_failed", {{"why", disk.error().detail}});
    return 1;
  }
  // Everything is open; from here on bytes of others are read.
  const auto findings = hardening::Harden(hardening::Role::kLedger, {line->dir, line->off_limits});
  if (!findings) {
    log.Error("start_failed", {{"why", findings.error().detail}});
    return 1;
  }
  SystemClock clock;
  SystemRandom random;
  Role role(**disk, line->role, {clock, random, log}, ipc::Fd(ipc::kControlFd));
  if (const auto started = role.Start(); !started) {
    log.Error("start_failed", {{"why", started.error().detail}});
    return 1;
  }
  return role.Serve(hardening::ToJson(*findings));
}

}  // namespace sidecar::ledger
