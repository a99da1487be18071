#include "sidecar/cli/approval_commands.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "sidecar/cli/approval_hook.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/watch.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

constexpr size_t kShortId = 8;  // digits that tell the few that wait apart

// Oldest first: what is new comes at the end, and nothing moves under a finger.
std::vector<json> PendingOf(const json& body) {
  std::vector<json> pending;
  for (const json& one : body.value("approvals", json::array())) {
    if (Field(one, "state") == "pending") pending.push_back(one);
  }
  std::ranges::reverse(pending);
  return pending;
}

void PrintEnded(const Console& console, const json& body) {
  std::vector<std::vector<std::string>> rows;
  for (const json& one : body.value("approvals", json::array())) {
    if (Field(one, "state") == "pending") continue;
    rows.push_back({Field(one, "id").substr(0, kShortId), Field(one, "agent"), Field(one, "state"),
                    JoinTexts(one["shown"].value("scopes", json::array())),
                    JoinTexts(one.value("votes", json::array()))});
  }
  if (!rows.empty()) PrintTable(console.out, {"ID", "AGENT", "BECAME", "SCOPES", "BY"}, rows);
}

void PrintNotices(const Console& console, const json& body) {
  for (const json& notice : body.value("notices", json::array())) {
    console.out << "notice    entry " << Field(notice, "seq") << ": " << Field(notice, "agent")
                << " has a token for " << JoinTexts(notice.value("scopes", json::array()))
                << ", by rule " << Field(notice, "rule") << '\n';
  }
}

void PrintAll(const Console& console, const json& body, const std::vector<json>& pending) {
  if (pending.empty()) console.out << "nothing waits for approval\n";
  for (const json& one : pending) console.out << CardText(one) << '\n';
  PrintEnded(console, body);
  PrintNotices(console, body);
}

broker::Result<AdminAnswer> Ask(const Console& console) {
  return console.client.Call("GET", "/v1/approvals");
}

broker::Result<AdminAnswer> Send(const Console& console, const json& approval, bool yes,
                                 const std::string& why) {
  json body = {{"digest", Field(approval, "digest")}};
  if (!why.empty()) body["why"] = why;
  return console.client.Call(
      "POST", "/v1/approvals/" + Field(approval, "id") + (yes ? "/approve" : "/deny"), body);
}

std::string Said(const json& approval) {
  const std::string id = Field(approval, "id").substr(0, kShortId);
  if (Field(approval, "state") == "denied") return Red("denied") + "    " + id;
  if (Field(approval, "state") == "granted") return Green("approved") + "  " + id;
  return Yellow("yes") + "       " + id + ": " +
         std::to_string(approval.value("votes", json::array()).size()) + " of " +
         Field(approval, "quorum") + ", another person must approve it, too";
}

/// The list on the screen, one of it chosen.
class Board {
 public:
  explicit Board(const AdminClient& client) : client_(client) {}

  int Look(const Console& console) {
    const auto answer = Ask(console);
    if (const int code = Judge(console, answer)) return code;
    pending_ = PendingOf(answer->body);
    if (pending_.empty()) {
      PrintAll(console, answer->body, pending_);
      return kExitDone;
    }
    console.out << "a approve   d deny   j next   k previous\n";
    const size_t chosen = Chosen();
    // Before the others: what may find no room is not what is decided on.
    console.out << CardText(pending_[chosen]) << '\n';
    for (size_t i = 0; i < pending_.size(); ++i) {
      console.out << (i == chosen ? "> " : "  ") << Field(pending_[i], "id").substr(0, kShortId)
                  << "  " << Field(pending_[i], "agent") << "  "
                  << JoinTexts(pending_[i]["shown"].value("scopes", json::array())) << '\n';
    }
    return kExitDone;
  }

  // Decides on what stands on the screen, whatever has come since.
  std::string Key(char key) {
    if (pending_.empty()) return {};
    const size_t at = Chosen();
    if (key == 'j') chosen_ = Field(pending_[std::min(at + 1, pending_.size() - 1)], "id");
    if (key == 'k') chosen_ = Field(pending_[at == 0 ? 0 : at - 1], "id");
    if (key != 'a' && key != 'd') return {};
    std::ostringstream out, err;
    const Console console{client_, out, err, false};
    const auto answer = Send(console, pending_[at], key == 'a', {});
    return Judge(console, answer) != kExitDone ? err.str() : Said(answer->body);
  }

 private:
  size_t Chosen() {
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (Field(pending_[i], "id") == chosen_) return i;
    }
    chosen_ = Field(pending_.front(), "id");
    return 0;
  }

  const AdminClient& client_;
  std::vector<json> pending_;
  std::string chosen_;
};

}  // namespace

int RunApprovals(const Console& console, const ApprovalOrder& order) {
  if (!order.exec.empty()) return RunHook(console, order.exec);
  if (order.watch) {
    Board board(console.client);
    return Watch(
        console, [&](const Console& frame) { return board.Look(frame); },
        [&](char key) { return board.Key(key); });
  }
  const auto answer = Ask(console);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  PrintAll(console, answer->body, PendingOf(answer->body));
  return kExitDone;
}

int RunDecision(const Console& console, const ApprovalOrder& order, bool yes) {
  const auto answer = Ask(console);
  if (const int code = Judge(console, answer)) return code;
  std::vector<json> meant;
  for (const json& one : answer->body.value("approvals", json::array())) {
    if (Field(one, "id").starts_with(order.id)) meant.push_back(one);
  }
  if (meant.size() != 1 || order.id.size() < 4) {
    return Complain(console.output(),
                    meant.empty() ? "there is no such approval; `purser approvals` lists them"
                                  : "that is not enough of the id: write more of it");
  }
  if (!console.json) console.out << CardText(meant.front());
  const auto done = Send(console, meant.front(), yes, order.why);
  if (const int code = Judge(console, done)) return code;
  console.out << (console.json ? done->body.dump(2) : Said(done->body)) << '\n';
  return kExitDone;
}

void AddApprovals(CLI::App& app, Session& session, ApprovalOrder& order) {
  auto* list = app.add_subcommand("approvals", "Show what waits for a person's yes");
  list->footer(
      "Examples: purser approvals --watch\n"
      "          purser approvals --watch --exec ./tell-the-team\n"
      "The command is run for each new approval, with its JSON on standard input.");
  auto* watch = list->add_flag("--watch", order.watch, "Live, to approve and deny in place");
  list->add_option("--exec", order.exec, "Instead, run this for each that is new")->needs(watch);
  session.AtDaemon(list, [&order](const Console& c) { return RunApprovals(c, order); });
  const auto add = [&](const char* name, const char* about, const char* footer, bool yes) {
    auto* command = app.add_subcommand(name, about)->footer(footer);
    command->add_option("id", order.id, "As listed; its first digits are enough")->required();
    command->add_option("--why", order.why, "For the ledger, at most 200 characters");
    session.AtDaemon(command,
                     [&order, yes](const Console& c) { return RunDecision(c, order, yes); });
  };
  add("approve", "Say yes to what it shows, on record",
      "Example: purser approve 3f9a01c2 --why \"ticket 1042\"", true);
  add("deny", "Say no: the same request is refused without asking again",
      "Example: purser deny 3f9a01c2 --why \"not on a Sunday\"", false);
}

}  // namespace sidecar::cli
