#include "sidecar/dialer/stream_threads.h"

#include <system_error>
#include <thread>
#include <utility>

namespace sidecar::dialer {

StreamThreads::~StreamThreads() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return running_ == 0; });
}

void StreamThreads::Finished() {
  const std::scoped_lock lock(mutex_);
  --running_;
  changed_.notify_all();  // under the lock: the destructor may run as soon as it is released
}

bool StreamThreads::Start(ipc::Fd stream) {
  {
    const std::scoped_lock lock(mutex_);
    if (running_ == kMaxStreams) return false;
    ++running_;
  }
  try {
    std::thread([this, owned = std::move(stream)]() mutable {
      Serve(std::move(owned), context_);
      Finished();
    }).detach();
  } catch (const std::system_error&) {
    Finished();
    return false;
  }
  return true;
}

}  // namespace sidecar::dialer
