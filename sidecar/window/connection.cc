#include "sidecar/window/connection.h"

#include <sodium.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "broker/answer.h"

namespace sidecar::window {
namespace {

// Most requests arrive with one read. A larger one is read in as many rounds as it takes.
constexpr size_t kReadBytes = size_t{4} << 10;
// What a refused peer may still send before it looks at the answer: without this a client that is
// in the middle of a large body would see a broken pipe instead of the reason.
constexpr size_t kLingerBytes = size_t{1} << 20;
constexpr uint32_t kHungUp = EPOLLHUP | EPOLLERR;  // reported whether asked for or not

// Not close() alone: the supervisor keeps a copy of the descriptor, and waits for this.
void EndOf(int peer) { shutdown(peer, SHUT_RDWR); }

// Bytes taken; 0 if there is no room now; less than 0 if there is nobody any more.
ssize_t SendSome(int peer, std::string_view head, std::string_view body) {
  std::array<iovec, 2> parts{{{const_cast<char*>(head.data()), head.size()},
                              {const_cast<char*>(body.data()), body.size()}}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = body.empty() ? 1 : 2;
  while (true) {
    const ssize_t sent = sendmsg(peer, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    if (errno != EINTR) return errno == EAGAIN ? 0 : -1;
  }
}

// Likewise; 0 for the peer's end too, nothing if there is nothing now.
std::optional<ssize_t> ReceiveSome(int peer, std::array<char, kReadBytes>* chunk) {
  while (true) {
    const ssize_t got = recv(peer, chunk->data(), chunk->size(), MSG_DONTWAIT);
    if (got >= 0) return got;
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR) return 0;
  }
}

}  // namespace

void TurnAway(HttpServer& server, int peer) {
  const std::string body =
      broker::RenderRefusal({broker::Reason::kOverloaded, {}, {}, {}}, {}, std::nullopt);
  const Reply reply{.status = 503, .body = body, .retry_after_s = 1, .close = true};
  static_cast<void>(SendSome(peer, server.Head(reply), body));
  EndOf(peer);
}

void Connection::Start() {
  interest_ = EPOLLIN;
  const bool watched = shared_.poller.Add(peer_.get(), interest_, {Watched::Kind::kPeer, slot_}) &&
                       shared_.poller.Add(broker_.fd(), EPOLLIN, {Watched::Kind::kPair, slot_});
  if (!watched) return End();
  AwaitRequest();
}

void Connection::End() {
  if (state_ == State::kEnded) return;
  if (state_ == State::kAuditing) shared_.audit.Forget(slot_);
  state_ = State::kEnded;
  shared_.deadlines.Clear(slot_);
  LoseBroker();
  WipeRest();
  shared_.poller.Remove(peer_.get());
  EndOf(peer_.get());
  peer_.Reset();
}

void Connection::LoseBroker() {
  if (broker_.fd() < 0) return;
  shared_.poller.Remove(broker_.fd());
  broker_.Close();
}

void Connection::Listen(uint32_t interest) {
  if (interest_ == interest) return;
  interest_ = interest;
  shared_.poller.Change(peer_.get(), interest, {Watched::Kind::kPeer, slot_});
}

void Connection::OnPeer(uint32_t what) {
  switch (state_) {
    case State::kReading:
      return Read();
    case State::kTurn:
      return Listen(0);
    case State::kAsking:
    case State::kAuditing:
      // Of the peer only its end is of interest: what it sends is for later.
      return (what & kHungUp) != 0 ? End() : Listen(0);
    case State::kWriting:
      return SendRest();
    case State::kLingering:
      return Linger();
    case State::kEnded:
      return;
  }
}

void Connection::OnBroker(uint32_t what) {
  if (state_ == State::kAsking) {
    return broker_.has_rest() && (what & (kHungUp | EPOLLIN)) == 0 ? AskRest() : ReceiveAnswer();
  }
  // Its end, or an answer that nobody asked for: nothing of it is for the next request.
  LoseBroker();
  if (state_ == State::kReading && !framer_.started()) Read();
}

void Connection::OnDrain() {
  if (state_ == State::kReading && !framer_.started()) Read();
}

void Connection::OnTurn() {
  if (state_ != State::kTurn) return;  // ended since
  state_ = State::kReading;
  framer_.started() ? Examine() : Read();
}

void Connection::OnDeadline() {
  switch (state_) {
    case State::kReading: {
      if (!framer_.started()) return End();
      const broker::Refusal late{broker::Reason::kRequestTimeout, {}, {}, {}};
      return Begin(&late);
    }
    case State::kAsking:
      return FailAsking(broker::Reason::kOverloaded);
    case State::kWriting:
    case State::kLingering:
      return End();
    case State::kTurn:
    case State::kAuditing:  // AuditReader's patience ends first
    case State::kEnded:
      return;
  }
}

void Connection::Read() {
  std::array<char, kReadBytes> chunk;
  const auto got = ReceiveSome(peer_.get(), &chunk);
  const bool started = framer_.started();
  if (!got && (started || !unwanted())) return Listen(EPOLLIN);
  if (!got || *got == 0) return End();
  const auto size = static_cast<size_t>(*got);
  framer_.Append({chunk.data(), size});
  sodium_memzero(chunk.data(), size);
  if (!started) shared_.deadlines.Set(slot_, shared_.now + shared_.timing.request);
  Examine();
}

void Connection::Examine() {
  switch (framer_.Examine()) {
    case Framer::State::kMore:
      return Listen(EPOLLIN);
    case Framer::State::kComplete:
      return Begin(nullptr);
    case Framer::State::kRefused:
      return Begin(&framer_.refusal());
  }
}

void Connection::AwaitRequest() {
  const bool started = framer_.started();
  // Where nobody would answer the next request, what is not there by now is not waited for: then a
  // client makes a new connection instead of meeting an error.
  const bool turn = started ? framer_.Examine() != Framer::State::kMore : unwanted();
  state_ = turn ? State::kTurn : State::kReading;
  if (turn) return shared_.turns.push_back(slot_);
  const auto patience = started ? shared_.timing.request : shared_.timing.idle;
  shared_.deadlines.Set(slot_, shared_.now + patience);
  Listen(EPOLLIN);
}

void Connection::Send(const Reply& reply) {
  answered_ = true;
  const std::string_view head = shared_.server.Head(reply);
  const std::string_view body = head_only_ ? std::string_view() : reply.body;
  const ssize_t result = SendSome(peer_.get(), head, body);
  if (result < 0) return End();
  const auto sent = static_cast<size_t>(result);
  if (sent == head.size() + body.size()) return AfterAnswer();
  rest_.reserve(head.size() + body.size() - sent);
  rest_ = head.substr(std::min(sent, head.size()));
  rest_ += body.substr(sent - std::min(sent, head.size()));
  rest_sent_ = 0;
  state_ = State::kWriting;
  shared_.deadlines.Set(slot_, shared_.now + shared_.timing.write);
  Listen(EPOLLOUT);
}

void Connection::SendRest() {
  const ssize_t sent = SendSome(peer_.get(), std::string_view(rest_).substr(rest_sent_), {});
  if (sent < 0) return End();
  rest_sent_ += static_cast<size_t>(sent);
  if (rest_sent_ < rest_.size()) return;
  WipeRest();
  AfterAnswer();
}

void Connection::WipeRest() {
  sodium_memzero(rest_.data(), rest_.size());
  rest_ = {};
}

void Connection::AfterAnswer() {
  if (framed_) {
    framer_.Consume();
    return close_ ? End() : AwaitRequest();
  }
  shutdown(peer_.get(), SHUT_WR);
  state_ = State::kLingering;
  shared_.deadlines.Set(slot_, shared_.now + shared_.timing.linger);
  Listen(EPOLLIN);
}

void Connection::Linger() {
  std::array<char, kReadBytes> chunk;
  const auto got = ReceiveSome(peer_.get(), &chunk);
  if (!got) return;
  const auto size = static_cast<size_t>(*got);
  sodium_memzero(chunk.data(), size);  // the rest of a body that may hold a user's token
  lingered_ += size;
  if (*got == 0 || lingered_ >= kLingerBytes) End();
}

}  // namespace sidecar::window
