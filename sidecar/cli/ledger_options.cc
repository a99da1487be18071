#include "sidecar/cli/ledger_options.h"

#include <iostream>
#include <thread>

#include "broker/base/strict_json.h"
#include "sidecar/cli/explain_command.h"
#include "sidecar/cli/ledger_files.h"
#include "sidecar/cli/refusal_search.h"

namespace sidecar::cli {
namespace {

int ExplainFromLedger(const ExplainOptions& options, const ExplainQuestion& question) {
  const std::string folder = options.config.paths.state + "/ledger";
  if (question.refused) {
    const auto entries = RecentRefusals(folder, options.agent);
    if (entries) return ExplainRefused(options, *entries, std::cout, std::cerr);
    return Complain({std::cout, std::cerr, options.json}, entries.error().detail);
  }
  const auto line = FindAuditLine(folder, question.seq);
  auto entry = line ? broker::ParseStrictJson(*line) : std::unexpected(line.error());
  if (entry) return ExplainPast(options, *entry, std::cout, std::cerr);
  const auto& error = line ? entry.error() : line.error();
  return Complain({std::cout, std::cerr, options.json}, "there is no readable entry " +
                                                            std::to_string(question.seq) + " in " +
                                                            folder + ": " + error.detail);
}

// As far as whoever asks may read the ledger.
bool IsStopped(const broker::policy::Config& config, const std::string& agent) {
  const auto known = ReadExpectations(config.paths.state + "/ledger");
  if (!known || known->head_file != broker::ledger::Expectations::HeadFile::kRead) return false;
  const broker::ledger::State& state = known->head.state;
  return !agent.empty() && (state.all_killed || state.killed.contains(agent));
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
  command.add_option("--person", filter.person,
                     "Object id of who was signed in, or in whose name the agent acted");
  command.add_option("--since", filter.since, "Beginning of a UTC time, e.g. 2026-11-20T08");
  command.add_option("--until", filter.until, "Beginning of a UTC time, inclusive");
}

// New lines are looked for four times a second.
bool WaitALittle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  return true;
}

}  // namespace

void AddExplain(CLI::App& app, Session& session, ExplainQuestion& question) {
  auto* explain =
      app.add_subcommand("explain", "Why an agent gets something or not, and what would change it");
  explain->footer(
      "Examples: purser explain helpdesk --scopes Mail.Send\n"
      "          purser explain helpdesk --seq 41\n"
      "          purser explain helpdesk --refused\n"
      "          purser explain --refused     (connections to the operator's socket)\n"
      "Reads the configuration and the ledger, and asks nobody.");
  explain->add_option("agent", question.agent, "Name in purser.toml");
  auto* what = explain->add_option_group("what")->require_option(1);
  what->add_option("--scopes", question.scopes, "Scopes that it would ask for");
  what->add_option("--seq", question.seq, "A past entry of the ledger");
  what->add_flag("--refused", question.refused, "Connections that were refused");
  explain->callback([&] {
    if (question.agent.empty() && !question.scopes.empty()) throw CLI::RequiredError("agent");
    session.chosen = [&] {
      return session.WithConfig([&](const broker::policy::Config& config) {
        const ExplainOptions options{.config = config,
                                     .agent = question.agent,
                                     .json = session.json,
                                     .stopped = IsStopped(config, question.agent)};
        if (!question.scopes.empty()) {
          return ExplainScopes(options, question.scopes, std::cout, std::cerr);
        }
        return ExplainFromLedger(options, question);
      });
    };
  });
}

void AddAudit(CLI::App& app, Session& session, AuditQuestion& question) {
  auto* audit = app.add_subcommand("audit", "Read and verify the ledger's files");
  audit->require_subcommand(1)->footer(
      "Examples: purser audit tail -f --type token.denied\n"
      "          purser audit show 41\n"
      "          purser audit search --agent helpdesk --since 2026-11-20\n"
      "          purser audit verify --dir /mnt/copy/ledger --head 41:9f2c…");
  audit->add_option("--dir", question.folder, "The ledger's folder, or a copy; else as configured");
  audit->add_option("--archive", question.archive,
                    "Where archived segments are; else the folder archive below the ledger's");
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
    return AuditShow(
        {.folder = folder, .seq = question.seq, .json = session.json, .archive = question.archive},
        std::cout, std::cerr);
  });
  show->footer("Example: purser audit show 41");
  show->add_option("seq", question.seq, "Its number")->required();
  auto* search = add("search", "Entries that match", [&](const std::string& folder) {
    return AuditSearch({.folder = folder,
                        .filter = question.filter,
                        .limit = question.limit,
                        .json = session.json,
                        .archive = question.archive},
                       std::cout, std::cerr);
  });
  search->footer("Example: purser audit search --agent helpdesk --since 2026-11-20 --json");
  search->add_option("--limit", question.limit, "At most so many; 0: all");
  AddFilter(*search, question.filter);
  auto* verify =
      add("verify", "Prove that nothing was changed or removed", [&](const std::string& folder) {
        return AuditVerify({.folder = folder,
                            .head = question.head,
                            .json = session.json,
                            .archive = question.archive},
                           std::cout, std::cerr);
      });
  verify->footer(
      "Example: purser audit verify --head 41:9f2c…  (from the operational log)\n"
      "Exit codes: 0 intact, 1 could not read, 3 tampering found");
  verify->add_option("--head", question.head, "SEQ:LEAF that an outside place remembers");
}

}  // namespace sidecar::cli
