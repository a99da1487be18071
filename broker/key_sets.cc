#include "broker/key_sets.h"

#include <algorithm>
#include <utility>

#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"

namespace broker {

namespace {

const entra::VerificationKey* KeyOf(
    const std::shared_ptr<const std::vector<entra::VerificationKey>>& keys, const std::string& id) {
  if (!keys) return nullptr;
  const auto found = std::ranges::find(*keys, id, &entra::VerificationKey::id);
  return found == keys->end() ? nullptr : &*found;
}

}  // namespace

KeySets::Known& KeySets::KnownOf(const std::string& url) {
  const std::scoped_lock lock(mutex_);
  return known_[url];
}

std::expected<entra::VerificationKey, Refusal> KeySets::Find(const policy::Tenant& tenant,
                                                             const std::string& key_id) {
  const std::string url = entra::KeysUrl({tenant.authority, tenant.id});
  Known& known = KnownOf(url);
  State state = known.Get();
  const auto* key = KeyOf(state.keys, key_id);
  const auto now = clock_.Now();
  const bool fresh = key != nullptr && now - state.fetched_at < kMaxAge;
  if (!fresh && now >= state.not_before) {
    std::unique_lock turn(known.turn, std::defer_lock);
    const bool mine = key == nullptr ? (turn.lock(), true) : turn.try_lock();
    // Who had to wait may find what was fetched meanwhile, or that it cannot be had.
    if (mine && clock_.Now() >= known.Get().not_before) Fetch(url, known);
    state = known.Get();
    key = KeyOf(state.keys, key_id);
  }
  if (key != nullptr) return *key;
  if (!state.keys) return std::unexpected(state.trouble);
  return Refuse(Reason::kInvalidUserAssertion, {}, "user assertion: no key of that id");
}

void KeySets::Fetch(const std::string& url, Known& known) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  request.headers.emplace_back("Accept", "application/json");
  const auto response = http_.Send(request);
  State next = known.Get();
  next.not_before = clock_.Now() + kFailurePause;
  if (!response || response->status != 200) {
    const auto error = response ? entra::ReadUpstreamError(*response)
                                : entra::ReadTransportError(response.error());
    next.trouble = {entra::Describe(error.error_class).reason,
                    {},
                    "key set: " + error.detail,
                    error.retry_after};
    if (error.retry_after) next.not_before = clock_.Now() + *error.retry_after;
  } else if (auto keys = entra::ReadJsonWebKeys(response->body); !keys) {
    next.trouble = {Reason::kUpstreamInvalid, {}, keys.error().detail, std::nullopt};
  } else {
    next.keys = std::make_shared<const std::vector<entra::VerificationKey>>(std::move(*keys));
    next.fetched_at = clock_.Now();
    next.not_before = next.fetched_at + kUnknownKeyPause;
  }
  const std::scoped_lock lock(known.mutex);
  known.state = std::move(next);
}

}  // namespace broker
