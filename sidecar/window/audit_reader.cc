#include "sidecar/window/audit_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "sidecar/ipc/messages.h"

namespace sidecar::window {

void AuditReader::Attach(ipc::Fd channel) {
  if (asking_) {
    successor_ = std::move(channel);
    return;
  }
  Drop();
  channel_ = std::move(channel);
  if (!poller_.Add(channel_.get(), EPOLLIN, {Watched::Kind::kAudit})) channel_.Reset();
}

void AuditReader::Drop() {
  if (!channel_.valid()) return;
  poller_.Remove(channel_.get());
  channel_.Reset();
  late_ = 0;
  page_ = {};
}

void AuditReader::Ask(size_t slot, uint64_t after) { questions_.push_back({slot, after}); }

void AuditReader::Forget(size_t slot) {
  for (Question& question : questions_) {
    if (question.slot == slot) question.slot.reset();
  }
}

bool AuditReader::Send(uint64_t after) const {
  std::string question;
  ipc::Encode(ipc::ReadAudit{after, kPageEntries}, &question);
  return channel_.valid() &&
         ipc::Send(channel_.get(), question, {}, /*nonblocking=*/true).has_value();
}

Deadline AuditReader::deadline() const {
  if (asking_) return patience_ends_;
  return questions_.empty() ? kNever : Deadline{};
}

void AuditReader::Advance(Deadline now) {
  if (asking_ && patience_ends_ <= now) GiveUp();
  while (!asking_ && !questions_.empty()) {
    asking_ = true;
    patience_ends_ = now + patience_;
    const Question& next = questions_.front();
    const bool sent = next.slot && Send(next.after);
    if (sent) return;
    if (next.slot) {
      Finish(std::nullopt);
    } else {  // never sent: the channel is as good as before
      asking_ = false;
      questions_.pop_front();
    }
  }
}

void AuditReader::OnChannel(Deadline now) {
  if (!channel_.valid()) return;              // dropped in the same round
  if (!asking_ && late_ == 0) return Drop();  // it has nothing to say unasked
  auto whole = ipc::ReceiveNext(channel_.get(), &page_);
  while (whole && !*whole) whole = ipc::ReceiveNext(channel_.get(), &page_);
  if (!whole && whole.error().detail == "empty") return;
  if (late_ > 0) {
    if (!whole) return asking_ ? Finish(std::nullopt) : Drop();
    --late_;
    page_ = {};
    return;
  }
  const auto page = ipc::DecodeAuditPage(page_.bytes);
  const bool good = whole && page_.fds.empty() && page && !page->body.empty();
  Finish(good ? std::optional(page->body) : std::nullopt);
  Advance(now);
}

// Its answer may still come, and is not for the next question.
void AuditReader::GiveUp() {
  const Question question = questions_.front();
  questions_.pop_front();
  asking_ = false;
  ++late_;
  if (successor_.valid()) Attach(std::move(successor_));
  if (question.slot) answered_(*question.slot, std::nullopt);
}

// Without a page the channel is over: what it says next would be out of step.
void AuditReader::Finish(std::optional<std::string_view> page) {
  const Question question = questions_.front();
  questions_.pop_front();
  asking_ = false;
  if (!page) Drop();
  if (question.slot) answered_(*question.slot, page);
  page_ = {};  // after its last reader, as is the successor, which drops what is left of a page
  if (successor_.valid()) Attach(std::move(successor_));
}

}  // namespace sidecar::window
