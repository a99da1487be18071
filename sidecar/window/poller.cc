#include "sidecar/window/poller.h"

#include <algorithm>

namespace sidecar::window {
namespace {

uint64_t Pack(Watched watched) {
  return (static_cast<uint64_t>(watched.kind) << 32) | watched.slot;
}

Watched Unpack(uint64_t bits) {
  return {static_cast<Watched::Kind>(bits >> 32), static_cast<uint32_t>(bits)};
}

}  // namespace

bool Poller::Control(int operation, int fd, uint32_t interest, Watched watched) const {
  epoll_event event{};
  event.events = interest;
  event.data.u64 = Pack(watched);
  return epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

bool Poller::Add(int fd, uint32_t interest, Watched watched) const {
  return Control(EPOLL_CTL_ADD, fd, interest, watched);
}

void Poller::Change(int fd, uint32_t interest, Watched watched) const {
  Control(EPOLL_CTL_MOD, fd, interest, watched);
}

std::span<const Poller::Event> Poller::Wait(int timeout_ms) {
  const int got = epoll_wait(epoll_.get(), raw_.data(), static_cast<int>(raw_.size()), timeout_ms);
  const auto count = static_cast<size_t>(std::max(got, 0));  // less than 0: a signal
  for (size_t i = 0; i < count; ++i) events_[i] = {Unpack(raw_[i].data.u64), raw_[i].events};
  return std::span(events_).first(count);
}

}  // namespace sidecar::window
