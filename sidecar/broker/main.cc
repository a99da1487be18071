#include <sys/prctl.h>

#include <cstring>

#include "sidecar/broker/broker_process.h"

// purser-broker --store FILE --tenant TENANT [--off-limits PATH]…
int main(int argc, char** argv) {
  prctl(PR_SET_NAME, "purser-broker");
  sidecar::broker_role::BrokerOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--store") == 0) {
      options.store = argv[i + 1];
    } else if (std::strcmp(argv[i], "--tenant") == 0) {
      options.tenant = argv[i + 1];
    } else if (std::strcmp(argv[i], "--off-limits") == 0) {
      options.off_limits.emplace_back(argv[i + 1]);
    } else {
      return 2;
    }
  }
  if (options.store.empty() || options.tenant.empty() || argc % 2 == 0) return 2;
  return sidecar::broker_role::RunBroker(options);
}
