#include "sidecar/supervisor/flood_log.h"

#include <doctest/doctest.h>

#include "test/fakes/captured_log.h"
#include "test/fakes/fake_clock.h"

using sidecar::supervisor::EventLoop, sidecar::supervisor::FloodLog;

namespace {

struct Bench {
  FakeClock clock;
  EventLoop loop{clock};
  CapturedLog captured;
  std::unique_ptr<FloodLog> log =
      std::make_unique<FloodLog>(loop, captured.log(), "connection_refused");
  Bench() { REQUIRE(loop.Open().has_value()); }

  void Refuse(const std::string& why, int times) const {
    for (int i = 0; i < times; ++i) log->Warn(why, {{"why", why}});
  }
  void EndWindow() {
    clock.Advance(FloodLog::kWindow);
    loop.RunOnce(std::chrono::milliseconds{0});
  }
  [[nodiscard]] size_t Count(const std::string& text) const {
    size_t count = 0;
    const std::string all = captured.Text();
    for (size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
    return count;
  }
};

}  // namespace

TEST_CASE("The first few of a kind are written in full, the rest as one count a minute") {
  Bench bench;
  bench.Refuse("user differs", 100'000);
  bench.Refuse("group missing", 2);
  CHECK(bench.Count("user differs") == FloodLog::kInFull);
  CHECK(bench.Count("group missing") == 2);
  CHECK(bench.Count("and_more") == 0);
  bench.EndWindow();
  CHECK(bench.Count("and_more=99995 within_s=60") == 1);
  bench.EndWindow();
  CHECK(bench.Count("\n") == FloodLog::kInFull + 2 + 1);

  bench.Refuse("user differs", 1);  // the next minute begins anew
  CHECK(bench.Count("user differs") == FloodLog::kInFull + 1);
}

TEST_CASE("Kinds without number are counted too") {
  Bench bench;
  for (int i = 0; i < 1000; ++i) bench.Refuse("fault " + std::to_string(i), 1);
  CHECK(bench.Count("\n") == FloodLog::kMaxKinds);
  bench.EndWindow();
  CHECK(bench.Count("and_more=984") == 1);
}

TEST_CASE("A few refusals are not counted, and a count is written at the end at the latest") {
  Bench bench;
  bench.Refuse("user differs", static_cast<int>(FloodLog::kInFull));
  bench.EndWindow();
  CHECK(bench.Count("and_more") == 0);
  bench.Refuse("user differs", static_cast<int>(FloodLog::kInFull) + 3);
  bench.log.reset();
  CHECK(bench.Count("and_more=3") == 1);
}
