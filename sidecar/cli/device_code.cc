#include "sidecar/cli/device_code.h"

#include <chrono>
#include <ostream>
#include <thread>
#include <utility>

#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {

using nlohmann::json;

std::expected<json, int> AwaitDeviceCode(const Console& console, const json& begun,
                                         const std::string& as_whom,
                                         const std::function<broker::Result<AdminAnswer>()>& poll) {
  // With --json standard output is kept for the one object.
  (console.json ? console.err : console.out)
      << "Open " << Bold(Field(begun, "verification_uri")) << " and enter "
      << Bold(Field(begun, "user_code")) << ",\n"
      << as_whom << " Waiting…" << std::endl;
  for (int64_t interval = begun.value("interval", 5);;) {
    // The interval is the protocol's (RFC 8628 §3.5): polling faster is answered with slow_down.
    std::this_thread::sleep_for(std::chrono::seconds(interval));
    auto answer = poll();
    if (const int code = Judge(console, answer)) return std::unexpected(code);
    if (answer->body.value("done", false)) return std::move(answer->body);
    interval = answer->body.value("interval", interval);
  }
}

}  // namespace sidecar::cli
