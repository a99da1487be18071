// sidecar/broker/supervisor_link.h: the broker's end of its control channel.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// Thread-safe. Borrows the descriptor.
class SupervisorLink {
 public:
  // A reload reads and prepares a configuration in every role; longer means one of them hangs.
  static constexpr std::chrono::seconds kAnswerDeadline{10};

  explicit SupervisorLink(int control_fd) : fd_(control_fd) {}

  broker::Status Send(ipc::MessageType type, const std::string& text = {},
                      const std::vector<int>& fds = {});
  /// Sends a question and waits for Deliver(). One question at a time; others wait their turn.
  /// Errors: kUnavailable (deadline, channel closed).
  broker::Result<std::string> Ask(ipc::MessageType question, const std::string& text);
  /// What is at `place`, opened for reading. Errors: kNotFound · kDenied · kUnavailable.
  broker::Result<ipc::Fd> AskForFile(const std::string& place);
  /// The control loop received an answer; one to an earlier question is dropped.
  void Deliver(const std::string& answer, std::vector<ipc::Fd> fds = {});

 private:
  struct Answer {
    std::string text;
    std::vector<ipc::Fd> fds;
  };
  broker::Result<Answer> Exchange(ipc::MessageType question, const std::string& text);

  int fd_;
  std::mutex send_mutex_;
  std::mutex ask_mutex_;  // held over a whole question
  std::mutex mutex_;
  std::condition_variable arrived_;
  uint64_t number_ = 0;  // of the question under way
  std::optional<Answer> answer_;
};

}  // namespace sidecar::broker_role
