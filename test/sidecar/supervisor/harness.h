// A supervisor in this process with roles that are fakes (fake_role.cc), and clients that are
// forked processes of any user.
#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sidecar/supervisor/supervisor.h"

namespace supervisor_test {

class SteadyClock final : public broker::Clock {
 public:
  Steady Now() const override { return std::chrono::steady_clock::now(); }
  Wall WallNow() const override { return std::chrono::system_clock::now(); }
};

/// Users by number only.
class NoAccounts final : public broker::policy::Accounts {
 public:
  std::optional<uint32_t> UserId(const std::string&) const override { return std::nullopt; }
  std::optional<uint32_t> GroupId(const std::string&) const override { return std::nullopt; }
  std::vector<uint32_t> GroupsOf(uint32_t) const override { return {}; }
};

/// A folder of its own, removed at the end; reachable by every user.
class Folder {
 public:
  Folder();
  ~Folder();
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }
  void Write(const std::string& name, const std::string& text) const;
  void Remove(const std::string& name) const;
  [[nodiscard]] std::string Read(const std::string& name) const;

 private:
  std::string path_;
};

/// A process that connects to `socket` as `uid` (and `gid`), writes a line, and reads to the end.
class Client {
 public:
  static constexpr uint32_t kSameUser = ~0U;
  explicit Client(const std::string& socket, uint32_t uid = kSameUser, uint32_t gid = kSameUser);
  ~Client();
  Client(Client&& other) noexcept;
  /// Whether what it read ends the way `text` does, or it is over. Never waits.
  bool Has(const std::string& text);
  bool Over();
  [[nodiscard]] const std::string& answer() const { return answer_; }

 private:
  void Collect();
  pid_t pid_ = -1;
  sidecar::ipc::Fd from_, stop_;
  std::string answer_;
  bool over_ = false;
};

/// One agent's table.
std::string Agent(const std::string& name, uint32_t uid, const std::string& more = "");

class World {
 public:
  /// `agents`: tables of purser.toml. Nothing is started.
  explicit World(const std::string& agents, sidecar::supervisor::PidfdFrom from =
                                                sidecar::supervisor::PidfdFrom::kSocketElsePid);
  ~World();

  broker::Status Start();
  /// Turns the loop until `what` holds; false when it has not after a minute, which is a failure.
  bool Until(const std::function<bool()>& what);
  /// Turns the loop until the log of `role` holds `line` `count` times.
  bool Logged(const std::string& role, const std::string& line, size_t count = 1);
  [[nodiscard]] std::string LogOf(const std::string& role) const;

  void Configure(const std::string& agents, const std::string& more = "") const;
  [[nodiscard]] std::string Socket(const std::string& agent) const;
  [[nodiscard]] std::string AdminSocket() const;

  Folder folder;
  SteadyClock clock;
  sidecar::supervisor::EventLoop loop{clock};
  std::unique_ptr<sidecar::supervisor::Supervisor> supervisor;
  std::string reload_report;

 private:
  [[nodiscard]] std::expected<sidecar::supervisor::SharedConfig, std::vector<std::string>> Load()
      const;
  NoAccounts accounts_;
  sidecar::ipc::Fd log_file_;
  std::unique_ptr<broker::Log> log_;
  sidecar::supervisor::PidfdFrom from_;
};

}  // namespace supervisor_test
