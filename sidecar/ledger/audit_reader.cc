#include "sidecar/ledger/audit_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>

namespace sidecar::ledger {

using broker::ErrorCode, broker::Fail, broker::Status;

Status AuditReader::Start() {
  wake_ = ipc::Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return Fail(ErrorCode::kUnavailable, "eventfd failed");
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return Fail(ErrorCode::kUnavailable, "no thread to be had");
  }
  return {};
}

void AuditReader::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

void AuditReader::Wake() {
  const uint64_t one = 1;
  // Full means that a wake-up is pending, which is all that is wanted.
  [[maybe_unused]] const ssize_t ignored = write(wake_.get(), &one, sizeof one);
}

void AuditReader::AddChannel(const std::string& agent, ipc::Fd channel) {
  {
    const std::scoped_lock lock(mutex_);
    new_channels_.emplace_back(agent, std::move(channel));
  }
  Wake();
}

void AuditReader::Publish(const std::vector<broker::ledger::SegmentName>& segments,
                          uint64_t last_size, uint64_t seq) {
  const std::scoped_lock lock(mutex_);
  // One may have begun while another went to the archive.
  const bool same = segments.size() == end_.segments.size() &&
                    (segments.empty() || segments.front() == end_.segments.front());
  if (!same) end_.segments = segments;
  end_.last_size = last_size;
  end_.seq = seq;
}

void AuditReader::TakeNewChannels() {
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t drained = read(wake_.get(), &ignored, sizeof ignored);
  const std::scoped_lock lock(mutex_);
  for (auto& [agent, channel] : new_channels_) channels_[agent] = std::move(channel);
  new_channels_.clear();
}

void AuditReader::Run() {
  bool failing = false;
  while (!Stopped()) {
    Status round;
    try {
      round = ServeRound();
    } catch (const std::exception&) {
      round = Fail(ErrorCode::kUnavailable, "out of memory");
    }
    // The first of a row: what lasts does not fill the log.
    if (!round && !failing) {
      log_.Warn("audit_reader_failed", {{"why", round.error().detail},
                                        {"remedy", "free memory; it is tried again each second"}});
    }
    failing = !round;
    if (failing) Pause();
  }
}

// One descriptor can always be polled; a new channel, or the stop, ends the pause.
void AuditReader::Pause() {
  pollfd woken{wake_.get(), POLLIN, 0};
  poll(&woken, 1, static_cast<int>(kRetryAfter.count()));
}

bool AuditReader::Stopped() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

Status AuditReader::ServeRound() {
  TakeNewChannels();
  if (Stopped()) return {};  // whose wake-up may have been drained just now
  std::vector<pollfd> polled(1, {wake_.get(), POLLIN, 0});
  for (const auto& [agent, channel] : channels_) polled.push_back({channel.get(), POLLIN, 0});
  if (poll(polled.data(), polled.size(), -1) < 0) {
    if (errno == EINTR) return {};
    return Fail(ErrorCode::kUnavailable, std::string("poll failed: ") + strerrorname_np(errno));
  }
  size_t i = 1;
  for (auto it = channels_.begin(); it != channels_.end(); ++i) {
    bool keep = true;
    if (polled[i].revents != 0) Serve(it->first, it->second, &keep);
    it = keep ? std::next(it) : channels_.erase(it);
  }
  return {};
}

// One request, one page.
void AuditReader::Serve(const std::string& agent, const ipc::Fd& channel, bool* keep) {
  ipc::Message request;
  const Status got = ipc::Receive(channel.get(), &request, /*nonblocking=*/true);
  if (!got && got.error().detail == "empty") return;
  const auto wanted = ipc::DecodeReadAudit(request.bytes);
  if (!got || !wanted) {
    *keep = false;
    return;
  }
  std::string answer;
  Encode(ipc::AuditPage{PageOf(agent, *wanted)}, &answer);
  // A window that does not read its answer loses the channel, not the others their turn.
  *keep = ipc::Send(channel.get(), answer, {}, /*nonblocking=*/true).has_value();
}

// Empty when there is none to be had: the window says so.
std::string AuditReader::PageOf(const std::string& agent, const ipc::ReadAudit& wanted) {
  DurableEnd end;
  {
    const std::scoped_lock lock(mutex_);
    end = end_;
  }
  auto page = agent == kBroker ? ReadAlive(disk_, end, wanted.after, clock_.WallNow())
                               : ReadPage(disk_, end, {agent, wanted.after, wanted.limit});
  if (page) return std::move(*page);
  log_.Warn("audit_page_failed", {{"agent", agent}, {"why", page.error().detail}});
  return {};
}

}  // namespace sidecar::ledger
