#include "sidecar/cli/app.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>

#include "sidecar/cli/approval_commands.h"
#include "sidecar/cli/archive_command.h"
#include "sidecar/cli/budget_command.h"
#include "sidecar/cli/completion.h"
#include "sidecar/cli/config_command.h"
#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/doctor_command.h"
#include "sidecar/cli/init_command.h"
#include "sidecar/cli/ledger_options.h"
#include "sidecar/cli/metrics_listener.h"
#include "sidecar/cli/registrations.h"
#include "sidecar/cli/restore_command.h"
#include "sidecar/cli/revoke_command.h"
#include "sidecar/cli/role_command.h"
#include "sidecar/cli/rotate_command.h"
#include "sidecar/cli/run_command.h"
#include "sidecar/cli/secret_options.h"
#include "sidecar/cli/session.h"
#include "sidecar/cli/sign_in_command.h"
#include "sidecar/cli/stop_commands.h"
#include "sidecar/cli/teardown_command.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/usage.h"

namespace sidecar::cli {
namespace {

constexpr const char* kVersion = PURSER_VERSION;

// A command of the daemon without options of its own.
void AddPlain(CLI::App& app, Session& session, const char* name, const char* about,
              const char* example, int (*run)(const Console&)) {
  auto* command = app.add_subcommand(name, about)->footer("Example: " + std::string(example));
  session.AtDaemon(command, run);
}

// One that only looks, once or until the person has seen enough.
void AddWatched(CLI::App& app, Session& session, const char* name, const char* about,
                const char* example, int (*run)(const Console&)) {
  auto* command = app.add_subcommand(name, about)->footer(example);
  command->add_flag("--watch", session.watch, "Keep it on the screen until Ctrl-C or q");
  command->callback(
      [&session, run] { session.chosen = [&session, run] { return session.Looking(run); }; });
}

void AddDaemonCommands(CLI::App& app, Session& session) {
  AddWatched(
      app, session, "status", "Show what runs, the ledger's head, and what is wrong",
      "Example: purser status --json | jq .ledger\nExit codes: 0, or 1 when a credential has "
      "ended or will within a week; 4 the daemon is not reachable",
      RunStatus);
  AddPlain(app, session, "ready", "Exit 0 when tokens can be issued, else say why not",
           "purser ready && systemctl start my-agent", RunReady);
  AddPlain(app, session, "agents", "List agents with their rules and budgets", "purser agents",
           RunAgents);
  AddWatched(app, session, "credentials",
             "Show each credential: where it is, until when, for whom, and how it fared",
             "Example: purser credentials --watch", RunCredentials);

  auto* metrics =
      app.add_subcommand("metrics", "Print counts and states in Prometheus's text form");
  metrics->footer(
      "For node_exporter's textfile collector, from a timer:\n"
      "Examples: purser metrics --out /var/lib/prometheus/node-exporter/purser.prom\n"
      "          purser metrics --listen 127.0.0.1:9464   # for anybody on this machine");
  const auto listen = std::make_shared<std::string>();
  auto* out = metrics->add_option("--out", session.out, "Write this file, whole or not at all");
  metrics
      ->add_option("--listen", *listen,
                   "Serve GET /metrics on this loopback address, until it is ended")
      ->excludes(out);
  session.AtDaemon(metrics, [&session, listen](const Console& console) {
    return listen->empty() ? RunMetrics(console, session.out) : ServeMetrics(console, *listen);
  });

  auto* reload = app.add_subcommand("reload", "Load the configuration anew, whole or not at all");
  reload->footer("Example: purser config check && purser reload --dry-run");
  reload->add_flag("--dry-run", session.dry_run, "Only show rights gained and lost");
  session.AtDaemon(
      reload, [&session](const Console& console) { return RunReload(console, session.dry_run); });

  auto* doctor = app.add_subcommand("doctor", "Examine everything and say what to do about it");
  doctor->footer(
      "Examples: sudo purser doctor\n          purser doctor --registrations > entra.sh  # without "
      "asking the daemon\nExit codes: 0 nothing is bad, 1 something is, 4 the daemon is not "
      "reachable");
  doctor->add_flag("--registrations", session.registrations,
                   "Print the az commands that make the registrations which the configuration asks "
                   "for");
  doctor->callback([&session] {
    session.chosen = [&session] {
      return session.WithConfig([&session](const broker::policy::Config& config) {
        if (session.registrations) return PrintRegistrations(config, session.output());
        return session.WithDaemon([&](const Console& console) {
          return RunDoctor(console, session.config_path, config);
        });
      });
    };
  });

  auto* ledger = app.add_subcommand("ledger", "Act on the running ledger")->require_subcommand(1);
  ledger->footer("Examples: purser ledger resume\n          purser ledger archive --keep 90d");
  AddPlain(*ledger, session, "resume", "Write again after a latched error was mended",
           "purser ledger resume", RunLedgerResume);
}

void AddInit(CLI::App& app, Session& session, NewConfigOptions& options) {
  auto* init =
      app.add_subcommand("init", "Make users, configuration, key and store, where missing");
  init->footer(
      "Example: purser init --tenant 8f0c1e5e-… --instance helpdesk-zrh --agent-user helpdesk");
  init->add_option("--tenant", options.tenant, "Tenant id (GUID or domain) of a new configuration");
  init->add_option("--instance", options.instance, "Name of this instance, in every ledger entry")
      ->default_val("purser");
  init->add_option("--agent-user", options.agent_user, "User that the agent runs as")
      ->default_val("helpdesk");
  init->callback([&] {
    session.chosen = [&] {
      options.path = session.config_path;
      InitReport report(session.output());
      if (const int code = CreateRoleUsers(report)) return code;
      if (const int code = WriteNewConfig(options, report)) return code;
      return session.WithConfig([&report](const broker::policy::Config& config) {
        return report.Done(CreateStore(config, report));
      });
    };
  });
}

// "--" says that what follows is a command; CLI11 takes it for the command's first word.
std::vector<std::string> WithoutDashes(std::vector<std::string> command) {
  if (command.size() > 1 && command.front() == "--") command.erase(command.begin());
  return command;
}

void AddRun(CLI::App& app, Session& session, std::string& agent,
            std::vector<std::string>& command) {
  auto* run = app.add_subcommand("run", "Run a command as an agent, with PURSER_SOCKET set");
  run->footer(
      "All behind the agent's name is the command's own, options too.\n"
      "Examples: purser run helpdesk -- python3 agent.py\n"
      "          purser run helpdesk curl --version");
  run->positionals_at_end();
  run->add_option("agent", agent, "Name in purser.toml")->required();
  run->add_option("command", command, "What to run")->required();
  run->callback([&] {
    session.chosen = [&] {
      return session.WithConfig([&](const broker::policy::Config& config) {
        return RunAs(config, agent, WithoutDashes(command), session.output());
      });
    };
  });
}

void AddConfig(CLI::App& app, Session& session) {
  auto* config = app.add_subcommand("config", "The configuration, without asking the daemon");
  config->require_subcommand(1);
  config->footer("Example: purser config check && purser config egress");
  const auto add = [&](const char* name, const char* about, auto run) {
    auto* command = config->add_subcommand(name, about);
    command->footer("Example: purser config " + std::string(name));
    command->callback([&session, run] {
      session.chosen = [&session, run] {
        return run(ConfigOptions{.path = session.config_path, .json = session.json});
      };
    });
  };
  add("check", "Say every fault with its place and what to write instead",
      [](const ConfigOptions& options) { return RunConfigCheck(options, std::cout, std::cerr); });
  add("show", "Print the configuration in force, defaults included",
      [](const ConfigOptions& options) { return RunConfigShow(options, std::cout, std::cerr); });
  add("egress", "Print every host and port that it connects to, and why",
      [](const ConfigOptions& options) { return RunConfigEgress(options, std::cout, std::cerr); });
  add("schema", "Print a JSON Schema of purser.toml",
      [](const ConfigOptions&) { return RunConfigSchema(std::cout); });
}

void AddVersion(CLI::App& app, Session& session) {
  auto* version = app.add_subcommand("version", "Print the version");
  version->footer("Example: purser version --json");
  version->callback([&session] {
    session.chosen = [&session] {
      std::cout << (session.json ? nlohmann::json{{"version", kVersion}}.dump(2)
                                 : "purser " + std::string(kVersion))
                << '\n';
      return kExitDone;
    };
  });
}

void AddCompletion(CLI::App& app, Session& session, std::string& shell) {
  auto* completion = app.add_subcommand("completion", "Print a completion script for bash or zsh");
  completion->footer("Example: purser completion bash > /etc/bash_completion.d/purser");
  completion->add_option("shell", shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback([&app, &session, &shell] {
    session.chosen = [&app, &shell] { return PrintCompletion(app, shell, std::cout); };
  });
}

// The exit code where there is nothing left to do: help was asked for, or the call is wrong.
std::optional<int> Parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked);
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    const std::string fault = UsageFault(app);
    if (fault.empty()) {
      app.exit(error);
      const auto chosen = app.get_subcommands();
      if (argc == 2 && !chosen.empty()) std::cerr << '\n' << chosen.front()->help("purser");
    } else {
      std::cerr << fault;
    }
    return kExitUsage;
  }
}

}  // namespace

int RunPurser(int argc, char** argv) {
  CLI::App app{"purser: scoped, audited Microsoft Graph tokens for agents"};
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(34);
  app.require_subcommand(1)->set_version_flag("--version", "purser " + std::string(kVersion));
  app.footer(
      "Examples: purser config check                       before and after every change\n"
      "          purser login aid-mail                     enrol a user's refresh token\n"
      "          purser run helpdesk -- python3 agent.py   an agent, with its socket\n"
      "          purser explain helpdesk --scopes Mail.Send\n"
      "          purser audit tail -f\n"
      "          purser kill --all                         stop every agent, now\n"
      "purser COMMAND --help shows more.");
  Session session;
  app.add_option("--config", session.config_path, "Configuration (PURSER_CONFIG)")
      ->capture_default_str();
  app.add_option("--admin-socket", session.admin_socket,
                 "Operator's socket (PURSER_ADMIN_SOCKET); else as configured");
  app.add_flag("--json", session.json, "Print JSON");
  app.fallthrough();

  NewConfigOptions init;
  AddInit(app, session, init);
  AddDaemonCommands(app, session);
  ArchiveOrder archive;
  AddArchive(*app.get_subcommand("ledger"), session, archive);
  StopOrder stop;
  AddStops(app, session, stop);
  BudgetOrder budget;
  AddBudget(app, session, budget);
  RoleOrder role;
  AddRoles(app, session, role);
  RestoreOrder restore;
  AddRestore(app, session, restore);
  RevokeOrder revoke;
  AddRevoke(app, session, revoke);
  TeardownOrder teardown;
  AddTeardown(app, session, teardown);
  ApprovalOrder approval;
  AddApprovals(app, session, approval);
  SecretOrder secret;
  AddSecretCommands(app, session, secret);
  SignOutOrder sign_out;
  AddSignOut(app, session, sign_out);
  RotateOrder rotation;
  AddRotate(app, session, rotation);
  std::string agent;
  std::vector<std::string> command;
  AddRun(app, session, agent, command);
  AddConfig(app, session);
  ExplainQuestion question;
  AddExplain(app, session, question);
  AuditQuestion audit;
  AddAudit(app, session, audit);
  AddVersion(app, session);
  std::string shell;
  AddCompletion(app, session, shell);
  if (const auto ended = Parse(app, argc, argv)) return *ended;
  return session.chosen();
}

}  // namespace sidecar::cli
