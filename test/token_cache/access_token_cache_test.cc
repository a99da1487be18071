#include "token_cache/access_token_cache.h"

#include <doctest/doctest.h>

#include <new>
#include <vector>

#include "test/token_cache/cache_fixture.h"

TEST_CASE("What is found without waiting is a token that serves, and it counts as used") {
  Fixture f;
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
  CHECK(f.mint.calls == 0);
  const auto minted = f.Get(Key("a"));
  CHECK(f.cache.Find(Key("b"), seconds(0)) == nullptr);
  CHECK(f.cache.Find(Key("a"), minutes(60)) == *minted);
  f.clock.Advance(minutes(30));
  CHECK(f.cache.Find(Key("a"), minutes(31)) == nullptr);
  CHECK(f.cache.Due() == std::vector{Key("a")});
  CHECK(f.cache.Find(Key("a"), minutes(30)) == *minted);
  f.clock.Advance(minutes(30));
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
  f.cache.Evict("a");
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
}

TEST_CASE("A token is minted once, and again when too little of its life is left") {
  Fixture f;
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  f.clock.Advance(minutes(50));
  CHECK(Text(f.Get(Key("a"), minutes(10))) == "token 1");
  CHECK(Text(f.Get(Key("a"), minutes(11))) == "token 2");
  f.clock.Advance(minutes(60));
  CHECK(Text(f.Get(Key("a"))) == "token 3");  // expired to the second
}

TEST_CASE("Each part of the key makes another token") {
  Fixture f;
  TokenKey resource = Key("a"), claims = Key("a"), user = Key("a");
  resource.resource = "https://vault.azure.net";
  claims.claims = R"({"access_token":{}})";
  user.user = "oid";
  for (const TokenKey& key : {Key("a"), Key("b"), Key("a", "Mail.Send"), resource, claims, user})
    CHECK(f.Get(key).has_value());
  CHECK(f.mint.calls == 6);
}

TEST_CASE("A token whose whole life is shorter than asked for does not hammer Entra") {
  Fixture f;
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 1");
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 1");
  f.clock.Advance(AccessTokenCache::kFresh);
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 2");
}

TEST_CASE("A refusal is not kept") {
  Fixture f;
  f.mint.refuse_with = Reason::kUpstreamUnavailable;
  CHECK(Text(f.Get(Key("a"))) == "upstream_unavailable");
  CHECK(Text(f.Get(Key("a"))) == "upstream_unavailable");
  CHECK(f.mint.calls == 2);
  f.mint.refuse_with.reset();
  CHECK(Text(f.Get(Key("a"))) == "token 3");
}

TEST_CASE("That a token could do too much is remembered for a while, by its key and credential") {
  Fixture f;
  const auto over_scoped = [&](const TokenKey& key) {
    f.mint.refuse_with = Reason::kOverScoped;
    CHECK(Text(f.Get(key)) == "over_scoped");
    f.mint.refuse_with.reset();
  };
  over_scoped(Key("a"));
  CHECK(Text(f.Get(Key("a"))) == "over_scoped");
  CHECK(Text(f.Get(Key("a", "Mail.Send"))) == "token 2");
  CHECK(Text(f.Get(Key("b"))) == "token 3");
  f.clock.Advance(AccessTokenCache::kOverScopedPause - seconds(1));
  CHECK(Text(f.Get(Key("a"))) == "over_scoped");
  CHECK(f.mint.calls == 3);
  f.clock.Advance(seconds(1));
  CHECK(Text(f.Get(Key("a"))) == "token 4");
  over_scoped(Key("c"));
  f.cache.Evict("b");
  CHECK(Text(f.Get(Key("c"))) == "over_scoped");
  f.cache.Evict("c");
  CHECK(Text(f.Get(Key("c"))) == "token 6");

  AccessTokenCache small(f.clock, {.tokens = 2});
  f.mint.refuse_with = Reason::kOverScoped;
  for (const char* name : {"a", "b", "c", "c"}) {
    CHECK(Text(small.GetOrMint(Key(name), seconds(0), std::ref(f.mint))) == "over_scoped");
  }
  CHECK(f.mint.calls == 10);  // beyond the limit nothing is remembered
}

TEST_CASE("A mint that throws is a refusal, and the key is usable afterwards") {
  Fixture f;
  const auto full =
      f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { throw std::bad_alloc(); });
  CHECK(Text(full) == "overloaded");
  const auto odd = f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { throw 7; });
  CHECK(Text(odd) == "internal");
  const auto none = f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { return nullptr; });
  CHECK(Text(none) == "internal");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
}

TEST_CASE("Evict drops every token of the credential and no other") {
  Fixture f;
  CHECK(f.Get(Key("a", "Mail.Read")).has_value());
  CHECK(f.Get(Key("a", "Mail.Send")).has_value());
  CHECK(f.Get(Key("b")).has_value());
  f.cache.Evict("a");
  CHECK(f.cache.size() == 1);
  CHECK(Text(f.Get(Key("b"))) == "token 3");
  CHECK(Text(f.Get(Key("a"))) == "token 4");
}

TEST_CASE("A token that its resource refused is dropped alone, or renewed while it serves") {
  Fixture f;
  const auto first = Text(f.Get(Key("a")));
  const auto other = Text(f.Get(Key("a", "User.Read")));
  f.cache.Drop(Key("a"));
  f.cache.Doubt(Key("a", "User.Read"));
  CHECK(Text(f.Get(Key("a"))) == first);  // minted a moment ago: another would be the same
  CHECK(f.cache.Due().empty());
  f.clock.Advance(AccessTokenCache::kFresh);
  f.cache.Drop(Key("a"));
  f.cache.Drop(Key("b"));
  CHECK(f.cache.size() == 1);
  CHECK(Text(f.Get(Key("a"))) != first);
  f.cache.Doubt(Key("a", "User.Read"));
  CHECK(Text(f.Get(Key("a", "User.Read"))) == other);
  CHECK(f.cache.Due() == std::vector<TokenKey>{Key("a", "User.Read")});
  CHECK(f.Renew(Key("a", "User.Read")));
  CHECK(Text(f.Get(Key("a", "User.Read"))) != other);
  CHECK(f.cache.Due().empty());
}

TEST_CASE("A mint that was under way when its credential was evicted leaves nothing behind") {
  Fixture f;
  const auto stale = f.cache.GetOrMint(Key("a"), seconds(0), [&] {
    f.cache.Evict("a");
    CHECK(Text(f.Get(Key("a"))) == "token 1");  // does not wait for the evicted one
    return f.mint();
  });
  CHECK(Text(stale) == "token 2");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  f.cache.Evict("a");
  CHECK(f.Renew(Key("a")));  // nothing to renew
  CHECK(f.mint.calls == 2);
}

TEST_CASE("Expired tokens are wiped") {
  Fixture f;
  const size_t before = broker::SecretArena::used_bytes();
  CHECK(f.Get(Key("a")).has_value());
  CHECK(f.Get(Key("b")).has_value());
  CHECK(broker::SecretArena::used_bytes() > before);
  CHECK(f.cache.SweepExpired() == 0);
  f.clock.Advance(minutes(60));
  CHECK(f.cache.SweepExpired() == 2);
  CHECK(f.cache.size() == 0);
  CHECK(broker::SecretArena::used_bytes() == before);
}

TEST_CASE("The least recently used token makes room, by number and by bytes") {
  FakeClock clock;
  Mint mint(clock);
  mint.padding = std::string(93, 'p');  // 100 bytes each
  for (const AccessTokenCache::Limits limits :
       {AccessTokenCache::Limits{.tokens = 3}, AccessTokenCache::Limits{.bytes = 300}}) {
    AccessTokenCache cache(clock, limits);
    mint.calls = 0;
    const auto get = [&](const char* name) {
      return Text(cache.GetOrMint(Key(name), seconds(0), std::ref(mint))).substr(0, 7);
    };
    for (const char* name : {"a", "b", "c", "a", "d"}) get(name);
    CHECK(cache.size() == 3);
    CHECK(get("a") == "token 1");
    CHECK(get("c") == "token 3");
    CHECK(get("d") == "token 4");
    CHECK(get("b") == "token 5");
  }
}

TEST_CASE("Who has many tokens minted takes no room from those who use another credential") {
  FakeClock clock;
  Mint mint(clock);
  AccessTokenCache cache(clock, {.tokens = 4});
  const auto get = [&](const TokenKey& key) {
    return Text(cache.GetOrMint(key, seconds(0), std::ref(mint)));
  };
  const auto of_claims = [](int i) {
    TokenKey key = Key("greedy");
    key.claims = R"({"access_token":{"nonce":{"value":")" + std::to_string(i) + R"("}}})";
    return key;
  };
  CHECK(get(Key("poor")) == "token 1");
  CHECK(get(Key("greedy")) == "token 2");  // of another agent with the same credential, perhaps
  for (int i = 0; i < 10; ++i) get(of_claims(i));
  CHECK(cache.size() == 4);
  CHECK(get(Key("poor")) == "token 1");
  CHECK(get(Key("greedy")) == "token 2");
  CHECK(get(of_claims(9)) == "token 12");
  CHECK(get(of_claims(0)) == "token 13");
}
