#include "sidecar/broker/start.h"

#include <malloc.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/broker/broker_process.h"
#include "sidecar/broker/curl_init.h"
#include "sidecar/broker/store_witness.h"
#include "sidecar/hardening/harden.h"

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Fail, broker::Log, broker::Status;

constexpr std::string_view kUsage = "usage: purser-broker --store FILE --tenant TENANT";

struct CommandLine {
  std::string store;                    // the sealed store's file
  std::string tenant;                   // what its rows are bound to
  std::vector<std::string> off_limits;  // what this process must not be able to open
};

std::optional<CommandLine> Parse(int argc, char** argv) {
  CommandLine line;
  if (argc % 2 == 0) return std::nullopt;  // every option has a value
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--store") {
      line.store = argv[i + 1];
    } else if (option == "--tenant") {
      line.tenant = argv[i + 1];
    } else if (option == "--off-limits") {
      line.off_limits.emplace_back(argv[i + 1]);
    } else {
      return std::nullopt;
    }
  }
  if (line.store.empty() || line.tenant.empty()) return std::nullopt;
  return line;
}

broker::Result<std::unique_ptr<BrokerProcess>> Start(const CommandLine& line, LedgerLink& ledger,
                                                     SystemRandom& random,
                                                     LedgerStoreWitness& witness, const Log& log) {
  mallopt(M_ARENA_MAX, 2);  // few serve all threads; a sanitizer's allocator has no such thing
  if (sodium_init() < 0) return Fail(ErrorCode::kUnavailable, "libsodium does not start");
  if (const Status ready = InitCurl(); !ready) return std::unexpected(ready.error());
  if (const Status ready = broker::SecretArena::Init(); !ready)
    return std::unexpected(ready.error());
  auto store = token_cache::SealedStore::Open(line.store, line.tenant, witness, random);
  if (!store) return std::unexpected(store.error());
  const auto findings = hardening::Harden(hardening::Role::kBroker,
                                          {.own_folder = {}, .off_limits = line.off_limits});
  if (!findings) return std::unexpected(findings.error());
  auto process = std::make_unique<BrokerProcess>(std::move(*store), ledger, random, log);
  SupervisorLink supervisor(ipc::kControlFd);
  const Status told = supervisor.Send(ipc::MessageType::kStarted, hardening::ToJson(*findings));
  if (!told) return std::unexpected(told.error());
  return process;
}

}  // namespace

int RunBroker(int argc, char** argv) {
  prctl(PR_SET_NAME, "purser-broker");
  const Log log(STDERR_FILENO, "broker", std::getenv("JOURNAL_STREAM") != nullptr);
  const auto line = Parse(argc, argv);
  if (!line) {
    log.Error("start_failed", {{"why", kUsage}});
    return 2;
  }
  LedgerLink ledger;
  SystemRandom random;
  LedgerStoreWitness witness(ledger.entries);
  const auto process = Start(*line, ledger, random, witness, log);
  if (!process) {
    log.Error("start_failed", {{"why", process.error().detail}});
    return 1;
  }
  (*process)->Serve();
}

}  // namespace sidecar::broker_role
