#include "harness.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace supervisor_test {

using namespace sidecar::supervisor;
using sidecar::ipc::Fd;

namespace {

// A test that waits this long has failed: nothing here takes a second.
constexpr std::chrono::seconds kGivenUp{60};
constexpr std::chrono::milliseconds kTurn{20};

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

[[noreturn]] void RunClient(const std::string& path, uint32_t uid, uint32_t gid, int out,
                            int stop) {
  if (gid != Client::kSameUser && setresgid(gid, gid, gid) != 0) _exit(2);
  if (uid != Client::kSameUser && (setgroups(0, nullptr) != 0 || setresuid(uid, uid, uid) != 0)) {
    _exit(2);
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) _exit(2);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    (void)!write(out, "no connection", 13);
    _exit(1);
  }
  (void)send(fd, "hello\n", 6, MSG_NOSIGNAL);
  while (true) {
    pollfd waiting[2] = {{fd, POLLIN, 0}, {stop, POLLIN, 0}};
    poll(waiting, 2, -1);
    if (waiting[1].revents != 0) _exit(0);
    char bytes[1024];
    const ssize_t got = read(fd, bytes, sizeof(bytes));
    if (got <= 0) _exit(0);
    (void)!write(out, bytes, static_cast<size_t>(got));
  }
}

}  // namespace

Folder::Folder() {
  std::string name = "/tmp/purser-test-XXXXXX";
  path_ = mkdtemp(name.data());
  chmod(path_.c_str(), 0755);
}
Folder::~Folder() { std::filesystem::remove_all(path_); }
void Folder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(*this / name) << text;
}
void Folder::Remove(const std::string& name) const { std::filesystem::remove(*this / name); }
std::string Folder::Read(const std::string& name) const {
  std::ifstream in(*this / name);
  return {std::istreambuf_iterator<char>(in), {}};
}

Client::Client(const std::string& socket, uint32_t uid, uint32_t gid) {
  int out[2];
  int stop[2];
  if (pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(stop, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2");
  }
  from_ = Fd(out[0]);
  stop_ = Fd(stop[1]);
  pid_ = fork();
  if (pid_ == 0) {
    close(stop[1]);
    RunClient(socket, uid, gid, out[1], stop[0]);
  }
  close(out[1]);
  close(stop[0]);
}

Client::Client(Client&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      from_(std::move(other.from_)),
      stop_(std::move(other.stop_)),
      answer_(std::move(other.answer_)),
      over_(other.over_) {}

Client::~Client() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Client::Collect() {
  char bytes[1024];
  while (!over_) {
    const ssize_t got = read(from_.get(), bytes, sizeof(bytes));
    if (got < 0) return;
    if (got == 0) over_ = true;
    answer_.append(bytes, static_cast<size_t>(got));
  }
}

bool Client::Has(const std::string& text) {
  Collect();
  return answer_.find(text) != std::string::npos;
}

bool Client::Over() {
  Collect();
  return over_;
}

std::string Agent(const std::string& name, uint32_t uid, const std::string& more) {
  return "[agent." + name + "]\nuser = " + std::to_string(uid) + "\n" + more + "[[agent." + name +
         ".allow]]\nname = \"read\"\nscopes = [\"Mail.Read\"]\ncredential = \"mail\"\n" +
         "decision = \"log\"\n";
}

World::World(const std::string& agents, PidfdFrom from) : from_(from) {
  std::filesystem::create_directory(folder / "fake");
  chmod((folder / "fake").c_str(), 0777);
  Configure(agents);
  folder.Write("kek", std::string(64, '0'));
  chmod((folder / "kek").c_str(), 0600);
  folder.Write("ca.pem", "certificates");
  log_file_ = Fd(open((folder / "log").c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0666));
  log_ = std::make_unique<broker::Log>(log_file_.get(), "supervisor", false);
  if (!loop.Open()) throw std::runtime_error("epoll");
}

World::~World() {
  if (supervisor == nullptr) return;
  supervisor->BeginStop();
  loop.Run();
  supervisor.reset();  // it logs to its end
}

void World::Configure(const std::string& agents, const std::string& more) const {
  folder.Write("purser.toml",
               "[instance]\nname = \"test\"\n"
               "[tenant]\nid = \"8f0c1d2e-0000-4000-8000-000000000001\"\ncloud = \"public\"\n"
               "[network]\nca_file = \"" +
                   (folder / "ca.pem") +
                   "\"\n"
                   "[paths]\nstate = \"" +
                   (folder / "state") + "\"\nrun = \"" + (folder / "run") +
                   "\"\n"
                   "[seal]\nkind = \"file\"\npath = \"" +
                   (folder / "kek") +
                   "\"\n"
                   "[hardening]\nminimum = \"strict\"\nallow_same_uid = true\n"
                   "[credential.mail]\nkind = \"refresh-token\"\n"
                   "client_id = \"8f0c1d2e-0000-4000-8000-000000000002\"\n"
                   "user = \"8f0c1d2e-0000-4000-8000-000000000003\"\nscopes = [\"Mail.Read\"]\n" +
                   agents + more);
}

std::expected<SharedConfig, std::vector<std::string>> World::Load() const {
  return LoadConfig({folder / "purser.toml", accounts_, nullptr, {}});
}

broker::Status World::Start() {
  auto config = Load();
  if (!config) return broker::Fail(broker::ErrorCode::kInvalidRequest, config.error().front());
  const RoleUsers as_ourselves;
  const auto locks = PrepareFolders((*config)->config, as_ourselves);
  if (!locks) return std::unexpected(locks.error());
  Supervisor::Setup setup;
  setup.config_path = folder / "purser.toml";
  setup.load = [this] { return Load(); };
  for (Fd& executable : setup.roles.executables)
    executable = Fd(open(FAKE_ROLE, O_PATH | O_CLOEXEC));
  setup.roles.environment = {"FAKE=" + (folder / "fake")};
  setup.roles.log = log_file_.get();
  setup.pidfd_from = from_;
  supervisor = std::make_unique<Supervisor>(loop, clock, *log_, std::move(setup));
  auto started = supervisor->Start(*config);
  if (!started) supervisor.reset();
  return started;
}

bool World::Until(const std::function<bool()>& what) {
  const auto deadline = clock.Now() + kGivenUp;
  while (!what()) {
    if (clock.Now() > deadline) return false;
    loop.RunOnce(kTurn);
  }
  return true;
}

bool World::Logged(const std::string& role, const std::string& line, size_t count) {
  return Until([&] { return CountOf(LogOf(role), line) >= count; });
}

std::string World::LogOf(const std::string& role) const {
  return folder.Read("fake/purser-" + role + ".log");
}

std::string World::Socket(const std::string& agent) const {
  return folder / ("run/agents/" + agent + "/sock");
}
std::string World::AdminSocket() const { return folder / "run/admin/sock"; }

}  // namespace supervisor_test
