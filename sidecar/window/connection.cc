#include "sidecar/window/connection.h"

#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "broker/answer.h"
#include "sidecar/hardening/stack_wipe.h"
#include "sidecar/window/request_id.h"

namespace sidecar::window {
namespace {

// Most requests arrive with one read.
constexpr size_t kReadBytes = size_t{4} << 10;
// What a refused peer may still send before it looks at the answer: without this a client that is
// in the middle of a large body would see a broken pipe instead of the reason.
constexpr size_t kLingerBytes = size_t{1} << 20;
constexpr std::chrono::milliseconds kLinger{1000};
// A larger buffer is given back after use, so that idle connections stay small.
constexpr size_t kKeptBytes = size_t{16} << 10;

bool SendAll(int peer, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    pollfd watched{peer, POLLOUT, 0};
    if (poll(&watched, 1, MillisecondsUntil(deadline)) == 0) return false;
  }
  return true;
}

// Not close() alone: the supervisor keeps a copy of the descriptor, and waits for this.
void EndOf(int peer) { shutdown(peer, SHUT_RDWR); }

}  // namespace

Connection::~Connection() { EndOf(peer_.get()); }

void TurnAway(HttpServer& server, int peer) {
  const std::string body =
      broker::RenderRefusal({broker::Reason::kOverloaded, {}, {}, {}}, {}, std::nullopt);
  std::string out;
  server.Serve(
      "GET", "/",
      [&body] { return Reply{.status = 503, .body = body, .retry_after_s = 1, .close = true}; },
      &out);
  static_cast<void>(send(peer, out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  EndOf(peer);
}

void Connection::Run() {
  for (size_t served = 1; !close_; ++served) {
    const Got got = Read();
    if (got == Got::kEnd) break;
    const bool request = got == Got::kRequest;
    close_ = !request || framer_.head().close || served == HttpServer::kMaxRequests;
    request_id_ = NewRequestId(std::chrono::system_clock::now());
    const std::string_view method = framer_.head().method == "HEAD" ? "HEAD" : "GET";
    shared_.server.Serve(
        method, "/", [this, request] { return request ? AnswerRequest() : Refuse(refusal_); },
        &out_);
    const bool written = WriteReply();
    hardening::WipeStack();  // the HTTP library's buffers held the answer
    if (!written) break;
    if (request) {
      framer_.Consume();
    } else {
      Linger();
    }
  }
}

Connection::Got Connection::Read() {
  bool started = framer_.started();
  Deadline deadline = After(started ? shared_.timing.request : shared_.timing.idle);
  while (true) {
    const Framer::State state = framer_.Examine();
    if (state == Framer::State::kComplete) return Got::kRequest;
    if (state == Framer::State::kRefused) {
      refusal_ = framer_.refusal();
      return Got::kRefusal;
    }
    const Woken woken = WaitForBytes(deadline, started);
    if (woken == Woken::kDeadline && started) {
      refusal_ = {broker::Reason::kRequestTimeout, {}, {}, {}};
      return Got::kRefusal;
    }
    if (woken != Woken::kReadable || !ReceiveSome()) return Got::kEnd;
    if (!started) deadline = After(shared_.timing.request);
    started = true;
  }
}

// An idle connection also ends when the window drains, or when the broker's end has gone: then the
// client's next request makes a new connection instead of meeting an error.
Connection::Woken Connection::WaitForBytes(Deadline deadline, bool started) const {
  std::array<pollfd, 3> watched{
      {{peer_.get(), POLLIN, 0}, {broker_.fd(), 0, 0}, {shared_.stop_event, POLLIN, 0}}};
  while (true) {
    const int ready =
        poll(watched.data(), started ? 1 : watched.size(), MillisecondsUntil(deadline));
    if (ready < 0) continue;  // a signal
    if (ready == 0) return Woken::kDeadline;
    if (watched[0].revents != 0) return Woken::kReadable;
    return Woken::kEnd;
  }
}

bool Connection::ReceiveSome() {
  std::array<char, kReadBytes> chunk;
  const ssize_t got = recv(peer_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  const auto size = static_cast<size_t>(got);
  framer_.Append({chunk.data(), size});
  sodium_memzero(chunk.data(), size);
  return true;
}

bool Connection::WriteReply() {
  const bool sent = !peer_gone_ && SendAll(peer_.get(), out_, After(shared_.timing.write));
  sodium_memzero(out_.data(), out_.size());
  out_.clear();
  if (out_.capacity() > kKeptBytes) out_ = {};
  broker_.Wipe();
  return sent;
}

void Connection::Linger() {
  shutdown(peer_.get(), SHUT_WR);
  const Deadline deadline = After(kLinger);
  std::array<char, kReadBytes> chunk;
  for (size_t drained = 0; drained < kLingerBytes;) {
    pollfd watched{peer_.get(), POLLIN, 0};
    if (poll(&watched, 1, MillisecondsUntil(deadline)) <= 0) return;
    const ssize_t got = recv(peer_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    drained += static_cast<size_t>(got);
  }
}

}  // namespace sidecar::window
