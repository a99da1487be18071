// sidecar/dialer/stream_threads.h: a thread for each stream, and not too many.
#pragma once
#include <condition_variable>
#include <mutex>

#include "sidecar/dialer/stream.h"

namespace sidecar::dialer {

/// Used from one thread; the streams run in theirs.
class StreamThreads {
 public:
  // Twice what agents may have minted for themselves alone at a time (the broker's MintRoom): the
  // rest is for mints that callers share, one per credential, for vaults, and for idle ones.
  static constexpr size_t kMaxStreams = 256;

  explicit StreamThreads(StreamContext context) : context_(context) {}
  /// Waits for all streams: close the broker's side, or end the process, first.
  ~StreamThreads();
  StreamThreads(const StreamThreads&) = delete;
  StreamThreads& operator=(const StreamThreads&) = delete;

  /// Serves `stream` in a thread of its own. False, and the stream is closed: kMaxStreams reached,
  /// or no thread to be had.
  bool Start(ipc::Fd stream);

 private:
  void Finished();
  StreamContext context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t running_ = 0;
};

}  // namespace sidecar::dialer
