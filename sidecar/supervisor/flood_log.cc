#include "sidecar/supervisor/flood_log.h"

namespace sidecar::supervisor {

void FloodLog::Warn(const std::string& kind, std::initializer_list<broker::LogField> fields) {
  if (in_full_.empty()) {
    window_ = loop_.After(kWindow, [this] { EndWindow(); });
  }
  if (in_full_.size() >= kMaxKinds && !in_full_.contains(kind)) {
    ++counted_;
    return;
  }
  uint64_t& written = in_full_[kind];
  if (written >= kInFull) {
    ++counted_;
    return;
  }
  ++written;
  log_.Warn(event_, fields);
}

void FloodLog::EndWindow() {
  if (counted_ > 0) {
    log_.Warn(event_, {{"and_more", counted_}, {"within_s", kWindow.count()}});
  }
  in_full_.clear();
  counted_ = 0;
}

}  // namespace sidecar::supervisor
