// `purser metrics`: for collectors that read a file, and for people.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ostream>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/metrics_listener.h"
#include "sidecar/ipc/write_all.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;
using nlohmann::json;

constexpr mode_t kReadableByAll = 0644;  // a collector has a user of its own; it holds no secret

std::unexpected<broker::Error> Cannot(const std::string& what, const std::string& path) {
  return Fail(ErrorCode::kUnavailable, "cannot " + what + " " + path + ": " + std::strerror(errno));
}

Status Fill(int fd, std::string_view text, const std::string& path) {
  if (!WriteAll(fd, text)) return Cannot("write", path);
  if (fchmod(fd, kReadableByAll) != 0) return Cannot("change the mode of", path);  // whatever umask
  return {};
}

// A name of its own beside it, which the collector does not read: it ends in no ".prom".
Status WriteWhole(const std::string& path, std::string_view text) {
  std::string beside = path + ".XXXXXX";
  const int fd = mkstemp(beside.data());
  if (fd < 0) return Cannot("make a file beside", path);
  Status done = Fill(fd, text, beside);
  if (close(fd) != 0 && done) done = Cannot("write", beside);
  if (done && std::rename(beside.c_str(), path.c_str()) != 0) done = Cannot("replace", path);
  if (!done) unlink(beside.c_str());
  return done;
}

}  // namespace

// The first look at the daemon shows a wrong role or a daemon that is not there to whoever starts
// it.
int ServeMetrics(const Console& console, const std::string& address) {
  auto listener = MetricsListener::Open(address);
  if (!listener) {
    const bool usage = listener.error().code == ErrorCode::kInvalidRequest;
    return Complain(console.output(), listener.error().detail, usage ? kExitUsage : kExitRefused);
  }
  const auto first = console.client.GetText("/metrics");
  if (const int code = Judge(console, first)) return code;
  console.out << "listening on port " << listener->port() << std::endl;
  while (true) {
    listener->Serve([&console]() -> broker::Result<std::string> {
      const auto answer = console.client.GetText("/metrics");
      if (!answer) return std::unexpected(answer.error());
      if (answer->status != 200 || !answer->body.is_string()) {
        return Fail(ErrorCode::kUnavailable, "no metrics");
      }
      return answer->body.get<std::string>();
    });
  }
}

int RunMetrics(const Console& console, const std::string& file) {
  const auto answer = console.client.GetText("/metrics");
  if (const int code = Judge(console, answer)) return code;
  const auto& text = answer->body.get_ref<const std::string&>();
  if (!file.empty()) {
    if (const Status written = WriteWhole(file, text); !written) {
      return Complain(console.output(), written.error().detail);
    }
    if (console.json) console.out << json{{"written", file}}.dump(2) << '\n';
    return kExitDone;
  }
  if (console.json) {
    console.out << json{{"text", text}}.dump(2) << '\n';
  } else {
    console.out << text;
  }
  return kExitDone;
}

}  // namespace sidecar::cli
