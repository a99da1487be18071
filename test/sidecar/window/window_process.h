// A real purser-window, with the test in the places of supervisor, broker and ledger.
#pragma once
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "test/sidecar/window/http_peer.h"

namespace window_test {

/// What the broker (or the ledger) answers to one message; nothing: it dies instead.
using Answerer = std::function<std::string(const std::string& message)>;

class WindowProcess {
 public:
  WindowProcess(std::vector<std::string> arguments, Answerer broker) : broker_(std::move(broker)) {
    auto control = ipc::MakePair();
    control_ = std::move(control->first);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    // Through a high number: dup2 of a descriptor onto itself would leave it close-on-exec.
    posix_spawn_file_actions_adddup2(&actions, control->second.get(), 100);
    posix_spawn_file_actions_adddup2(&actions, 100, 3);
    posix_spawn_file_actions_addclose(&actions, 100);
    arguments.insert(arguments.begin(), PURSER_WINDOW);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    char* environment[] = {nullptr};
    posix_spawn(&pid_, PURSER_WINDOW, &actions, nullptr, argv.data(), environment);
    posix_spawn_file_actions_destroy(&actions);
  }
  WindowProcess(const WindowProcess&) = delete;
  WindowProcess& operator=(const WindowProcess&) = delete;
  ~WindowProcess() {
    control_.Reset();  // as if the supervisor had died: the window ends by itself
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }

  /// The next message on the control channel.
  std::string Receive() {
    ipc::Message message;
    return ipc::Receive(control_.get(), &message) ? message.bytes : std::string();
  }
  void Send(const std::string& message, const std::vector<int>& fds = {}) {
    static_cast<void>(ipc::Send(control_.get(), message, fds));
  }
  void Stop() {
    std::string stop;
    ipc::Encode(ipc::TextMessage{ipc::MessageType::kStop, {}}, &stop);
    Send(stop);
  }

  /// A new attested connection: the agent's end. Its messages go to the Answerer of the broker.
  ipc::Fd Connect(const std::string& agent = "helpdesk", bool admin = false) {
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    ipc::Fd ours(ends[0]);
    const ipc::Fd peer(ends[1]);
    auto pair = ipc::MakePair();
    std::string message;
    ipc::Encode(ipc::Connection{agent, admin, {}}, &message);
    Send(message, {peer.get(), pair->first.get()});
    Serve(std::move(pair->second), broker_);
    return ours;
  }

  /// Answers every message that arrives on `channel`, until its other end is closed.
  void Serve(ipc::Fd channel, Answerer answerer) {
    threads_.emplace_back([channel = std::move(channel), answerer = std::move(answerer)] {
      ipc::Message message;
      while (ipc::Receive(channel.get(), &message)) {
        const std::string answer = answerer(message.bytes);
        if (answer.empty() || !ipc::Send(channel.get(), answer)) return;
      }
    });
  }

  /// Waits for the process to end by itself.
  int WaitForExit() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  Answerer broker_;
  ipc::Fd control_;
  pid_t pid_ = -1;
  std::list<std::jthread> threads_;  // end when the window closes their channels
};

}  // namespace window_test
