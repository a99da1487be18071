#include "sidecar/window/start.h"

#include <sodium.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/log.h"
#include "broker/base/secret.h"
#include "sidecar/hardening/harden.h"
#include "sidecar/hardening/wiping_free.h"
#include "sidecar/ipc/control.h"
#include "sidecar/window/window.h"

namespace sidecar::window {
namespace {

// One user's token at a time, for there is one thread; four times the longest.
constexpr size_t kArenaBytes = size_t{64} << 10;

struct CommandLine {
  std::string agent;  // empty: the admin socket
  hardening::HardenOptions hardening;
};

std::optional<CommandLine> Read(int argc, char** argv) {
  CommandLine line;
  if (argc < 2) return std::nullopt;
  const bool admin = std::string_view(argv[1]) == "--admin";
  if (!admin) {
    if (argc < 3 || std::string_view(argv[1]) != "--agent" || *argv[2] == '\0') return std::nullopt;
    line.agent = argv[2];
  }
  for (int i = admin ? 2 : 3; i < argc; i += 2) {
    if (std::string_view(argv[i]) != "--off-limits" || i + 1 == argc) return std::nullopt;
    line.hardening.off_limits.emplace_back(argv[i + 1]);
  }
  return line;
}

}  // namespace

int RunWindow(int argc, char** argv) {
  prctl(PR_SET_NAME, "purser-window");
  const broker::Log log(STDERR_FILENO, "window", std::getenv("JOURNAL_STREAM") != nullptr);
  const auto line = Read(argc, argv);
  if (!line) {
    log.Error("start_failed", {{"why", "usage: purser-window (--agent NAME | --admin)"}});
    return 2;
  }
  if (sodium_init() < 0) {
    log.Error("start_failed", {{"why", "libsodium does not start"}});
    return EXIT_FAILURE;
  }
  if (const auto locked = broker::SecretArena::Init(kArenaBytes); !locked) {
    log.Error("start_failed", {{"why", locked.error().detail}});
    return EXIT_FAILURE;
  }
  Window window({line->agent}, ipc::Fd(ipc::kControlFd), {}, log);
  const auto findings = hardening::Harden(hardening::Role::kWindow, line->hardening);
  if (!findings) {
    log.Error("start_failed", {{"why", findings.error().detail}});
    return EXIT_FAILURE;
  }
  // A window wipes each block that it frees: the copies that its libraries made of a token too.
  if (!hardening::FreeWipes()) log.Warn("freed_memory_not_wiped");
  return window.Run(ToJson(*findings));
}

}  // namespace sidecar::window
