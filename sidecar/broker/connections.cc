#include "sidecar/broker/connections.h"

#include <poll.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <utility>

#include "sidecar/broker/agent_service.h"
#include "sidecar/hardening/stack_wipe.h"

namespace sidecar::broker_role {
namespace {

// One request of each ready pair a round, so that no agent is served at the cost of another.
constexpr int kEventsPerRound = 64;
// An agent's largest request has 40 kB, 16 KiB of which are a user's token; an operator's may hold
// the largest body, of 64 KiB.
constexpr size_t kMaxAgentBytes = size_t{48} << 10;
constexpr size_t kMaxAdminBytes = size_t{96} << 10;

// A pidfd becomes readable when its process has exited.
bool StillRuns(int pidfd) {
  pollfd state{pidfd, POLLIN, 0};
  return poll(&state, 1, 0) == 0;
}

void Clear(ipc::Message* message) {
  ipc::WipeMessage(message);
  message->fds.clear();
}

}  // namespace

struct Connections::Entry : std::enable_shared_from_this<Entry> {
  Peer peer;
  ipc::Fd pair;
  ipc::Fd pidfd;
  std::optional<Seats::Seat> seat;
  ipc::Message partial;                 // frames of a request that has not arrived whole, if any
  std::atomic<bool> busy = false;       // a request is under way
  std::atomic<bool> dismissed = false;  // see KeepOnly
};

struct Connections::Answerer::Request {
  Connections& owner;
  std::shared_ptr<Entry> entry;
  std::atomic<bool> answered = false;

  Request(Connections& to, std::shared_ptr<Entry> from) : owner(to), entry(std::move(from)) {
    ++owner.under_way_;
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() {
    if (!answered) {
      std::string answer;
      EncodeRefusal({broker::Reason::kInternal, {}, {}, {}}, {}, &answer);
      Send(&answer);
    }
    entry.reset();
    const std::scoped_lock lock(owner.mutex_);
    if (--owner.under_way_ == 0) owner.emptied_.notify_all();
  }

  void Send(std::string* answer) {
    if (!answered.exchange(true)) {
      // Before the answer, which the window may follow with its next request at once.
      entry->busy.store(false, std::memory_order_release);
      // A window that has no room for its answer does not read: it is ended. Operators' answers may
      // be long, and are sent by threads that may wait.
      if (!ipc::Send(entry->pair.get(), *answer, {}, /*nonblocking=*/!entry->peer.admin)) {
        shutdown(entry->pair.get(), SHUT_RDWR);
      }
    }
    sodium_memzero(answer->data(), answer->size());
    answer->clear();
  }
};

void Connections::Answerer::Send(std::string* answer) const { request_->Send(answer); }

const Peer& Connections::Answerer::peer() const { return request_->entry->peer; }

Connections::Connections(Handler handler, Round round)
    : handler_(std::move(handler)),
      round_(std::move(round)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
}

Connections::~Connections() {
  std::unique_lock lock(mutex_);
  draining_ = true;
  emptied_.wait(lock, [this] { return under_way_ == 0; });
}

void Connections::Add(ipc::Connection connection, ipc::Fd pair, ipc::Fd pidfd) {
  auto entry = std::make_shared<Entry>();
  entry->peer = {{std::move(connection.agent), std::move(connection.facts), {}}, connection.admin};
  entry->pair = std::move(pair);
  entry->pidfd = std::move(pidfd);
  entry->peer.caller.alive = [of = entry.get()] {
    return !of->dismissed && (!of->pidfd.valid() || StillRuns(of->pidfd.get()));
  };
  auto seat = seats_.Take(connection.admin ? std::string() : entry->peer.caller.agent);
  if (!seat) return;  // closing the pair is the answer
  entry->seat.emplace(std::move(*seat));
  const std::scoped_lock lock(mutex_);
  if (draining_) return;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = entry.get()}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry->pair.get(), &event) != 0) return;
  entries_.emplace(entry.get(), std::move(entry));
}

void Connections::KeepOnly(const std::function<bool(const Peer&)>& stays) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [entry, owned] : entries_) {
    if (stays(entry->peer)) continue;
    entry->dismissed = true;
    shutdown(entry->pair.get(), SHUT_RDWR);  // for Run, which ends it
  }
}

void Connections::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { Wake(); });
  std::array<epoll_event, kEventsPerRound> events{};
  while (!stop.stop_requested()) {
    const int ready = epoll_wait(epoll_.get(), events.data(), kEventsPerRound, -1);
    if (round_.begins) round_.begins();
    for (int i = 0; i < ready; ++i) {
      // Only this thread ends entries, and each is in a round once.
      auto* entry = static_cast<Entry*>(events[static_cast<size_t>(i)].data.ptr);
      entry == nullptr ? RunPosted() : Serve(*entry);
    }
    if (round_.ends) round_.ends();
    ipc::WipeMessage(&message_);
    hardening::WipeStack();
  }
}

void Connections::Serve(Entry& entry) {
  const bool unwanted = draining_ || entry.dismissed;
  if (unwanted || entry.busy.load(std::memory_order_acquire)) return End(entry);
  const bool begun = !entry.partial.bytes.empty();
  ipc::Message& message = begun ? entry.partial : message_;
  const auto whole = ipc::ReceiveNext(entry.pair.get(), &message);
  const size_t limit = entry.peer.admin ? kMaxAdminBytes : kMaxAgentBytes;
  // No window sends descriptors.
  const bool sound = whole && message.fds.empty() && message.bytes.size() < limit;
  if (!sound) {
    Clear(&message);  // another pair's request comes to the same place next
    return End(entry);
  }
  if (!*whole) {
    if (!begun) entry.partial = std::exchange(message_, {});
    return;
  }
  entry.busy.store(true, std::memory_order_relaxed);
  handler_(message.bytes,
           Answerer(std::make_shared<Answerer::Request>(*this, entry.shared_from_this())));
  begun ? Clear(&message) : message.bytes.clear();
}

// A request under way keeps its entry; its answer finds nobody, and nothing is released to it any
// more: least of all what a person has approved once.
void Connections::End(Entry& entry) {
  entry.dismissed = true;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry.pair.get(), nullptr);
  shutdown(entry.pair.get(), SHUT_RDWR);
  const std::scoped_lock lock(mutex_);
  entries_.erase(&entry);
}

void Connections::Wake() const { static_cast<void>(eventfd_write(wake_.get(), 1)); }

void Connections::Post(std::function<void()> job) {
  {
    const std::scoped_lock lock(mutex_);
    posted_ = std::move(job);
  }
  Wake();
}

void Connections::RunPosted() {
  eventfd_t count = 0;
  static_cast<void>(eventfd_read(wake_.get(), &count));
  std::function<void()> job;
  {
    const std::scoped_lock lock(mutex_);
    job.swap(posted_);
  }
  if (job) job();
}

bool Connections::Drain(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  return emptied_.wait_for(lock, deadline, [this] { return under_way_ == 0; });
}

}  // namespace sidecar::broker_role
