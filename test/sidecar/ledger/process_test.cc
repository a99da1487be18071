// The real executable, hardened as it is in production, over its control channel.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "test/sidecar/ledger/writer_fixture.h"

using sidecar::ipc::MessageType;

namespace {

class Process {
 public:
  explicit Process(const std::string& folder, const char* latched = nullptr) {
    auto [near, far] = *sidecar::ipc::MakePair();
    control_ = std::move(near);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(far.get(), 3);  // without close-on-exec
      execl(PURSER_LEDGER, "purser-ledger", "--dir", folder.c_str(), "--log", "test-log",
            "--tenant", "contoso.example", "--reserve", "65536",
            latched != nullptr ? "--latched" : nullptr, latched, nullptr);
      _exit(9);
    }
    far.Reset();
    Connect(broker, MessageType::kBrokerChannel);
    Connect(supervisor, MessageType::kSupervisorChannel);
    sidecar::ipc::Message started;
    REQUIRE(sidecar::ipc::Receive(control_.get(), &started));
    CHECK(sidecar::ipc::DecodeText(started.bytes)->type == MessageType::kStarted);
  }
  ~Process() { End(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int Stop() {
    Tell(MessageType::kStop, {});
    return End(0);
  }
  void Kill() { End(SIGKILL); }

  /// What the supervisor is told next of the latch.
  std::string NextLatch() {
    sidecar::ipc::Message message;
    REQUIRE(sidecar::ipc::Receive(control_.get(), &message));
    const auto text = sidecar::ipc::DecodeText(message.bytes);
    REQUIRE(text);
    CHECK(text->type == MessageType::kLatched);
    return text->text;
  }

  sidecar::ipc::LedgerClient broker, supervisor;

 private:
  void Tell(MessageType type, const std::vector<int>& fds) {
    std::string out;
    Encode(sidecar::ipc::TextMessage{type, {}}, &out);
    REQUIRE(sidecar::ipc::Send(control_.get(), out, fds));
  }
  void Connect(sidecar::ipc::LedgerClient& client, MessageType type) {
    auto [near, far] = *sidecar::ipc::MakePair();
    Tell(type, {far.get()});
    client.Reset(std::move(near));
  }
  int End(int signal) {
    if (pid_ <= 0) return -1;
    if (signal != 0) kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  sidecar::ipc::Fd control_;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("hardened, it starts, writes, recovers a torn tail, resumes, and stops") {
  const TemporaryFolder folder;
  {
    Process ledger(folder.path());
    for (int i = 0; i < 200; ++i) REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    CHECK(ledger.Stop() == 0);
  }
  CHECK(VerifyFolder(folder.path()) == 0);
  const std::string segment = folder.path() + "/" + SegmentsIn(folder.path()).at(0);
  std::ofstream(segment, std::ios::app) << "{\"agent\":";
  {
    Process ledger(folder.path());
    REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    std::ofstream(segment, std::ios::app) << "{}\n";
    CHECK_FALSE(ledger.broker.Append(Issued("helpdesk")));
    const auto latched = ledger.broker.Query();
    REQUIRE(latched);
    CHECK(latched->latched);
    CHECK(latched->latch_reason.find("somebody else wrote") != std::string::npos);
    const auto resumed = ledger.broker.Resume();
    REQUIRE(resumed);
    CHECK_MESSAGE(!resumed->latched, resumed->latch_reason);
    REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    CHECK(ledger.Stop() == 0);
  }
  const auto recovered = RecoveredIn(folder.path());
  REQUIRE(recovered.size() == 3);
  CHECK(recovered[0]["reason"] == "torn_tail");
  CHECK(recovered[1]["reason"] == "unacknowledged");
  CHECK(recovered[2]["reason"] == "resumed");
  CHECK(VerifyFolder(folder.path()) == 0);
}

TEST_CASE("a process that begins latched denies and touches nothing until an operator resumes") {
  const TemporaryFolder folder;
  {
    Process ledger(folder.path());
    REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    const std::string segment = folder.path() + "/" + SegmentsIn(folder.path()).at(0);
    std::ofstream(segment, std::ios::app) << "{\"agent\":";
    CHECK_FALSE(ledger.broker.Append(Issued("helpdesk")));
    // Told before the refusal was answered: the supervisor knows, whatever happens next.
    CHECK(ledger.NextLatch().find("somebody else wrote") != std::string::npos);
    ledger.Kill();
  }
  const auto before = LinesIn(folder.path());
  {
    Process ledger(folder.path(), "sync failed: EIO");
    CHECK(ledger.NextLatch() == "sync failed: EIO");
    CHECK_FALSE(ledger.broker.Append(Issued("helpdesk")));
    CHECK_FALSE(ledger.broker.Append(Denied("helpdesk", "no_rule")));
    const auto state = ledger.broker.Query();
    REQUIRE(state);
    CHECK(state->latched);
    CHECK(state->latch_reason == "sync failed: EIO");
    CHECK(LinesIn(folder.path()) == before);
    const auto resumed = ledger.broker.Resume();
    REQUIRE(resumed);
    CHECK_MESSAGE(!resumed->latched, resumed->latch_reason);
    CHECK(ledger.NextLatch().empty());
    REQUIRE(ledger.broker.Append(Issued("helpdesk")));
    CHECK(ledger.Stop() == 0);
  }
  const auto recovered = RecoveredIn(folder.path());
  REQUIRE(recovered.size() == 2);
  CHECK(recovered[0]["reason"] == "torn_tail");
  CHECK(recovered.back()["reason"] == "resumed");
  CHECK(recovered.back()["latch"] == "sync failed: EIO");
}

TEST_CASE("killed while threads append, no acknowledged entry is missing") {
  constexpr int kRounds = 20;
  const TemporaryFolder folder;
  uint64_t acknowledged = 0;
  for (int round = 0; round < kRounds; ++round) {
    Process ledger(folder.path());
    std::atomic<uint64_t> highest = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (const auto receipt = ledger.broker.Append(Issued("helpdesk"))) {
          uint64_t seen = highest;
          while (seen < receipt->seq && !highest.compare_exchange_weak(seen, receipt->seq)) {
          }
        }
      });
    }
    while (highest < acknowledged + static_cast<uint64_t>(round) * 3 + 1) std::this_thread::yield();
    ledger.Kill();
    threads.clear();
    acknowledged = highest;
    CHECK(VerifyFolder(folder.path()) == 0);
    CHECK(Scanned(LinesIn(folder.path()).back()).seq >= acknowledged);
  }
}

TEST_CASE("the end of its supervisor is its own") {
  const TemporaryFolder folder;
  auto [near, far] = *sidecar::ipc::MakePair();
  const pid_t pid = fork();
  if (pid == 0) {
    close(near.Release());
    dup2(far.get(), 3);
    execl(PURSER_LEDGER, "purser-ledger", "--dir", folder.path().c_str(), "--log", "l", "--tenant",
          "t", nullptr);
    _exit(9);
  }
  near.Reset();
  far.Reset();
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a command line that it does not understand is refused") {
  const std::vector<std::vector<const char*>> lines = {
      {"purser-ledger", nullptr},
      {"purser-ledger", "--dir", nullptr},
      {"purser-ledger", "--dir", "/tmp", "--log", "l", nullptr},
      {"purser-ledger", "--dir", "/tmp", "--log", "l", "--tenant", "t", "--fast", "yes", nullptr},
      {"purser-ledger", "--dir", "/tmp", "--log", "l", "--tenant", "t", "--reserve", "1k", nullptr},
  };
  for (const auto& line : lines) {
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
      execv(PURSER_LEDGER, const_cast<char* const*>(line.data()));
      _exit(9);
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WEXITSTATUS(status) == 2);
  }
}
