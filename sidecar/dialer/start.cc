#include "sidecar/dialer/start.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string_view>

#include "broker/base/log.h"
#include "sidecar/dialer/dialer.h"
#include "sidecar/hardening/harden.h"
#include "sidecar/ipc/control.h"

namespace sidecar::dialer {
namespace {

std::optional<hardening::HardenOptions> Parse(int argc, char** argv) {
  hardening::HardenOptions options;
  for (int i = 1; i < argc; i += 2) {
    if (std::string_view(argv[i]) != "--off-limits" || i + 1 == argc) return std::nullopt;
    options.off_limits.emplace_back(argv[i + 1]);
  }
  return options;
}

}  // namespace

int RunDialer(int argc, char** argv) {
  prctl(PR_SET_NAME, "purser-dialer");
  const broker::Log log(STDERR_FILENO, "dialer", std::getenv("JOURNAL_STREAM") != nullptr);
  // The supervisor gives an empty one; glibc's resolver would obey RES_OPTIONS, HOSTALIASES and
  // more.
  clearenv();
  const auto options = Parse(argc, argv);
  if (!options) {
    log.Error("start_failed", {{"why", "usage: purser-dialer [--off-limits PATH]..."}});
    return 2;
  }
  Dialer dialer(ipc::kControlFd, log);
  const auto findings = hardening::Harden(hardening::Role::kDialer, *options);
  if (!findings) {
    log.Error("start_failed", {{"why", findings.error().detail}});
    return EXIT_FAILURE;
  }
  const broker::Status served = dialer.Run(ToJson(*findings));
  if (!served) log.Error("control_channel_lost", {{"why", served.error().detail}});
  // Streams may still relay for a broker that is gone: not worth waiting for.
  std::_Exit(served ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace sidecar::dialer
