#include "sidecar/broker/mint_room.h"

#include <doctest/doctest.h>

#include <vector>

using broker::Secret, sidecar::broker_role::MintRoom;

namespace {

using Room = std::shared_ptr<const void>;

constexpr size_t kLongest = size_t{16} << 10;

// As many requests of that size as it is let have.
size_t Fill(MintRoom& room, const std::string& agent, size_t bytes, std::vector<Room>* held) {
  size_t count = 0;
  while (Room one = room.Admit(agent, bytes)) {
    held->push_back(std::move(one));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("A request that others may share takes no room; its own token and claims take theirs") {
  broker::TokenRequest request;
  request.scopes = {"Mail.Read"};
  CHECK(MintRoom::BytesOf(request) == 0);
  request.claims = "{}";
  CHECK(MintRoom::BytesOf(request) == MintRoom::kLeastBytes);
  request.user_assertion = std::make_shared<const Secret>(Secret::Allocate(1));
  CHECK(MintRoom::BytesOf(request) == MintRoom::kLeastBytes);
  request.claims = std::string(broker::TokenRequest::kMaxClaimsBytes, 'c');
  request.user_assertion = std::make_shared<const Secret>(Secret::Allocate(kLongest));
  CHECK(MintRoom::BytesOf(request) == MintRoom::kFewBytes);
}

TEST_CASE("An agent that sends many users' tokens or claims at a time leaves room for others'") {
  for (const size_t bytes : {MintRoom::kLeastBytes, kLongest}) {
    CAPTURE(bytes);
    MintRoom room;
    std::vector<Room> held;
    CHECK(Fill(room, "flood", bytes, &held) == MintRoom::kMaxAgentBytes / bytes);
    CHECK(room.Admit("flood", 1) == nullptr);
    CHECK(room.Admit("other", kLongest) != nullptr);
    held.pop_back();
    CHECK(room.Admit("flood", bytes) != nullptr);
    CHECK(room.Admit("flood", bytes) != nullptr);  // the one before is gone
  }
}

TEST_CASE("All agents' together leave room for what else is secret") {
  MintRoom room;
  std::vector<Room> held;
  for (int i = 0; Fill(room, "agent" + std::to_string(i), kLongest, &held) > 0; ++i) continue;
  CHECK(held.size() == MintRoom::kMaxBytes / kLongest);
  CHECK(room.Admit("another", 1) == nullptr);
  held.clear();
  CHECK(room.Admit("another", 1) != nullptr);
}

TEST_CASE("Agents that fill their shares together leave a few requests' room to each other one") {
  MintRoom room;
  std::vector<Room> held;
  for (const char* agent : {"a", "b", "c", "d"}) Fill(room, agent, kLongest, &held);
  CHECK(held.size() <= (MintRoom::kMaxBytes - MintRoom::kReservedForFew) / kLongest + 2);
  for (const char* agent : {"e", "f", "g", "h"}) {
    CHECK(Fill(room, agent, kLongest, &held) == MintRoom::kFewBytes / kLongest);
  }
}

TEST_CASE("Who shares the room keeps it") {
  MintRoom room;
  Room first = room.Admit("a", MintRoom::kMaxAgentBytes);
  REQUIRE(first != nullptr);
  Room second = first;
  first.reset();
  CHECK(room.Admit("a", 1) == nullptr);
  second.reset();
  CHECK(room.Admit("a", 1) != nullptr);
}
