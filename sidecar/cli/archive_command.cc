#include "sidecar/cli/archive_command.h"

#include <chrono>
#include <optional>
#include <ostream>

#include "broker/ledger/segment_name.h"
#include "broker/policy/config_values.h"
#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// The day before which entries go; nothing where `keep` is no duration.
std::optional<std::string> DayOf(const ArchiveOrder& order) {
  if (!order.before.empty()) return order.before;
  const auto keep = broker::policy::ParseDuration(order.keep);
  if (!keep) return std::nullopt;
  return broker::ledger::DateOf(std::chrono::system_clock::now() - *keep);
}

void PrintPlan(const Console& console, const json& body) {
  const int64_t left = body.value("left", int64_t{0});
  if (left == 0) {
    console.out << "no segment is old enough: the newest always stays\n";
    return;
  }
  console.out << "would move " << left << (left == 1 ? " segment: " : " segments: ")
              << Field(body, "first") << (left == 1 ? "" : " to " + Field(body, "last"))
              << ", entries up to " << Field(body, "last_seq") << '\n';
}

int RunArchive(const Console& console, const std::string& day, bool dry_run) {
  json moved = json::array();
  json body = {{"before", day}};
  if (dry_run) body["dry_run"] = true;
  while (true) {
    const auto answer = console.client.Call("POST", "/v1/ledger/archive", body);
    if (const int code = Judge(console, answer)) return code;
    if (dry_run) {
      console.json ? void(console.out << answer->body.dump(2) << '\n')
                   : PrintPlan(console, answer->body);
      return kExitDone;
    }
    for (const json& one : answer->body.value("moved", json::array())) {
      if (!console.json) {
        console.out << "moved  " << Field(one, "file") << "  entries " << Field(one, "first_seq")
                    << " to " << Field(one, "last_seq") << "  sha256 " << Field(one, "sha256")
                    << '\n';
      }
      moved.push_back(one);
    }
    if (answer->body.value("left", 0) == 0) break;
  }
  if (console.json) {
    console.out << json{{"moved", moved}}.dump(2) << '\n';
  } else if (moved.empty()) {
    console.out << "no segment is old enough: the newest always stays\n";
  } else {
    console.out
        << "They are in the folder archive below the ledger's, from where you may take them "
           "elsewhere;\n`purser audit verify --archive DIR` verifies them with the rest.\n";
  }
  return kExitDone;
}

}  // namespace

void AddArchive(CLI::App& ledger, Session& session, ArchiveOrder& order) {
  auto* command =
      ledger.add_subcommand("archive", "Move closed segments out of the ledger's folder");
  command->footer(
      "Moves the oldest segments, never the newest, into the folder archive below the ledger's, "
      "and\n"
      "records it. Nothing is removed.\n"
      "Examples: purser ledger archive --keep 90d --dry-run\n"
      "          purser ledger archive --before 2026-10-01");
  auto* which = command->add_option_group("which")->require_option(1);
  which->add_option("--before", order.before, "Segments begun before that day (UTC)");
  which->add_option("--keep", order.keep, "Segments begun longer ago than that: 90d");
  command->add_flag("--dry-run", session.dry_run, "Say what would be moved");
  command->callback([&session, &order] {
    session.chosen = [&session, &order] {
      const auto day = DayOf(order);
      return session.WithDaemon([&](const Console& console) {
        if (!day) return Complain(console.output(), "write --keep as 90d or 12h", kExitUsage);
        return RunArchive(console, *day, session.dry_run);
      });
    };
  });
}

}  // namespace sidecar::cli
