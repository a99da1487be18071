#include "sidecar/cli/approval_hook.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ostream>
#include <set>
#include <thread>

#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/watch.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// A message to a chat takes a second; what takes longer keeps the next one waiting.
constexpr std::chrono::seconds kHookPatience{30};

// Less than a pipe takes: a command that reads nothing holds nobody up.
constexpr size_t kMaxLine = size_t{64} << 10;

std::string Fault(int status) {
  if (WIFEXITED(status)) return "ended with " + std::to_string(WEXITSTATUS(status));
  return "was ended by signal " + std::to_string(WTERMSIG(status));
}

// Empty when all went well.
std::string RunOnce(const std::string& command, const std::string& line) {
  int ends[2];
  if (line.size() >= kMaxLine || pipe2(ends, O_CLOEXEC) != 0) return "could not be told";
  [[maybe_unused]] const ssize_t put = write(ends[1], line.data(), line.size());
  close(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[0], STDIN_FILENO);
    setpgid(0, 0);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(ends[0]);
  if (child < 0) return "could not be started";
  setpgid(child, child);
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  pollfd ended{.fd = fd, .events = POLLIN, .revents = 0};
  constexpr int kPatience = static_cast<int>(std::chrono::milliseconds(kHookPatience).count());
  const bool late = fd >= 0 && poll(&ended, 1, kPatience) == 0;
  if (late) kill(-child, SIGKILL);
  if (fd >= 0) close(fd);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (late) return "took too long and was ended";
  return status == 0 ? "" : Fault(status);
}

// What there is to tell, each under its own name.
std::vector<std::pair<std::string, json>> News(const json& body) {
  std::vector<std::pair<std::string, json>> news;
  for (const json& one : body.value("approvals", json::array())) {
    if (Field(one, "state") == "pending")
      news.emplace_back(Field(one, "id"), json{{"approval", one}});
  }
  for (const json& one : body.value("notices", json::array())) {
    news.emplace_back("entry " + Field(one, "seq"), json{{"notice", one}});
  }
  return news;
}

}  // namespace

int RunHook(const Console& console, const std::string& command) {
  std::set<std::string> told;
  for (bool first = true;; first = false) {
    const auto answer = console.client.Call("GET", "/v1/approvals");
    if (first) {
      if (const int code = Judge(console, answer)) return code;
    }
    std::set<std::string> there;
    const bool good = answer && answer->status == 200;
    for (const auto& [name, body] : News(good ? answer->body : json::object())) {
      there.insert(name);
      if (told.contains(name)) continue;
      const std::string line =
          body.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace) + "\n";
      if (const std::string fault = RunOnce(command, line); !fault.empty()) {
        console.err << "purser: the command " << fault << ", told of " << name << std::endl;
      }
    }
    if (good) told = std::move(there);
    std::this_thread::sleep_for(kWatchInterval);
  }
}

}  // namespace sidecar::cli
