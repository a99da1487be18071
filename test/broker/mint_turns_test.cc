#include "broker/mint_turns.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::MintTurns, broker::Reason;

TEST_CASE("An agent that asks for many tokens of one refresh token keeps few of them in line") {
  constexpr int kAsked = 3 * MintTurns::kMaxInLine;
  MinterBench setup;
  std::latch refused(kAsked - MintTurns::kMaxInLine);
  setup.http.respond = [&](const broker::HttpRequest&) {
    refused.wait();  // Entra is slow until all have asked
    return FakeHttp::Answer(200, TokenBody(UserClaims()));
  };
  std::vector<std::jthread> askers;
  std::atomic<int> minted = 0;
  for (int i = 0; i < kAsked; ++i) {
    askers.emplace_back([&, i] {
      auto key = setup.key;
      key.claims = R"({"access_token":{"nbf":{"value":")" + std::to_string(i) + R"("}}})";
      const auto got = setup.minter.Mint(setup.config, setup.credential, key, setup.who);
      if (got) ++minted;
      if (!got && got.error().reason == Reason::kOverloaded) refused.count_down();
    });
  }
  refused.wait();
  auto who = setup.who;
  who.agent = "other";
  const auto other = setup.minter.Mint(setup.config, setup.credential, setup.key, who);
  CHECK(other.has_value());
  askers.clear();
  CHECK(minted == MintTurns::kMaxInLine);
  CHECK(setup.Mint().has_value());
}

TEST_CASE("Purser's own mints are not counted, and each credential has a line of its own") {
  MintTurns turns;
  for (int i = 0; i < 2 * MintTurns::kMaxInLine; ++i) CHECK(turns.Take("a", "").has_value());
  std::vector<MintTurns::Place> held;
  const auto take = [&](const std::string& credential) {
    auto place = turns.Take(credential, "agent");
    REQUIRE(place.has_value());
    held.push_back(std::move(*place));
  };
  take("a");
  take("b");
}
