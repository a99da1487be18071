#include "test/devtenant/misbehave.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "test/devtenant/listener.h"

namespace devtenant {
namespace {

constexpr size_t kHugeBytes = size_t{8} << 20;  // far beyond what a client should read

std::string Spoilt(const std::string& kind, const std::string& body) {
  if (kind == "empty") return "";
  if (kind == "array") return "[" + body + "]";
  if (kind == "html") return "<html><body>Our services aren't available right now</body></html>";
  if (kind == "truncated") return body.substr(0, body.size() / 2);
  if (kind == "huge") return R"({"padding":")" + std::string(kHugeBytes, 'x') + R"("})";
  if (kind == "duplicate_key") return R"({"token_type":"Bearer",)" + body.substr(1);
  return "{access_token: " + body + "}";
}

std::mutex holds_mutex;
std::condition_variable holds_changed;
int held = 0;
int releases = 0;  // each lets all go that were held before it

// Who asked is not answered any more: a request that a test holds is one that a crash ended.
void Hold() {
  std::unique_lock lock(holds_mutex);
  const int before = releases;
  ++held;
  holds_changed.notify_all();
  holds_changed.wait(lock, [&] { return releases != before; });
  Connection::Current()->Drop();
}

}  // namespace

int WaitForHeld(std::chrono::seconds longest) {
  std::unique_lock lock(holds_mutex);
  holds_changed.wait_for(lock, longest, [] { return held > 0; });
  return held;
}

void ReleaseHeld() {
  const std::lock_guard lock(holds_mutex);
  held = 0;
  ++releases;
  holds_changed.notify_all();
}

bool MisbehaveBefore(const Fault& fault) {
  if (fault.hold == "before") {
    Hold();
    return false;
  }
  if (fault.delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(fault.delay_ms));
  if (fault.drop == "before") Connection::Current()->Drop();
  return fault.drop != "before";
}

void MisbehaveAfter(const Fault& fault, httplib::Response& response) {
  if (fault.hold == "after") return Hold();
  for (const auto& [name, value] : fault.headers) response.set_header(name.c_str(), value);
  if (!fault.body.empty()) response.body = Spoilt(fault.body, response.body);
  if (fault.drop == "middle") Connection::Current()->CutBody();
}

}  // namespace devtenant
