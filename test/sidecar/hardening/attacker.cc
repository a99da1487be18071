// A role that has been taken over: hardens itself as ROLE, then makes one attempt, or does one
// duty. attacker ROLE|none attempt|duty NUMBER FOLDER VICTIM ADDRESS FILE OWN_FILE PORT SOCKET Exit
// status: 0 it worked · 10 refused (EPERM, EACCES, ENOSYS) · 11 failed otherwise · 12 not hardened.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "sidecar/hardening/harden.h"
#include "sidecar/hardening/privileges.h"
#include "sidecar/hardening/sanitizer.h"
#include "sidecar/hardening/syscall_filter.h"
#include "test/sidecar/hardening/attempts.h"

namespace {

using sidecar::hardening::Findings, sidecar::hardening::HardenOptions, sidecar::hardening::Role;

void* PointerOf(const char* text) {
  void* pointer = nullptr;
  return std::sscanf(text, "%p", &pointer) == 1 ? pointer : nullptr;  // NOLINT(cert-err34-c)
}

bool HardenFully(Role role, const std::string& folder) {
  const HardenOptions options{.own_folder = role == Role::kLedger ? folder : ""};
  const broker::Result<Findings> findings = Harden(role, options);
  if (!findings) std::fprintf(stderr, "%s\n", findings.error().detail.c_str());
  if (findings && !findings->empty()) std::fprintf(stderr, "%s\n", ToJson(*findings).c_str());
  return findings && findings->empty();
}

bool HardenWithoutLandlock(Role role) {
  sidecar::hardening::TellSanitizers();
  return sidecar::hardening::ForbidDumps() && sidecar::hardening::DropPrivileges(role) &&
         sidecar::hardening::LoadSyscallFilter(role);
}

bool HardenAs(std::string_view name, const std::string& folder) {
  for (const Role role :
       {Role::kSupervisor, Role::kWindow, Role::kBroker, Role::kLedger, Role::kDialer}) {
    if (name == NameOf(role)) return HardenFully(role, folder);
    if (name == std::string(NameOf(role)) + "-filter") return HardenWithoutLandlock(role);
  }
  return name == "none";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 11) return 2;
  const Target target{.victim = static_cast<pid_t>(std::strtol(argv[5], nullptr, 10)),
                      .address = PointerOf(argv[6]),
                      .file = argv[7],
                      .inet_port = argv[9],
                      .unix_socket = argv[10],
                      .own_file = argv[8]};
  const size_t number = std::strtoul(argv[3], nullptr, 10);
  const bool duty = std::string_view(argv[2]) == "duty";
  const auto run = duty ? AllDuties()[number].run : AllAttempts()[number].run;
  if (!HardenAs(argv[1], argv[4])) return 12;
  errno = 0;
  if (run(target)) std::_Exit(0);  // at once: descriptors and streams it opened are no leaks
  if (errno == EPERM || errno == EACCES || errno == ENOSYS) return 10;
  std::fprintf(stderr, "%s\n", strerrorname_np(errno));
  return 11;
}
