// What no broker can beat:
//   floor_bench pingpong COUNT              2 kB there and back between two processes
//   floor_bench append FOLDER BYTES COUNT   an entry appended to a file and made durable
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "test/bench/unix_socket.h"

namespace {

using bench::Steady;

constexpr size_t kMaxCount = 1'000'000;
constexpr size_t kMaxEntryBytes = size_t{16} << 10;  // a line of the ledger
constexpr size_t kMessageBytes = 2048;               // an answer with its token

using Buffer = std::array<char, kMessageBytes>;

// False when the other end has closed.
bool ReadAll(int fd, Buffer* buffer) {
  for (size_t got = 0; got < buffer->size();) {
    const ssize_t more = read(fd, buffer->data() + got, buffer->size() - got);
    if (more <= 0) return false;
    got += static_cast<size_t>(more);
  }
  return true;
}

bool WriteAll(int fd, const Buffer& buffer) {
  return write(fd, buffer.data(), buffer.size()) == static_cast<ssize_t>(buffer.size());
}

void PingPong(size_t count) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    bench::Die("socketpair");
  Buffer buffer{};
  const pid_t other = fork();
  if (other < 0) bench::Die("fork");
  if (other == 0) {
    close(ends[0]);
    while (ReadAll(ends[1], &buffer) && WriteAll(ends[1], buffer)) continue;
    _exit(0);
  }
  close(ends[1]);
  bench::Samples samples;
  const auto start = Steady::now();
  for (size_t i = 0; i < count; ++i) {
    const auto began = Steady::now();
    if (!WriteAll(ends[0], buffer) || !ReadAll(ends[0], &buffer)) bench::Die("ping-pong");
    samples.Add(Steady::now() - began);
  }
  const auto elapsed = Steady::now() - start;
  close(ends[0]);
  waitpid(other, nullptr, 0);
  samples.Print(elapsed, 0);
}

void Append(const std::string& folder, size_t bytes, size_t count) {
  const std::string path = folder + "/append.floor";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) bench::Die(path.c_str());
  unlink(path.c_str());
  const std::string entry(bytes, 'e');
  bench::Samples samples;
  const auto start = Steady::now();
  for (size_t i = 0; i < count; ++i) {
    const auto began = Steady::now();
    if (write(fd, entry.data(), entry.size()) != static_cast<ssize_t>(entry.size()) ||
        fdatasync(fd) != 0) {
      bench::Die("append");
    }
    samples.Add(Steady::now() - began);
  }
  samples.Print(Steady::now() - start, 0);
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "pingpong") == 0) {
    PingPong(bench::Bounded(argv[2], kMaxCount));
  } else if (argc == 5 && std::strcmp(argv[1], "append") == 0) {
    Append(argv[2], bench::Bounded(argv[3], kMaxEntryBytes), bench::Bounded(argv[4], kMaxCount));
  } else {
    std::fprintf(stderr,
                 "usage: floor_bench pingpong COUNT | floor_bench append FOLDER BYTES COUNT\n");
    return 2;
  }
  return 0;
}
