// sidecar/broker/connections.h: the pairs that the supervisor hands over, one per connection.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "broker/broker.h"
#include "sidecar/broker/seats.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// The attested other end of a pair.
struct Peer {
  broker::Caller caller;
  bool admin = false;
};

/// Serves all pairs from one thread, which never waits for any of them: what a request needs to
/// wait for is waited for elsewhere, and its answer sent from there. One request of a pair is under
/// way at a time; a pair that sends another one is ended. Thread-safe.
class Connections {
  struct Entry;

 public:
  /// What one request is answered with. Copies are of the same request; the last one that goes
  /// without an answer answers `internal`: no request is forgotten. Thread-safe.
  class Answerer {
   public:
    /// Sends the encoded kAnswer and wipes it. Only the first answer is sent. To an operator's
    /// window it may wait for the window to read.
    void Send(std::string* answer) const;
    [[nodiscard]] const Peer& peer() const;

   private:
    friend class Connections;
    struct Request;
    explicit Answerer(std::shared_ptr<Request> request) : request_(std::move(request)) {}
    std::shared_ptr<Request> request_;
  };

  /// Has the request answered, now or later. `request` is valid until it returns. Must not block,
  /// nor throw: see Guarded().
  using Handler = std::function<void(std::string_view request, Answerer answerer)>;

  /// Called before and after each round of requests, on the thread of Run; may be empty.
  struct Round {
    std::function<void()> begins, ends;
  };

  explicit Connections(Handler handler) : Connections(std::move(handler), {}) {}
  Connections(Handler handler, Round round);
  ~Connections();

  /// `pidfd` may be invalid: then the peer's end cannot be noticed. Where there is no room for the
  /// pair it is closed at once.
  void Add(ipc::Connection connection, ipc::Fd pair, ipc::Fd pidfd);
  /// Ends the pairs of all peers for which `stays` is false. What they sent is not answered any
  /// more, and who made the request of one that is under way counts as gone.
  void KeepOnly(const std::function<bool(const Peer&)>& stays);
  /// Serves until the stop is requested; wakes up for it. For one thread.
  void Run(const std::stop_token& stop);
  /// Runs `job` on the thread of Run, soon. One at a time: a second one replaces it.
  void Post(std::function<void()> job);
  /// Takes no further request and lets those under way finish, at most until `deadline`; then true
  /// if none is left. Run must go on meanwhile.
  bool Drain(std::chrono::milliseconds deadline);

 private:
  void Serve(Entry& entry);
  void End(Entry& entry);
  void Wake() const;
  void RunPosted();

  Handler handler_;
  Round round_;
  ipc::Fd epoll_;
  ipc::Fd wake_;          // an eventfd
  ipc::Message message_;  // of the thread of Run
  Seats seats_;
  std::mutex mutex_;
  std::condition_variable emptied_;
  std::map<Entry*, std::shared_ptr<Entry>> entries_;
  std::function<void()> posted_;
  std::atomic<size_t> under_way_ = 0;
  std::atomic<bool> draining_ = false;
};

}  // namespace sidecar::broker_role
