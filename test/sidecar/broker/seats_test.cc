#include "sidecar/broker/seats.h"

#include <doctest/doctest.h>

#include <vector>

using sidecar::broker_role::Seats;

namespace {

using Taken = std::vector<Seats::Seat>;

// As many as it is let have.
size_t Fill(Seats& seats, const std::string& agent, Taken* taken) {
  size_t count = 0;
  while (auto seat = seats.Take(agent)) {
    taken->push_back(std::move(*seat));
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("One agent gets its share, and what it returns again") {
  Seats seats;
  Taken taken;
  CHECK(Fill(seats, "greedy", &taken) == Seats::kMaxPerAgent);
  CHECK(seats.Take("modest").has_value());
  taken.pop_back();
  taken.pop_back();
  CHECK(Fill(seats, "greedy", &taken) == 2);
  taken.clear();
  CHECK(Fill(seats, "greedy", &taken) == Seats::kMaxPerAgent);
}

TEST_CASE("Whatever agents hold together, others get a few, and operators theirs") {
  Seats seats;
  Taken taken;
  for (const char* agent : {"a", "b", "c", "d"}) Fill(seats, agent, &taken);
  CHECK(taken.size() <= Seats::kMaxOfAgents - Seats::kReservedForFew + Seats::kFew);
  CHECK(Fill(seats, "e", &taken) == Seats::kFew);
  for (int i = 0; Fill(seats, "agent" + std::to_string(i), &taken) > 0; ++i) continue;
  CHECK(taken.size() == Seats::kMaxOfAgents);
  CHECK(Fill(seats, "", &taken) == Seats::kMaxOfAdmins);
  taken.clear();
  CHECK(seats.Take("a").has_value());
}

TEST_CASE("However many operators there are, no agent has fewer") {
  Seats seats;
  Taken taken;
  CHECK(Fill(seats, "", &taken) == Seats::kMaxOfAdmins);
  CHECK(Fill(seats, "agent", &taken) == Seats::kMaxPerAgent);
}
