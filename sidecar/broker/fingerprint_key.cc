#include "sidecar/broker/fingerprint_key.h"

#include <algorithm>
#include <span>

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Secret, broker::Status;

namespace {

const broker::SecretId kId{"fingerprint-key", broker::SecretKind::kInternal};

}  // namespace

Status FingerprintKey::Load() {
  const std::scoped_lock lock(mutex_);
  if (loaded_) return {};
  auto kept = store_.Get(kId);
  if (!kept && kept.error().code == ErrorCode::kNotFound) {
    Secret made = Secret::Allocate(value_.size());
    random_.Fill(std::as_writable_bytes(made.Writable()));
    const auto put = store_.Put(kId, made, 0);
    if (!put) return std::unexpected(put.error());
    kept = store_.Get(kId);
  }
  if (!kept) return std::unexpected(kept.error());
  if (kept->value.size() != value_.size()) {
    return Fail(ErrorCode::kCorrupt, "the store's fingerprint key has another length");
  }
  std::ranges::copy(kept->value.Expose(broker::Exit::kFingerprint), value_.Writable().begin());
  loaded_ = true;
  return {};
}

}  // namespace sidecar::broker_role
