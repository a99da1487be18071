#include "sidecar/cli/refusal_search.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using sidecar::cli::RecentRefusals;
namespace fs = std::filesystem;

TEST_CASE("Refused connections are found among lines of any shape") {
  std::string folder = (fs::temp_directory_path() / "purser-refusals-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  {
    std::ofstream lines(fs::path(folder) / "2026-11-20.000000000001.jsonl");
    lines << R"({"seq":1,"type":"connection.refused","agent":{"name":"helpdesk"}})" << '\n'
          << R"({"seq":2,"type":"connection.refused","agent":{"name":"other"}})" << '\n'
          << R"({"seq":3,"type":7,"reason":"connection.refused"})" << '\n'
          << R"({"seq":4,"type":"connection.refused","agent":"helpdesk"})" << '\n'
          << R"({"seq":5,"type":"connection.refused","agent":["helpdesk"]})" << '\n'
          << R"({"seq":6,"type":"connection.refused","agent":{"name":7}})" << '\n'
          << R"(["connection.refused"])" << '\n'
          << R"("connection.refused")" << '\n'
          << R"("connection.refused)" << '\n'
          << R"({"seq":8,"type":"connection.refused"})" << '\n'
          << R"({"seq":9,"type":"connection.refused","agent":{"name":"helpdesk"}})" << '\n';
  }
  const auto found = RecentRefusals(folder, "helpdesk");
  const auto operators = RecentRefusals(folder, "");
  fs::remove_all(folder);
  REQUIRE(found.has_value());
  REQUIRE(found->size() == 2);
  CHECK((*found)[0]["seq"] == 1);
  CHECK((*found)[1]["seq"] == 9);
  // To the operators' socket: those that name no agent.
  REQUIRE(operators.has_value());
  REQUIRE(operators->size() == 3);
  CHECK((*operators)[2]["seq"] == 8);
}
