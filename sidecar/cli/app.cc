#include "sidecar/cli/app.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <thread>

#include "broker/base/strict_json.h"
#include "sidecar/cli/audit_command.h"
#include "sidecar/cli/completion.h"
#include "sidecar/cli/config_command.h"
#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/doctor_command.h"
#include "sidecar/cli/explain_command.h"
#include "sidecar/cli/init_command.h"
#include "sidecar/cli/refusal_search.h"
#include "sidecar/cli/run_command.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

constexpr const char* kVersion = PURSER_VERSION;

// The environment names places only (design §5).
std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

/// Options of every command, and what they lead to.
struct Session {
  std::string config_path = FromEnvironment("PURSER_CONFIG", "/etc/purser/purser.toml");
  std::string admin_socket = FromEnvironment("PURSER_ADMIN_SOCKET", "");
  bool json = false;
  bool dry_run = false;
  std::function<int()> chosen;  // set by the command that was typed

  // The operator's socket, as given, else as the configuration places it.
  AdminClient Client() const {
    if (!admin_socket.empty()) return AdminClient(admin_socket);
    const auto config = LoadForCommand(config_path);
    return AdminClient((config ? config->paths.run : "/run/purser") + "/admin/sock");
  }
  int WithDaemon(const std::function<int(const Console&)>& command) const {
    const AdminClient client = Client();
    return command({client, std::cout, std::cerr, json});
  }
  int WithConfig(const std::function<int(const broker::policy::Config&)>& command) const {
    const auto config = LoadForCommand(config_path);
    if (!config) {
      std::cerr << "purser: " << config.error().detail << '\n';
      return kExitRefused;
    }
    return command(*config);
  }
};

// A command of the daemon without options of its own.
void AddPlain(CLI::App& app, Session& session, const char* name, const char* about,
              const char* example, int (*run)(const Console&)) {
  auto* command = app.add_subcommand(name, about)->footer("Example: " + std::string(example));
  command->callback(
      [&session, run] { session.chosen = [&session, run] { return session.WithDaemon(run); }; });
}

void AddDaemonCommands(CLI::App& app, Session& session) {
  AddPlain(app, session, "status", "Show what runs, the ledger's head, and what is wrong",
           "purser status --json | jq .ledger", RunStatus);
  AddPlain(app, session, "ready", "Exit 0 when tokens can be issued, else say why not",
           "purser ready && systemctl start my-agent", RunReady);
  AddPlain(app, session, "agents", "List agents with their rules and budgets", "purser agents",
           RunAgents);
  AddPlain(app, session, "credentials", "List credentials and whether they are enrolled",
           "purser credentials", RunCredentials);

  auto* reload = app.add_subcommand("reload", "Load the configuration anew, whole or not at all");
  reload->footer("Example: purser config check && purser reload --dry-run");
  reload->add_flag("--dry-run", session.dry_run, "Only show rights gained and lost");
  reload->callback([&session] {
    session.chosen = [&session] {
      return session.WithDaemon(
          [&session](const Console& console) { return RunReload(console, session.dry_run); });
    };
  });

  auto* doctor = app.add_subcommand("doctor", "Examine everything and say what to do about it");
  doctor->footer(
      "Example: sudo purser doctor\nExit codes: 0 nothing is bad, 1 something is, 4 the daemon is "
      "not reachable");
  doctor->callback([&session] {
    session.chosen = [&session] {
      return session.WithConfig([&session](const broker::policy::Config& config) {
        return session.WithDaemon(
            [&config](const Console& console) { return RunDoctor(console, config); });
      });
    };
  });

  auto* ledger = app.add_subcommand("ledger", "Act on the running ledger")->require_subcommand(1);
  AddPlain(*ledger, session, "resume", "Write again after a latched error was mended",
           "purser ledger resume", RunLedgerResume);
}

void AddSecretCommands(CLI::App& app, Session& session, std::string& credential) {
  auto* login = app.add_subcommand("login", "Enrol a user's refresh token by device code");
  login->footer("Example: purser login aid-mail");
  login->add_option("credential", credential, "Name in purser.toml")->required();
  login->callback([&] {
    session.chosen = [&] {
      return session.WithDaemon([&](const Console& c) { return RunLogin(c, credential); });
    };
  });

  auto* secret = app.add_subcommand("secret", "Enrol secrets")->require_subcommand(1);
  auto* set = secret->add_subcommand("set", "Store a client secret, or a certificate with its key");
  set->footer(
      "The secret is read from standard input or a prompt, never from an argument.\n"
      "Examples: purser secret set admin-app < key-and-certificate.pem\n"
      "          purser secret set mailer");
  set->add_option("credential", credential, "Name in purser.toml")->required();
  set->callback([&] {
    session.chosen = [&] {
      return session.WithDaemon([&](const Console& c) { return RunSecretSet(c, credential); });
    };
  });

  AddPlain(app, session, "unseal", "Open the store with its passphrase",
           "purser unseal < passphrase", RunUnseal);
  auto* seal = app.add_subcommand("seal", "The store's key-encryption key")->require_subcommand(1);
  auto* rotate = seal->add_subcommand("rotate", "Replace it and re-encrypt every secret");
  rotate->footer("Example: sudo purser seal rotate");
  rotate->callback([&session] {
    session.chosen = [&session] {
      return session.WithConfig([&session](const broker::policy::Config& config) {
        return session.WithDaemon([&config](const Console& console) {
          return RunSealRotate(console, config.seal.kind, config.seal.path);
        });
      });
    };
  });
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
      if (const int code = CreateRoleUsers(std::cout, std::cerr)) return code;
      if (const int code = WriteNewConfig(options, std::cout, std::cerr)) return code;
      return session.WithConfig([](const broker::policy::Config& config) {
        return CreateStore(config, std::cout, std::cerr);
      });
    };
  });
}

void AddRun(CLI::App& app, Session& session, std::string& agent,
            std::vector<std::string>& command) {
  auto* run = app.add_subcommand("run", "Run a command as an agent, with PURSER_SOCKET set");
  run->footer("Example: purser run helpdesk -- python3 agent.py");
  run->add_option("agent", agent, "Name in purser.toml")->required();
  run->add_option("command", command, "What to run, after --")->required();
  run->callback([&] {
    session.chosen = [&] {
      return session.WithConfig([&](const broker::policy::Config& config) {
        return RunAs(config, agent, command, std::cerr);
      });
    };
  });
}

void AddConfig(CLI::App& app, Session& session) {
  auto* config = app.add_subcommand("config", "The configuration, without asking the daemon");
  config->require_subcommand(1);
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
  add("schema", "Print a JSON Schema of purser.toml",
      [](const ConfigOptions&) { return RunConfigSchema(std::cout); });
}

/// What `explain` was asked.
struct ExplainQuestion {
  std::string agent;
  std::vector<std::string> scopes;
  uint64_t seq = 0;
  bool refused = false;
};

int ExplainFromLedger(const ExplainOptions& options, const ExplainQuestion& question) {
  const std::string folder = options.config.paths.state + "/ledger";
  if (question.refused) {
    const auto entries = RecentRefusals(folder, options.agent);
    if (entries) return ExplainRefused(options, *entries, std::cout, std::cerr);
    std::cerr << "purser: " << entries.error().detail << '\n';
    return kExitRefused;
  }
  const auto line = FindAuditLine(folder, question.seq);
  auto entry = line ? broker::ParseStrictJson(*line) : std::unexpected(line.error());
  if (entry) return ExplainPast(options, *entry, std::cout, std::cerr);
  std::cerr << "purser: there is no readable entry " << question.seq << " in " << folder << '\n';
  return kExitRefused;
}

void AddExplain(CLI::App& app, Session& session, ExplainQuestion& question) {
  auto* explain =
      app.add_subcommand("explain", "Why an agent gets something or not, and what would change it");
  explain->footer(
      "Examples: purser explain helpdesk --scopes Mail.Send\n"
      "          purser explain helpdesk --seq 41\n"
      "          purser explain helpdesk --refused");
  explain->add_option("agent", question.agent, "Name in purser.toml")->required();
  auto* what = explain->add_option_group("what")->require_option(1);
  what->add_option("--scopes", question.scopes, "Scopes that it would ask for");
  what->add_option("--seq", question.seq, "A past entry of the ledger");
  what->add_flag("--refused", question.refused, "Connections that were refused");
  explain->callback([&] {
    session.chosen = [&] {
      return session.WithConfig([&](const broker::policy::Config& config) {
        const ExplainOptions options{
            .config = config, .agent = question.agent, .json = session.json};
        if (!question.scopes.empty()) {
          return ExplainScopes(options, question.scopes, std::cout, std::cerr);
        }
        return ExplainFromLedger(options, question);
      });
    };
  });
}

void AddFilter(CLI::App& command, AuditFilter& filter) {
  command.add_option("--agent", filter.agent, "Name of the agent");
  command.add_option("--type", filter.type, "Type of entry, e.g. token.denied");
  command.add_option("--outcome", filter.outcome, "success, failure or pending");
  command.add_option("--reason", filter.reason, "Reason code, e.g. no_rule");
  command.add_option("--rule", filter.rule, "Name of the rule");
  command.add_option("--credential", filter.credential, "Name of the credential");
  command.add_option("--uti", filter.uti, "Entra's token id, as in the tenant's own logs");
  command.add_option("--request", filter.request, "Request id");
  command.add_option("--since", filter.since, "Beginning of a UTC time, e.g. 2026-11-20T08");
  command.add_option("--until", filter.until, "Beginning of a UTC time, inclusive");
}

/// What the audit commands were asked.
struct AuditQuestion {
  std::string folder;  // empty: as configured
  AuditFilter filter;
  uint64_t count = 10;
  uint64_t limit = 0;
  uint64_t seq = 0;
  bool follow = false;
  std::string head;
};

// New lines are looked for four times a second.
bool WaitALittle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  return true;
}

void AddAudit(CLI::App& app, Session& session, AuditQuestion& question) {
  auto* audit = app.add_subcommand("audit", "Read and verify the ledger's files");
  audit->require_subcommand(1);
  audit->add_option("--dir", question.folder, "The ledger's folder, or a copy; else as configured");
  // The folder of the configuration, unless one was named: a copy needs no configuration.
  const auto add = [&](const char* name, const char* about, auto run) {
    auto* command = audit->add_subcommand(name, about);
    command->callback([&session, &question, run] {
      session.chosen = [&session, &question, run] {
        if (!question.folder.empty()) return run(question.folder);
        return session.WithConfig([&run](const broker::policy::Config& config) {
          return run(config.paths.state + "/ledger");
        });
      };
    });
    return command;
  };
  auto* tail = add("tail", "The last entries", [&](const std::string& folder) {
    return AuditTail({.folder = folder,
                      .count = question.count,
                      .filter = question.filter,
                      .json = session.json,
                      .follow = question.follow,
                      .wait = WaitALittle},
                     std::cout, std::cerr);
  });
  tail->footer("Example: purser audit tail -f --type token.denied");
  tail->add_option("-n,--count", question.count, "How many")->capture_default_str();
  tail->add_flag("-f,--follow", question.follow, "Go on as entries come");
  AddFilter(*tail, question.filter);
  auto* show = add("show", "One entry in full", [&](const std::string& folder) {
    return AuditShow({.folder = folder, .seq = question.seq, .json = session.json}, std::cout,
                     std::cerr);
  });
  show->footer("Example: purser audit show 41");
  show->add_option("seq", question.seq, "Its number")->required();
  auto* search = add("search", "Entries that match", [&](const std::string& folder) {
    return AuditSearch({.folder = folder,
                        .filter = question.filter,
                        .limit = question.limit,
                        .json = session.json},
                       std::cout, std::cerr);
  });
  search->footer("Example: purser audit search --agent helpdesk --since 2026-11-20 --json");
  search->add_option("--limit", question.limit, "At most so many; 0: all");
  AddFilter(*search, question.filter);
  auto* verify =
      add("verify", "Prove that nothing was changed or removed", [&](const std::string& folder) {
        return AuditVerify({.folder = folder, .head = question.head, .json = session.json},
                           std::cout, std::cerr);
      });
  verify->footer(
      "Example: purser audit verify --head 41:9f2c…  (from the operational log)\n"
      "Exit codes: 0 intact, 1 could not read, 3 tampering found");
  verify->add_option("--head", question.head, "SEQ:LEAF that an outside place remembers");
}

}  // namespace

int RunPurser(int argc, char** argv) {
  CLI::App app{"purser: scoped, audited Microsoft Graph tokens for agents"};
  app.require_subcommand(1)->set_version_flag("--version", "purser " + std::string(kVersion));
  app.get_formatter()->column_width(34);
  Session session;
  app.add_option("--config", session.config_path, "Configuration (PURSER_CONFIG)")
      ->capture_default_str();
  app.add_option("--admin-socket", session.admin_socket,
                 "Operator's socket (PURSER_ADMIN_SOCKET); else as configured");
  app.add_flag("--json", session.json, "Print JSON");
  app.fallthrough();

  std::string credential, agent, shell;
  std::vector<std::string> command;
  NewConfigOptions init;
  AddInit(app, session, init);
  AddDaemonCommands(app, session);
  AddSecretCommands(app, session, credential);
  AddRun(app, session, agent, command);
  ExplainQuestion question;
  AuditQuestion audit;
  AddConfig(app, session);
  AddExplain(app, session, question);
  AddAudit(app, session, audit);
  auto* version = app.add_subcommand("version", "Print the version");
  version->footer("Example: purser version --json");
  version->callback([&] {
    session.chosen = [&session] {
      std::cout << (session.json ? nlohmann::json{{"version", kVersion}}.dump(2)
                                 : "purser " + std::string(kVersion))
                << '\n';
      return kExitDone;
    };
  });
  auto* completion = app.add_subcommand("completion", "Print a completion script for bash or zsh");
  completion->footer("Example: purser completion bash > /etc/bash_completion.d/purser");
  completion->add_option("shell", shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback(
      [&] { session.chosen = [&] { return PrintCompletion(app, shell, std::cout); }; });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  return session.chosen();
}

}  // namespace sidecar::cli
