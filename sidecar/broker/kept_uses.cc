#include "sidecar/broker/kept_uses.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Status;

namespace {

const broker::SecretId kId{"credential-uses", broker::SecretKind::kInternal};
constexpr std::string_view kNothing = "{}";

}  // namespace

Status KeptUses::Load() {
  const std::scoped_lock lock(mutex_);
  if (loaded_) return {};
  const auto stored = store_.Get(kId);
  if (!stored && stored.error().code != ErrorCode::kNotFound) {
    return std::unexpected(stored.error());
  }
  kept_ = stored ? std::string(stored->value.Expose(broker::Exit::kPassToRole)) : kNothing;
  [[maybe_unused]] const Status restored = uses_.Restore(kept_);
  loaded_ = true;
  return {};
}

Status KeptUses::Keep() {
  const std::scoped_lock lock(mutex_);
  if (!loaded_) return Fail(ErrorCode::kUnavailable, "the store is sealed");
  std::string now = uses_.Kept();
  if (now == kept_) return {};
  const auto stored = store_.Put(kId, broker::Secret::CopyOf(now), std::nullopt);
  if (!stored) return std::unexpected(stored.error());
  kept_ = std::move(now);
  return {};
}

}  // namespace sidecar::broker_role
