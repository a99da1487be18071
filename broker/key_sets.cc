#include "broker/key_sets.h"

#include <algorithm>

#include "broker/entra/token_request.h"
#include "broker/entra/upstream_error.h"

namespace broker {

KeySets::Known& KeySets::KnownOf(const std::string& url) {
  const std::scoped_lock lock(mutex_);
  return known_[url];
}

std::expected<entra::VerificationKey, Refusal> KeySets::Find(const policy::Tenant& tenant,
                                                             const std::string& key_id) {
  const std::string url = entra::KeysUrl({tenant.authority, tenant.id});
  Known& known = KnownOf(url);
  const std::scoped_lock turn(known.turn);
  const auto find = [&]() -> const entra::VerificationKey* {
    if (!known.keys) return nullptr;
    const auto it = std::ranges::find(*known.keys, key_id, &entra::VerificationKey::id);
    return it == known.keys->end() ? nullptr : &*it;
  };
  const auto now = clock_.Now();
  const bool old = known.keys && now - known.fetched_at >= kMaxAge;
  if ((old || find() == nullptr) && now >= known.not_before) Fetch(url, known);
  if (const auto* key = find()) return *key;
  if (!known.keys) return std::unexpected(known.trouble);
  return Refuse(Reason::kInvalidUserAssertion, {}, "user assertion: no key of that id");
}

void KeySets::Fetch(const std::string& url, Known& known) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  request.headers.emplace_back("Accept", "application/json");
  const auto response = http_.Send(request);
  known.not_before = clock_.Now() + kFailurePause;
  if (!response || response->status != 200) {
    const auto error = response ? entra::ReadUpstreamError(*response)
                                : entra::ReadTransportError(response.error());
    known.trouble = {entra::Describe(error.error_class).reason,
                     {},
                     "key set: " + error.detail,
                     error.retry_after};
    if (error.retry_after) known.not_before = clock_.Now() + *error.retry_after;
    return;
  }
  auto keys = entra::ReadJsonWebKeys(response->body);
  if (!keys) {
    known.trouble = {Reason::kUpstreamInvalid, {}, keys.error().detail, std::nullopt};
    return;
  }
  known.keys = std::make_shared<const std::vector<entra::VerificationKey>>(std::move(*keys));
  known.fetched_at = clock_.Now();
  known.not_before = known.fetched_at + kUnknownKeyPause;
}

}  // namespace broker
