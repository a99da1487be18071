#include "sidecar/broker/assertion_room.h"

#include <doctest/doctest.h>

#include <vector>

using broker::Secret, sidecar::broker_role::AssertionRoom;

namespace {

using Token = std::shared_ptr<const Secret>;

constexpr size_t kLongest = size_t{16} << 10;

Token Of(size_t bytes) { return std::make_shared<const Secret>(Secret::Allocate(bytes)); }

// As many of the longest as it is let have.
size_t Fill(AssertionRoom& room, const std::string& agent, std::vector<Token>* held) {
  size_t count = 0;
  while (Token token = room.Admit(agent, Of(kLongest))) {
    held->push_back(std::move(token));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("An agent that sends many users' tokens at a time leaves room for the others'") {
  AssertionRoom room;
  std::vector<Token> held;
  CHECK(Fill(room, "flood", &held) == AssertionRoom::kMaxAgentBytes / kLongest);
  CHECK(room.Admit("flood", Of(1)) == nullptr);
  CHECK(room.Admit("other", Of(kLongest)) != nullptr);
  held.pop_back();
  CHECK(room.Admit("flood", Of(kLongest)) != nullptr);
  CHECK(room.Admit("flood", Of(kLongest)) != nullptr);  // the one before is gone
}

TEST_CASE("All agents' together leave room for what else is secret") {
  AssertionRoom room;
  std::vector<Token> held;
  for (int i = 0; Fill(room, "agent" + std::to_string(i), &held) > 0; ++i) continue;
  CHECK(held.size() == AssertionRoom::kMaxBytes / kLongest);
  CHECK(room.Admit("another", Of(1)) == nullptr);
  held.clear();
  CHECK(room.Admit("another", Of(1)) != nullptr);
}

TEST_CASE("Agents that fill their shares together leave a few tokens' room to each other one") {
  AssertionRoom room;
  std::vector<Token> held;
  for (const char* agent : {"a", "b", "c", "d"}) Fill(room, agent, &held);
  CHECK(held.size() <= (AssertionRoom::kMaxBytes - AssertionRoom::kReservedForFew) / kLongest + 2);
  for (const char* agent : {"e", "f", "g", "h"}) {
    CHECK(Fill(room, agent, &held) == AssertionRoom::kFewBytes / kLongest);
  }
}

TEST_CASE("Who shares a token keeps its room") {
  AssertionRoom room;
  Token first = room.Admit("a", Of(AssertionRoom::kMaxAgentBytes));
  REQUIRE(first != nullptr);
  CHECK(first->size() == AssertionRoom::kMaxAgentBytes);
  Token second = first;
  first.reset();
  CHECK(room.Admit("a", Of(1)) == nullptr);
  second.reset();
  CHECK(room.Admit("a", Of(1)) != nullptr);
}
