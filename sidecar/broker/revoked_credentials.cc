#include "sidecar/broker/revoked_credentials.h"

#include <set>

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Secret, broker::Status;

namespace {

const broker::SecretId kId{"revoked-credentials", broker::SecretKind::kInternal};

std::set<std::string> Lines(std::string_view text) {
  std::set<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

Status RevokedCredentials::Load() {
  const std::scoped_lock lock(mutex_);
  const auto kept = store_.Get(kId);
  const bool none = !kept && kept.error().code == ErrorCode::kNotFound;
  if (!kept && !none) return std::unexpected(kept.error());
  const auto known =
      none ? std::set<std::string>() : Lines(kept->value.Expose(broker::Exit::kOwnRecord));
  revocations_.Adopt(known);
  loaded_ = true;
  // Revoked while the store was closed.
  const auto all = revocations_.all();
  return all == known ? Status() : Store(all);
}

Status RevokedCredentials::Revoke(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  revocations_.Add(credential);
  ++times_;
  if (!loaded_) return broker::Fail(ErrorCode::kUnavailable, "the store is not open");
  return Store(revocations_.all());
}

uint64_t RevokedCredentials::times() {
  const std::scoped_lock lock(mutex_);
  return times_;
}

Status RevokedCredentials::Lift(const std::string& credential, uint64_t seen) {
  const std::scoped_lock lock(mutex_);
  if (!revocations_.Has(credential)) return {};
  if (times_ != seen) {
    return broker::Fail(ErrorCode::kConflict, "the credential was revoked meanwhile: begin anew");
  }
  std::set<std::string> left = revocations_.all();
  left.erase(credential);
  if (const Status stored = Store(left); !stored) return stored;
  revocations_.Lift(credential);
  return {};
}

Status RevokedCredentials::Store(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + '\n';
  const auto version = store_.Put(kId, Secret::CopyOf(text), std::nullopt);
  if (!version) return std::unexpected(version.error());
  return {};
}

}  // namespace sidecar::broker_role
