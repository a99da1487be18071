// sidecar/broker/connections.h: the pairs that the supervisor hands over, one per connection.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// The attested other end of a pair.
struct Peer {
  broker::Caller caller;
  bool admin = false;
};

/// Serves each pair with a thread of its own, from its first message until either end closes.
/// Idle pairs cost a descriptor and no thread. Thread-safe.
class Connections {
 public:
  // Above what the supervisor lets in (its total cap), so that the cap holds there, with an answer.
  static constexpr size_t kMaxConnections = 1200;

  /// Appends one kAnswer to `answer`. Called from many threads. Must not throw: see Guarded().
  using Handler = std::function<void(const Peer&, std::string_view request, std::string* answer)>;

  explicit Connections(Handler handler);
  ~Connections();

  /// `pidfd` may be invalid: then the peer's end cannot be noticed.
  void Add(ipc::Connection connection, ipc::Fd pair, ipc::Fd pidfd);
  /// Readable when Dispatch() has something to do.
  [[nodiscard]] int poll_fd() const { return epoll_.get(); }
  /// Starts a thread for each pair that has its first message. Does not block. Returns how many
  /// pairs were closed because the kernel had no thread for them.
  size_t Dispatch();
  /// Lets requests under way finish, at most until `deadline`; then true if none is left.
  bool Drain(std::chrono::milliseconds deadline);

 private:
  struct Entry;
  void Serve(Entry* entry);
  static void* ServeThread(void* argument);
  void Forget(Entry* entry);

  Handler handler_;
  ipc::Fd epoll_;
  std::mutex mutex_;
  std::condition_variable emptied_;
  std::map<Entry*, std::unique_ptr<Entry>> entries_;
  size_t serving_ = 0;
  std::atomic<bool> draining_ = false;
};

}  // namespace sidecar::broker_role
