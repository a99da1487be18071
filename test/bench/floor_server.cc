// The server that purser's throughput is compared with: one process, purser's own framer, no
// attestation, no policy, no separation; but as durable: floor_server SOCKET FOLDER ENTRY_BYTES
// ANSWER_BYTES
//
// One thread reads requests, the other appends one entry for each of a batch, syncs once, and only
// then sends the answers. The next batch gathers meanwhile. Ends when standard input does.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "sidecar/window/framer.h"
#include "test/bench/unix_socket.h"

namespace {

using sidecar::window::Framer;

constexpr size_t kMaxBytes = size_t{16} << 10;
constexpr int kBacklog = 1024;  // as purser's sockets

// Group commit, and the answers after it.
class Writer {
 public:
  Writer(const std::string& folder, size_t entry_bytes, size_t answer_bytes)
      : entry_(entry_bytes, 'e') {
    const std::string path = folder + "/server.floor";
    file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (file_ < 0) bench::Die(path.c_str());
    unlink(path.c_str());
    const std::string body(answer_bytes, 'a');
    answer_ = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n" +
              std::string("Content-Length: ") + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  void Add(int peer) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(peer);
    if (waiting_.size() == 1) changed_.notify_one();
  }

  [[noreturn]] void Run() {
    std::vector<int> peers;
    std::string batch;
    while (true) {
      peers.clear();
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !waiting_.empty(); });
        peers.swap(waiting_);
      }
      batch.clear();
      for (size_t i = 0; i < peers.size(); ++i) batch += entry_;
      if (write(file_, batch.data(), batch.size()) != static_cast<ssize_t>(batch.size()) ||
          fdatasync(file_) != 0) {
        bench::Die("append");
      }
      for (const int peer : peers) send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

 private:
  int file_;
  std::string entry_, answer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> waiting_;
};

// False when the peer has closed, or sent what is no request.
bool Read(int peer, Framer* framer, Writer* writer) {
  std::array<char, 4096> chunk;
  const ssize_t got = recv(peer, chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) {
    if (got < 0) std::perror("floor_server: recv");
    return false;
  }
  framer->Append({chunk.data(), static_cast<size_t>(got)});
  while (true) {
    const Framer::State state = framer->Examine();
    if (state == Framer::State::kMore) return true;
    if (state == Framer::State::kRefused) return false;
    framer->Consume();
    writer->Add(peer);
  }
}

void Watch(int epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) bench::Die("epoll_ctl");
}

void Serve(int listener, Writer* writer) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  Watch(epoll, listener);
  Watch(epoll, STDIN_FILENO);
  std::unordered_map<int, Framer> peers;
  std::array<epoll_event, 64> events{};
  while (true) {
    const int ready = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == STDIN_FILENO) return;
      if (fd == listener) {
        const int peer = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) continue;
        peers[peer];
        Watch(epoll, peer);
      } else if (!Read(fd, &peers[fd], writer)) {
        peers.erase(fd);
        close(fd);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: floor_server SOCKET FOLDER ENTRY_BYTES ANSWER_BYTES\n");
    return 2;
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_un address = bench::AddressOf(argv[1]);
  if (listener < 0) bench::Die("socket");
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kBacklog) != 0) {
    bench::Die(argv[1]);
  }
  Writer writer(argv[2], bench::Bounded(argv[3], kMaxBytes), bench::Bounded(argv[4], kMaxBytes));
  std::thread([&writer] { writer.Run(); }).detach();
  std::puts("ready");
  std::fflush(stdout);
  Serve(listener, &writer);
  _exit(0);  // the writer never returns
}
