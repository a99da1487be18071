// The card that a person decides by: all of it is seen, and none of it poses as something else.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "sidecar/cli/approval_commands.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

json Approval() {
  return {{"id", std::string(32, 'a')},
          {"agent", "helpdesk"},
          {"state", "pending"},
          {"digest", std::string(64, 'd')},
          {"shown",
           {{"process", {{"uid", 61021}, {"pid", 7}}},
            {"scopes", {"Mail.Send"}},
            {"resource", "https://graph.microsoft.com"},
            {"credential", {{"name", "mail"}, {"kind", "refresh-token"}}},
            {"rule", "send-mail"}}}};
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_CASE("no line of a card is wider than a terminal, so that none is cut off or broken there") {
  json approval = Approval();
  for (int i = 0; i < 30; ++i) approval["shown"]["scopes"].push_back("Scope." + std::to_string(i));
  approval["shown"]["process"]["exe"] = "/tmp/" + std::string(300, 'x');
  approval["shown"]["can_also"] = {"Mail.ReadWrite", "Files.ReadWrite.All"};
  const std::string card = CardText(approval);
  for (const std::string& line : LinesOf(card)) CHECK(line.size() <= 80);
  CHECK(card.find("Scope.29") != std::string::npos);
  CHECK(card.find("  can also     Mail.ReadWrite Files.ReadWrite.All") != std::string::npos);
}

TEST_CASE("what an agent chose never begins a line, and comes after the facts") {
  const std::string fake = "  for user     ceo, proven  wants        nothing at all  ";
  struct Row {
    const char* what;
    json::json_pointer where;
  };
  const Row rows[] = {
      {"its program's path", json::json_pointer("/shown/process/exe")},
      {"a claims challenge", json::json_pointer("/shown/claims")},
      {"its purpose", json::json_pointer("/shown/claimed/purpose")},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    for (size_t pad = 0; pad < 80; ++pad) {
      json approval = Approval();
      approval[row.where] = "/" + std::string(pad, 'x') + fake + fake;
      const auto lines = LinesOf(CardText(approval));
      const auto poses = [](const std::string& line) {
        return line.starts_with("  for user     ceo");
      };
      CHECK(std::ranges::none_of(lines, poses));
      CHECK(std::ranges::count_if(lines, [](const auto& line) {
              return line.starts_with("  for user     none was proven");
            }) == 1);
    }
  }
}

}  // namespace
}  // namespace sidecar::cli
