// A cache of access tokens with a clock that stands still and a mint that counts.
#pragma once
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "test/fakes/fake_clock.h"
#include "token_cache/access_token_cache.h"

using broker::AccessToken, broker::MintResult, broker::Reason, broker::Refuse, broker::SharedToken,
    broker::TokenKey;
using std::chrono::seconds, std::chrono::minutes;
using token_cache::AccessTokenCache;

inline TokenKey Key(const std::string& credential, const std::string& scope = "Mail.Read") {
  return {.credential = credential, .resource = "https://graph.microsoft.com", .scopes = {scope}};
}

/// Mints tokens of one hour, due after half of it, and counts.
struct Mint {
  explicit Mint(FakeClock& the_clock) : clock(the_clock) {}
  MintResult operator()() {
    ++calls;
    if (refuse_with) return Refuse(*refuse_with);
    auto token = std::make_shared<AccessToken>();
    token->value = broker::Secret::CopyOf("token " + std::to_string(calls) + padding);
    token->minted_at = clock.Now();
    token->refresh_at = clock.Now() + minutes(30);
    token->expires_at = clock.Now() + minutes(60);
    return token;
  }
  FakeClock& clock;
  std::atomic<int> calls{0};
  std::optional<Reason> refuse_with;
  std::string padding;
};

struct Fixture {
  FakeClock clock;
  AccessTokenCache cache{clock};
  Mint mint{clock};
  MintResult Get(const TokenKey& key, seconds min_validity = seconds(0)) {
    return cache.GetOrMint(key, min_validity, std::ref(mint));
  }
  bool Renew(const TokenKey& key) { return cache.Renew(key, std::ref(mint)); }
};

inline std::string Text(const MintResult& result) {
  if (!result) return std::string(broker::Describe(result.error().reason).name);
  return std::string((*result)->value.Expose(broker::Exit::kTest));
}
