#include "sidecar/supervisor/daemon.h"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "sidecar/hardening/harden.h"
#include "sidecar/ipc/host_accounts.h"
#include "sidecar/ipc/system_ports.h"
#include "sidecar/supervisor/signals.h"
#include "sidecar/supervisor/supervisor.h"
#include "sidecar/supervisor/teardown_finish.h"

namespace sidecar::supervisor {
namespace {

using broker::Status;

int CannotStart(const std::string& why) {
  std::fprintf(stderr, "purserd: %s\n", why.c_str());
  return 1;
}

// A descriptor for each connection here, and the roles inherit the limit.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<uint32_t> OwnUids(const RoleUsers& users) {
  std::vector<uint32_t> uids{geteuid()};
  for (const auto& user : users) {
    if (user) uids.push_back(user->uid);
  }
  return uids;
}

int Serve(Supervisor& supervisor, EventLoop& loop, const SharedConfig& config) {
  Signals signals;
  Signals::Handlers handlers{.stop = [&] { supervisor.BeginStop(); },
                             .reload = [&] { supervisor.BeginReload(/*dry_run=*/false, nullptr); },
                             .stop_agents = [&] { supervisor.StopAgents("signal"); }};
  if (Status opened = signals.Open(loop, std::move(handlers)); !opened) {
    return CannotStart(opened.error().detail);
  }
  if (Status started = supervisor.Start(config); !started) {
    return CannotStart(started.error().detail);
  }
  loop.Run();
  return 0;
}

// An end that was begun is brought about, and nothing else is started.
int Finish(TeardownPorts ports, const broker::policy::Config& config) {
  auto note = ReadTeardown(config.paths);
  if (!note) return CannotStart(note.error().detail);
  if (Status done = FinishTeardown(ports, config, std::move(*note)); !done) {
    return CannotStart("this instance is being torn down, and that could not be finished: " +
                       done.error().detail + ". Mend it, and start purserd once more");
  }
  std::fprintf(stderr, "purserd: %s\n", TornDownText(config.paths).c_str());
  return 0;
}

}  // namespace

int RunDaemon(const Options& options, const EnvironmentLookup& environment) {
  if (sodium_init() < 0) return CannotStart("libsodium cannot start");
  RaiseDescriptorLimit();
  auto users = FindRoleUsers();
  if (!users) return CannotStart(users.error().detail);
  auto executables = OpenExecutables(options.libexec);
  if (!executables) return CannotStart(executables.error().detail);

  const HostAccounts accounts;
  const auto load = [&, own_uids = OwnUids(*users)] {
    return LoadConfig({options.config, accounts, environment, own_uids});
  };
  const auto config = load();
  if (!config) {
    for (const std::string& fault : config.error()) std::fprintf(stderr, "%s\n", fault.c_str());
    return 1;
  }
  const auto& paths = (*config)->config.paths;
  auto teardown = ReadTeardown(paths);
  if (!teardown) return CannotStart(teardown.error().detail);
  if (teardown->phase == TeardownPhase::kClosed) return CannotStart(TornDownText(paths));
  const auto locks = PrepareFolders((*config)->config, *users);
  if (!locks) return CannotStart(locks.error().detail);
  const auto findings = hardening::Harden(hardening::Role::kSupervisor, {});
  if (!findings) return CannotStart(findings.error().detail);
  if (!findings->empty() && (*config)->config.hardening.strict) {
    return CannotStart(findings->front().what + ". To do: " + findings->front().remedy);
  }

  const SystemClock clock;
  const broker::Log log(STDERR_FILENO, "supervisor", !options.journal_stream.empty());
  for (const hardening::Finding& finding : *findings) {
    log.Warn("hardening_finding", {{"of", "supervisor"},
                                   {"name", finding.name},
                                   {"what", finding.what},
                                   {"remedy", finding.remedy}});
  }
  if (teardown->phase == TeardownPhase::kDestroying) {
    return Finish({clock,
                   log,
                   {std::move(*executables), *users, RoleEnvironment(options), STDERR_FILENO},
                   options.credentials_directory},
                  (*config)->config);
  }
  EventLoop loop(clock);
  if (Status opened = loop.Open(); !opened) return CannotStart(opened.error().detail);
  Supervisor::Setup setup{
      options.config,  load, {}, options.credentials_directory, options.notify_socket,
      options.watchdog};
  setup.roles = {std::move(*executables), *users, RoleEnvironment(options), STDERR_FILENO};
  int ended = 0;
  {
    Supervisor supervisor(loop, clock, log, std::move(setup));
    ended = Serve(supervisor, loop, *config);
  }
  // The broker died in the middle of it.
  const auto left = ReadTeardown(paths);
  if (!left || left->phase != TeardownPhase::kDestroying) return ended;
  auto again = OpenExecutables(options.libexec);
  if (!again) return CannotStart(again.error().detail);
  return Finish({clock,
                 log,
                 {std::move(*again), *users, RoleEnvironment(options), STDERR_FILENO},
                 options.credentials_directory},
                (*config)->config);
}

}  // namespace sidecar::supervisor
