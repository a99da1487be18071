#include "sidecar/window/deadlines.h"

#include <doctest/doctest.h>

#include <vector>

using namespace std::chrono_literals;

TEST_CASE("The earliest deadline is never missed, and a moved one costs a look at most") {
  using Table = sidecar::window::DeadlineTable<4>;
  const sidecar::window::Deadline start{};
  Table table;
  std::vector<size_t> expired;
  const auto expire = [&](std::chrono::seconds at) {
    expired.clear();
    table.Expire(start + at, [&](size_t slot) { expired.push_back(slot); });
  };
  CHECK(table.earliest() == sidecar::window::kNever);
  table.Set(0, start + 10s);
  table.Set(2, start + 5s);
  CHECK(table.earliest() == start + 5s);
  table.Set(2, start + 20s);  // later
  CHECK(table.earliest() <= start + 10s);
  expire(5s);
  CHECK(expired.empty());
  CHECK(table.earliest() == start + 10s);
  table.Clear(0);
  expire(10s);
  CHECK(expired.empty());
  CHECK(table.earliest() == start + 20s);
  expire(20s);
  CHECK(expired == std::vector<size_t>{2});
  CHECK(table.earliest() == sidecar::window::kNever);
  // A deadline that is set while others expire counts.
  table.Set(1, start + 21s);
  table.Expire(start + 21s, [&](size_t) { table.Set(3, start + 22s); });
  CHECK(table.earliest() == start + 22s);
}
