#include "sidecar/broker/supervisor_link.h"

#include <utility>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/questions.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail;

broker::Status SupervisorLink::Send(ipc::MessageType type, const std::string& text,
                                    const std::vector<int>& fds) {
  std::string bytes;
  ipc::Encode(ipc::TextMessage{type, text}, &bytes);
  const std::scoped_lock lock(send_mutex_);
  return ipc::Send(fd_, bytes, fds);
}

broker::Result<std::string> SupervisorLink::Ask(ipc::MessageType question,
                                                const std::string& text) {
  auto answer = Exchange(question, text);
  if (!answer) return std::unexpected(answer.error());
  return std::move(answer->text);
}

broker::Result<ipc::Fd> SupervisorLink::AskForFile(const std::string& place) {
  auto answer = Exchange(ipc::MessageType::kOpenFile, place);
  if (!answer) return std::unexpected(answer.error());
  if (answer->fds.size() == 1) return std::move(answer->fds[0]);
  return std::unexpected(ipc::FileErrorOf(answer->text));
}

broker::Result<SupervisorLink::Answer> SupervisorLink::Exchange(ipc::MessageType question,
                                                                const std::string& text) {
  const std::scoped_lock turn(ask_mutex_);
  uint64_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    answer_.reset();
    number = ++number_;
  }
  const auto sent = Send(question, ipc::Encode(ipc::Numbered{number, text}));
  if (!sent) return std::unexpected(sent.error());
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, kAnswerDeadline, [this] { return answer_.has_value(); })) {
    return Fail(ErrorCode::kUnavailable, "the supervisor did not answer");
  }
  return std::move(*answer_);
}

void SupervisorLink::Deliver(const std::string& answer, std::vector<ipc::Fd> fds) {
  auto numbered = ipc::DecodeNumbered(answer);
  const std::scoped_lock lock(mutex_);
  if (!numbered || numbered->number != number_) return;
  answer_ = {std::move(numbered->text), std::move(fds)};
  arrived_.notify_all();
}

}  // namespace sidecar::broker_role
