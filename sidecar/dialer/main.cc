// purser-dialer [--off-limits PATH]…: the only process with a network, and that to listed hosts
// alone.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "broker/base/log.h"
#include "sidecar/dialer/dialer.h"
#include "sidecar/hardening/harden.h"

int main(int argc, char** argv) {
  using namespace sidecar;
  constexpr int kControl = 3;
  prctl(PR_SET_NAME, "purser-dialer");
  const broker::Log log(STDERR_FILENO, "dialer", std::getenv("JOURNAL_STREAM") != nullptr);
  // The supervisor gives an empty one; glibc's resolver would obey RES_OPTIONS, HOSTALIASES and
  // more.
  clearenv();
  hardening::HardenOptions options;
  for (int i = 1; i < argc; i += 2) {
    if (std::string_view(argv[i]) != "--off-limits" || i + 1 == argc) return 2;
    options.off_limits.emplace_back(argv[i + 1]);
  }
  dialer::Dialer dialer(kControl, log);
  const auto findings = hardening::Harden(hardening::Role::kDialer, options);
  if (!findings) {
    log.Error("start_failed", {{"why", findings.error().detail}});
    return EXIT_FAILURE;
  }
  const broker::Status served = dialer.Run(ToJson(*findings));
  if (!served) log.Error("control_channel_lost", {{"why", served.error().detail}});
  // Streams may still relay for a broker that is gone: not worth waiting for.
  std::_Exit(served ? EXIT_SUCCESS : EXIT_FAILURE);
}
