#include "sidecar/broker/connections.h"

#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <utility>

#include "sidecar/hardening/stack_wipe.h"

namespace sidecar::broker_role {
namespace {

// TLS handshakes need about 100 kB; the rest is never touched and costs address space only.
constexpr size_t kThreadStackBytes = size_t{1} << 20;
constexpr int kEventsPerRound = 64;

// A pidfd becomes readable when its process has exited.
bool StillRuns(int pidfd) {
  pollfd state{pidfd, POLLIN, 0};
  return poll(&state, 1, 0) == 0;
}

}  // namespace

struct Connections::Entry {
  Connections* owner;
  Peer peer;
  ipc::Fd pair;
  ipc::Fd pidfd;
};

Connections::Connections(Handler handler)
    : handler_(std::move(handler)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Connections::~Connections() = default;

void Connections::Add(ipc::Connection connection, ipc::Fd pair, ipc::Fd pidfd) {
  auto entry = std::make_unique<Entry>();
  entry->owner = this;
  entry->peer = {{std::move(connection.agent), std::move(connection.facts), {}}, connection.admin};
  entry->pair = std::move(pair);
  entry->pidfd = std::move(pidfd);
  if (entry->pidfd.valid()) {
    entry->peer.caller.alive = [fd = entry->pidfd.get()] { return StillRuns(fd); };
  }
  const std::scoped_lock lock(mutex_);
  if (draining_ || entries_.size() >= kMaxConnections) return;  // closing the pair is the answer
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = entry.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry->pair.get(), &event) != 0) return;
  entries_.emplace(entry.get(), std::move(entry));
}

size_t Connections::Dispatch() {
  size_t refused = 0;
  std::array<epoll_event, kEventsPerRound> events{};
  const int ready = epoll_wait(epoll_.get(), events.data(), kEventsPerRound, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kThreadStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (int i = 0; i < ready; ++i) {
    auto* entry = static_cast<Entry*>(events[static_cast<size_t>(i)].data.ptr);
    {
      const std::scoped_lock lock(mutex_);
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry->pair.get(), nullptr);
      ++serving_;
    }
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, &ServeThread, entry) == 0) continue;
    Forget(entry);
    ++refused;
  }
  pthread_attr_destroy(&attributes);
  return refused;
}

void* Connections::ServeThread(void* argument) {
  auto* entry = static_cast<Entry*>(argument);
  entry->owner->Serve(entry);
  return nullptr;
}

void Connections::Serve(Entry* entry) {
  ipc::Message message;
  std::string answer;
  while (ipc::Receive(entry->pair.get(), &message)) {
    answer.clear();
    handler_(entry->peer, message.bytes, &answer);
    const auto sent = ipc::Send(entry->pair.get(), answer);
    sodium_memzero(answer.data(), answer.size());
    hardening::WipeStack();
    if (!sent || draining_) break;
  }
  ipc::WipeMessage(&message);
  Forget(entry);
}

void Connections::Forget(Entry* entry) {
  const std::scoped_lock lock(mutex_);
  entries_.erase(entry);
  --serving_;
  emptied_.notify_all();
}

bool Connections::Drain(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  // A thread that waits for the next request reads end-of-file; one at work finishes its answer.
  for (const auto& [entry, owned] : entries_) shutdown(entry->pair.get(), SHUT_RD);
  return emptied_.wait_for(lock, deadline, [this] { return serving_ == 0; });
}

}  // namespace sidecar::broker_role
