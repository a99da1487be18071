// The real purser-dialer, with the test in the places of supervisor, broker and ledger.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "sidecar/ipc/messages.h"
#include "test/sidecar/dialer/loopback.h"

using namespace std::string_literals;
namespace ipc = sidecar::ipc;
using ipc::Fd, ipc::MessageType;

namespace {

/// Acknowledges every append, or dies; adds up the counts of connection.opened.
class Ledger {
 public:
  explicit Ledger(Fd channel) : channel_(std::move(channel)), thread_([this] { Serve(); }) {}
  ~Ledger() { Kill(); }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void Kill() {
    if (!thread_.joinable()) return;
    shutdown(channel_.get(), SHUT_RDWR);
    thread_.join();
    channel_.Reset();
  }
  /// Call after Kill() or the dialer's end.
  [[nodiscard]] std::map<std::string, int64_t> counts() const { return counts_; }
  void Join() { thread_.join(); }

 private:
  void Serve() {
    ipc::Message message;
    while (ipc::Receive(channel_.get(), &message)) {
      const auto appends = ipc::DecodeAppends(message.bytes);
      if (!appends || appends->size() != 1) return;
      const ipc::Append* append = appends->data();
      counts_[append->entry.upstream_host] += std::get<int64_t>(append->entry.change.at("count"));
      const std::string leaf(32, 'l');
      std::string acks;
      ipc::EncodeAcks({{.id = append->id, .seq = 1, .leaf = leaf}}, &acks);
      if (!ipc::Send(channel_.get(), acks)) return;
    }
  }
  Fd channel_;
  std::map<std::string, int64_t> counts_;
  std::thread thread_;
};

class DialerProcess {
 public:
  explicit DialerProcess(std::vector<std::string> environment = {},
                         std::vector<std::string> options = {}) {
    auto control = ipc::MakePair();
    REQUIRE(control);
    control_ = std::move(control->first);
    std::vector<char*> variables;
    variables.reserve(environment.size() + 1);
    for (std::string& variable : environment) variables.push_back(variable.data());
    variables.push_back(nullptr);
    std::vector<char*> arguments{const_cast<char*>("purser-dialer")};
    for (std::string& option : options) arguments.push_back(option.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int control_fd = fcntl(control->second.get(), F_DUPFD, 100);
      dup2(control_fd, 3);
      close(control_fd);
      execve(PURSER_DIALER, arguments.data(), variables.data());
      _exit(126);
    }
  }
  ~DialerProcess() {
    control_.Reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  DialerProcess(const DialerProcess&) = delete;
  DialerProcess& operator=(const DialerProcess&) = delete;

  void Say(MessageType type, const std::string& text = "", const std::vector<int>& fds = {}) {
    std::string bytes;
    ipc::Encode(ipc::TextMessage{type, text}, &bytes);
    REQUIRE(ipc::Send(control_.get(), bytes, fds));
  }
  /// The text of the next message, which is of that type.
  std::string Hear(MessageType type) {
    ipc::Message message;
    REQUIRE(ipc::Receive(control_.get(), &message));
    REQUIRE(ipc::TypeOf(message.bytes) == type);
    return ipc::DecodeText(message.bytes)->text;
  }
  /// The other end of a new channel.
  Fd Give(MessageType type) {
    auto pair = ipc::MakePair();
    REQUIRE(pair);
    Say(type, "", {pair->second.get()});
    return std::move(pair->first);
  }
  /// Started, with this host list in force and channels to this test.
  void Prepare(const std::string& hosts) {
    CHECK(Hear(MessageType::kStarted) == "[]");
    Say(MessageType::kHosts, hosts);
    CHECK(Hear(MessageType::kConfigured).empty());
    Say(MessageType::kCommitConfig);
    ledger = std::make_unique<Ledger>(Give(MessageType::kLedgerChannel));
    broker = Give(MessageType::kBrokerChannel);
  }
  Fd Dial() {
    auto [mine, theirs] = StreamPair();
    std::string bytes;
    ipc::Encode(ipc::TextMessage{MessageType::kDial, ""}, &bytes);
    REQUIRE(ipc::Send(broker.get(), bytes, {theirs.get()}));
    return std::move(mine);
  }
  int ExitStatus() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  std::unique_ptr<Ledger> ledger;
  Fd broker;

 private:
  pid_t pid_ = -1;
  Fd control_;
};

/// The SOCKS reply to CONNECT on a fresh stream.
int Connect(int stream, const std::string& host, uint16_t port) {
  WriteAll(stream, "\x05\x01\x00"s);
  if (ReadBytes(stream, 2) != "\x05\x00"s) return -1;
  WriteAll(stream, "\x05\x01\x00\x03"s + static_cast<char>(host.size()) + host +
                       static_cast<char>(port >> 8) + static_cast<char>(port & 0xff));
  const std::string reply = ReadBytes(stream, 10);
  return reply.size() == 10 ? reply[1] : -1;
}

}  // namespace

TEST_CASE("hardened, the dialer relays to a listed host and counts on stop") {
  Listener upstream;
  DialerProcess dialer;
  dialer.Prepare("localhost:" + std::to_string(upstream.port()));
  for (int i = 0; i < 3; ++i) {
    const Fd stream = dialer.Dial();
    REQUIRE(Connect(stream.get(), "localhost", upstream.port()) == 0);
    const Fd server = upstream.Accept();
    WriteAll(stream.get(), "ping");
    CHECK(ReadBytes(server.get(), 4) == "ping");
    WriteAll(server.get(), "pong");
    CHECK(ReadBytes(stream.get(), 4) == "pong");
  }
  dialer.Say(MessageType::kPing);
  dialer.Hear(MessageType::kWatchdog);
  dialer.Say(MessageType::kStop);
  // It serves while the broker drains.
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 0);
  dialer.broker.Reset();
  CHECK(dialer.ExitStatus() == 0);
  dialer.ledger->Join();
  CHECK(dialer.ledger->counts() == std::map<std::string, int64_t>{{"localhost", 4}});
}

TEST_CASE("a list takes effect with its commit, and not when it is aborted or malformed") {
  Listener upstream;
  const std::string listed = "localhost:" + std::to_string(upstream.port());
  DialerProcess dialer;
  dialer.Prepare("login.invalid:443");
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 2);

  dialer.Say(MessageType::kHosts, listed);
  CHECK(dialer.Hear(MessageType::kConfigured).empty());
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 2);
  dialer.Say(MessageType::kAbortConfig);
  dialer.Say(MessageType::kCommitConfig);
  dialer.Say(MessageType::kPing);
  dialer.Hear(MessageType::kWatchdog);
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 2);

  dialer.Say(MessageType::kHosts, listed + "\n*:443");
  CHECK(dialer.Hear(MessageType::kConfigured) == "host list, line 2");
  dialer.Say(MessageType::kHosts, listed);
  CHECK(dialer.Hear(MessageType::kConfigured).empty());
  dialer.Say(MessageType::kCommitConfig);
  dialer.Say(MessageType::kPing);
  dialer.Hear(MessageType::kWatchdog);
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 0);
}

TEST_CASE("without a ledger there is no connection, and with a new one there is") {
  Listener upstream;
  DialerProcess dialer;
  dialer.Prepare("localhost:" + std::to_string(upstream.port()));
  dialer.ledger->Kill();
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 1);
  dialer.ledger = std::make_unique<Ledger>(dialer.Give(MessageType::kLedgerChannel));
  dialer.Say(MessageType::kPing);
  dialer.Hear(MessageType::kWatchdog);
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 0);
}

TEST_CASE("a malformed broker channel is closed, and a new one is served") {
  Listener upstream;
  DialerProcess dialer;
  dialer.Prepare("localhost:" + std::to_string(upstream.port()));
  REQUIRE(ipc::Send(dialer.broker.get(), "\xff nonsense"));
  ipc::Message message;
  CHECK_FALSE(ipc::Receive(dialer.broker.get(), &message));
  dialer.broker = dialer.Give(MessageType::kBrokerChannel);
  CHECK(Connect(dialer.Dial().get(), "localhost", upstream.port()) == 0);
}

TEST_CASE("what the dialer could open and should not is a finding, and only that") {
  // Below /etc it reads what name resolution needs; elsewhere nothing, where there is Landlock.
  DialerProcess dialer({}, {"--off-limits", "/etc/passwd", "--off-limits", "/no/such/place"});
  const std::string findings = dialer.Hear(MessageType::kStarted);
  CHECK(findings.contains(R"("name":"dialer_opens_off_limits")"));
  CHECK(findings.contains("the dialer can open /etc/passwd"));
  CHECK_FALSE(findings.contains("/no/such/place"));
}

TEST_CASE("a message that is none of the dialer's ends it") {
  DialerProcess dialer;
  dialer.Hear(MessageType::kStarted);
  dialer.Say(MessageType::kReloadReport, "{}");
  CHECK(dialer.ExitStatus() == 1);
}

TEST_CASE("a hostile environment changes nothing") {
  Listener upstream;
  Listener trap;
  const auto aliases =
      std::filesystem::temp_directory_path() / ("purser-aliases-" + std::to_string(getpid()));
  std::ofstream(aliases) << "upstream localhost\n";
  const std::string proxy = "http://127.0.0.1:" + std::to_string(trap.port());
  DialerProcess dialer({"https_proxy=" + proxy, "HTTPS_PROXY=" + proxy, "ALL_PROXY=" + proxy,
                        "http_proxy=" + proxy, "HOSTALIASES=" + aliases.string(),
                        "LOCALDOMAIN=evil.invalid", "RES_OPTIONS=ndots:9", "LD_BIND_NOW=0",
                        "MALLOC_CHECK_=3"});
  const std::string port = ":" + std::to_string(upstream.port());
  dialer.Prepare("localhost" + port + "\nupstream" + port);
  const Fd stream = dialer.Dial();
  CHECK(Connect(stream.get(), "localhost", upstream.port()) == 0);
  WriteAll(stream.get(), "direct");
  const Fd server = upstream.Accept();
  CHECK(ReadBytes(server.get(), 6) == "direct");
  CHECK(Connect(dialer.Dial().get(), "upstream", upstream.port()) == 4);  // no alias
  std::filesystem::remove(aliases);
}
