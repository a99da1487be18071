#include "sidecar/broker/unseal_retry.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <thread>

using broker::ErrorCode;
using sidecar::broker_role::UnsealRetry;
using namespace std::chrono_literals;

TEST_CASE("The pause doubles up to a minute, and what a person must mend waits that long") {
  CHECK(UnsealRetry::PauseAfter(ErrorCode::kUnavailable, 1) == 1s);
  CHECK(UnsealRetry::PauseAfter(ErrorCode::kUnavailable, 2) == 2s);
  CHECK(UnsealRetry::PauseAfter(ErrorCode::kUnavailable, 6) == 32s);
  CHECK(UnsealRetry::PauseAfter(ErrorCode::kUnavailable, 7) == 60s);
  CHECK(UnsealRetry::PauseAfter(ErrorCode::kUnavailable, 4'000'000'000U) == 60s);
  for (const ErrorCode code : {ErrorCode::kDenied, ErrorCode::kNotFound, ErrorCode::kInvalidRequest,
                               ErrorCode::kCorrupt, ErrorCode::kConflict}) {
    CHECK(UnsealRetry::PauseAfter(code, 1) == 60s);
  }
}

TEST_CASE("Nobody is asked before the first call, and a call interrupts the longest pause") {
  std::mutex mutex;
  std::condition_variable tried;
  int attempts = 0;
  UnsealRetry retry([&]() -> std::optional<ErrorCode> {
    const std::scoped_lock lock(mutex);
    ++attempts;
    tried.notify_all();
    if (attempts < 3) return ErrorCode::kDenied;
    return std::nullopt;
  });
  std::jthread thread([&](const std::stop_token& stop) { retry.Run(stop); });
  for (int expected = 1; expected <= 4; ++expected) {
    {
      const std::scoped_lock lock(mutex);
      CHECK(attempts == expected - 1);
    }
    retry.Wake();
    std::unique_lock lock(mutex);
    tried.wait(lock, [&] { return attempts == expected; });
  }
}
