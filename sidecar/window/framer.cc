#include "sidecar/window/framer.h"

#include <sodium.h>

#include <cstring>
#include <utility>

namespace sidecar::window {

using broker::Reason, broker::Refusal;

Framer::State Framer::Refused(Refusal refusal) {
  refusal_ = std::move(refusal);
  refused_ = true;
  return State::kRefused;
}

std::string_view Framer::body() const {
  return std::string_view(buffer_).substr(head_bytes_, head_.content_length);
}

// Looks at each byte of a head once, however slowly it arrives.
Framer::State Framer::Scan() {
  while (scanned_ < buffer_.size()) {
    const char c = buffer_[scanned_];
    if (scanned_ >= HeadLimits::kMaxHeadBytes) return Refused({Reason::kHeadTooLarge, {}, {}, {}});
    if (line_start_ == 0 && scanned_ > HeadLimits::kMaxRequestLineBytes) {
      return Refused({Reason::kHeadTooLarge, "The request line has more than 1024 bytes.", {}, {}});
    }
    if (c >= ' ' && c < 0x7f) {
      ++scanned_;
      continue;
    }
    if (c == '\r' && scanned_ + 1 == buffer_.size()) return State::kMore;
    const bool line_ends = c == '\r' && buffer_[scanned_ + 1] == '\n';
    const bool first_is_empty = line_ends && scanned_ == 0;
    if (!line_ends || first_is_empty) {
      return Refused({Reason::kMalformedRequest,
                      "A head is printable ASCII, its lines end with CR LF.",
                      {},
                      {}});
    }
    const bool head_ends = scanned_ == line_start_;
    scanned_ += 2;
    line_start_ = scanned_;
    if (scanned_ > HeadLimits::kMaxHeadBytes) return Refused({Reason::kHeadTooLarge, {}, {}, {}});
    if (head_ends) {
      head_bytes_ = scanned_;
      return State::kComplete;
    }
  }
  return State::kMore;
}

Framer::State Framer::Examine() {
  if (refused_) return State::kRefused;
  if (head_bytes_ == 0) {
    if (const State state = Scan(); state != State::kComplete) return state;
    if (auto read = ReadHead(); !read) return Refused(std::move(read.error()));
  }
  // A body makes the buffer move, and the head's views point to where it was.
  if (buffer_.data() != head_at_) {
    if (auto read = ReadHead(); !read) return Refused(std::move(read.error()));
  }
  const bool complete = buffer_.size() - head_bytes_ >= head_.content_length;
  return complete ? State::kComplete : State::kMore;
}

std::expected<void, Refusal> Framer::ReadHead() {
  head_ = {};
  head_at_ = buffer_.data();
  return ParseHead({buffer_.data(), head_bytes_}, &head_);
}

void Framer::Consume() {
  const size_t used = head_bytes_ + head_.content_length;
  const size_t left = buffer_.size() - used;
  std::memmove(buffer_.data(), buffer_.data() + used, left);
  sodium_memzero(buffer_.data() + left, used);
  buffer_.resize(left);
  if (left == 0 && buffer_.capacity() > kKeptBytes) buffer_ = {};
  scanned_ = line_start_ = head_bytes_ = 0;
  head_ = {};
}

}  // namespace sidecar::window
