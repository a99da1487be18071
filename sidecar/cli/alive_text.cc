#include "sidecar/cli/alive_text.h"

#include <ostream>
#include <vector>

#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/utc_time.h"

namespace sidecar::cli {

using nlohmann::json;

void PrintAlive(const Console& console, const json& body) {
  const json alive = body.value("alive", json::array());
  const std::string since = UtcTime(body.value("alive_since", int64_t{0}));
  if (alive.empty()) {
    console.out << "No token that was released since " << since << " is still valid.\n";
  } else {
    console.out << Yellow("alive")
                << "     these tokens are outside, and work until they expire:\n";
    bool earlier = false;
    std::vector<std::vector<std::string>> rows;
    for (const json& token : alive) {
      rows.push_back({Text(token["agent"]), Text(token["credential"]),
                      token.contains("user") ? Text(token["user"]) : "(application)",
                      UtcTime(token.value("expires_on", int64_t{0})), Text(token["seq"]),
                      JoinTexts(token["scopes"]) + (token.contains("earlier") ? " *" : "")});
      earlier = earlier || token.contains("earlier");
    }
    PrintTable(console.out, {"AGENT", "CREDENTIAL", "USER", "EXPIRES", "SEQ", "SCOPES"}, rows);
    if (earlier) {
      console.out << "* from before purser-broker's start: the scopes that were asked for; it may "
                     "hold all that\n  its credential is consented to\n";
    }
    if (const auto more = body.value("alive_more", uint64_t{0}); more > 0) {
      console.out << "and at most " << more << " more\n";
    }
    console.out
        << "Entra can end what stands behind them: revoke the user's sessions, disable the user or "
           "the\napplication. Graph heeds that before they expire only where continuous access "
           "evaluation applies.\n";
  }
  if (body.contains("alive_unknown")) {
    console.out << Yellow("not all") << "   tokens from before " << since
                << " may be missing here (" << Text(body["alive_unknown"])
                << "): purser audit search --type token.issued\n";
  }
}

}  // namespace sidecar::cli
