// purserd: starts purser's roles, accepts for them, and keeps them running.
#include <cstdio>
#include <cstdlib>

#include "sidecar/supervisor/daemon.h"

int main(int argc, char** argv) {
  using namespace sidecar::supervisor;
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  const auto options = ParseOptions({argv + 1, argv + argc}, environment);
  if (!options) {
    std::fprintf(stderr, "purserd: %s\n%s", options.error().c_str(), UsageText().c_str());
    return 2;
  }
  if (options->help) return std::fputs(UsageText().c_str(), stdout) < 0 ? 1 : 0;
  if (options->version) return std::puts("purserd " PURSER_VERSION) < 0 ? 1 : 0;
  return RunDaemon(*options, environment);
}
