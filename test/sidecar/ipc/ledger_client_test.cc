#include "sidecar/ipc/ledger_client.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <future>
#include <iterator>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace sidecar::ipc;
using namespace std::chrono_literals;
using broker::ErrorCode, broker::LedgerReceipt, broker::Result;

namespace {

// A client with the thread that attends to it, and the ledger's end of its channel.
struct Attended {
  explicit Attended(std::chrono::milliseconds deadline = 30s)
      : client(deadline, LedgerClient::Receiver::kAttendant) {
    auto [near, far] = *MakePair();
    client.Reset(std::move(near));
    ledger = std::move(far);
  }

  std::future<Result<LedgerReceipt>> Append(const std::string& agent = "a") {
    auto promise = std::make_shared<std::promise<Result<LedgerReceipt>>>();
    client.AppendThen({.agent = agent}, [promise](auto receipt) { promise->set_value(receipt); });
    return promise->get_future();
  }
  // The ids of the next frame.
  std::vector<uint64_t> NextFrame() {
    REQUIRE(Receive(ledger.get(), &message));
    const auto appends = DecodeAppends(message.bytes);
    REQUIRE(appends.has_value());
    std::vector<uint64_t> ids;
    for (const auto& append : *appends) ids.push_back(append.id);
    return ids;
  }
  uint64_t NextId() {
    if (received.empty()) std::ranges::copy(NextFrame(), std::back_inserter(received));
    const uint64_t id = received.front();
    received.pop_front();
    return id;
  }
  void Acknowledge(const std::vector<Ack>& acks) {
    std::string out;
    EncodeAcks(acks, &out);
    REQUIRE(Send(ledger.get(), out));
  }

  LedgerClient client;
  Fd ledger;
  Message message;
  std::deque<uint64_t> received;
  const std::string leaf = std::string(32, 'l');
  std::jthread attendant{[this](const std::stop_token& stop) { client.Attend(stop, [] {}); }};
};

}  // namespace

TEST_CASE("Each continuation gets its own acknowledgement, in whatever order they come") {
  Attended f;
  auto first = f.Append();
  auto second = f.Append();
  const uint64_t one = f.NextId();
  const uint64_t two = f.NextId();
  f.Acknowledge({{.id = two, .seq = 8, .leaf = f.leaf}, {.id = one, .seq = 7, .leaf = f.leaf}});
  CHECK(first.get()->seq == 7);
  CHECK(second.get()->seq == 8);
}

TEST_CASE("A refusal of the ledger reaches its continuation") {
  Attended f;
  auto refused = f.Append();
  f.Acknowledge({{.id = f.NextId(), .error = uint8_t(ErrorCode::kDenied), .detail = "stopped"}});
  const auto receipt = refused.get();
  REQUIRE_FALSE(receipt.has_value());
  CHECK(receipt.error().code == ErrorCode::kDenied);
}

TEST_CASE("Without a ledger, or once it is gone, a continuation learns that nothing is durable") {
  Attended f;
  auto under_way = f.Append();
  f.NextId();
  f.ledger.Reset();
  CHECK(under_way.get().error().code == ErrorCode::kUnavailable);
  CHECK(f.Append().get().error().code == ErrorCode::kUnavailable);
  f.client.Reset(Fd());
  CHECK(f.Append().get().error().code == ErrorCode::kUnavailable);
}

TEST_CASE("A new channel serves after the one before was lost") {
  Attended f;
  f.ledger.Reset();
  CHECK(f.Append().get().error().code == ErrorCode::kUnavailable);
  auto [near, far] = *MakePair();
  f.client.Reset(std::move(near));
  f.ledger = std::move(far);
  auto appended = f.Append();
  f.Acknowledge({{.id = f.NextId(), .seq = 1, .leaf = f.leaf}});
  CHECK(appended.get()->seq == 1);
}

TEST_CASE("A ledger that keeps silent fails its continuations, and later ones still get theirs") {
  Attended f(20ms);
  auto silent = f.Append();
  const uint64_t late = f.NextId();
  CHECK(silent.get().error().code == ErrorCode::kUnavailable);
  f.Acknowledge({{.id = late, .seq = 1, .leaf = f.leaf}});  // for nobody
  Result<LedgerReceipt> receipt = broker::Fail(ErrorCode::kUnavailable, "");
  while (!receipt) {  // the deadline may pass on a busy machine
    auto next = f.Append();
    f.Acknowledge({{.id = f.NextId(), .seq = 2, .leaf = f.leaf}});
    receipt = next.get();
  }
  CHECK(receipt->seq == 2);
}

TEST_CASE("A continuation may append again, and one that throws takes no other with it") {
  Attended f;
  std::promise<Result<LedgerReceipt>> chained;
  f.client.AppendThen({.agent = "a"}, [&](const auto&) {
    f.client.AppendThen({.agent = "b"}, [&](auto receipt) { chained.set_value(receipt); });
  });
  f.client.AppendThen({.agent = "c"}, [](const auto&) { throw std::runtime_error("x"); });
  const uint64_t one = f.NextId();
  const uint64_t two = f.NextId();
  f.Acknowledge({{.id = two, .seq = 1, .leaf = f.leaf}, {.id = one, .seq = 2, .leaf = f.leaf}});
  f.Acknowledge({{.id = f.NextId(), .seq = 3, .leaf = f.leaf}});
  CHECK(chained.get_future().get()->seq == 3);
}

TEST_CASE("More than the ledger's queue takes waits its turn, and nobody waits for it") {
  Attended f;
  constexpr size_t kMany = 2000;  // a queue takes some hundreds
  std::vector<std::future<Result<LedgerReceipt>>> appended;
  appended.reserve(kMany);
  for (size_t i = 0; i < kMany; ++i) appended.push_back(f.Append(std::string(200, 'a')));
  for (size_t i = 0; i < kMany; ++i) {
    f.Acknowledge({{.id = f.NextId(), .seq = i + 1, .leaf = f.leaf}});
  }
  for (size_t i = 0; i < kMany; ++i) CHECK(appended[i].get()->seq == i + 1);
}

TEST_CASE(
    "What a thread holds back goes out together, and what other threads append does not wait") {
  Attended f;
  f.client.Hold();
  auto first = f.Append();
  auto second = f.Append();
  std::future<Result<LedgerReceipt>> elsewhere;
  std::thread([&] { elsewhere = f.Append(); }).join();
  // The other thread's flush takes along what was held.
  CHECK(f.NextFrame() == std::vector<uint64_t>{1, 2, 3});
  auto third = f.Append();
  auto fourth = f.Append();
  Message nothing;
  CHECK_FALSE(Receive(f.ledger.get(), &nothing, /*nonblocking=*/true));
  f.client.Release();
  CHECK(f.NextFrame() == std::vector<uint64_t>{4, 5});
  auto fifth = f.Append();
  CHECK(f.NextFrame() == std::vector<uint64_t>{6});
}

TEST_CASE("More than a frame takes goes out in several") {
  Attended f;
  f.client.Hold();
  const std::string agent(15'000, 'a');
  const auto appended = {f.Append(agent), f.Append(agent), f.Append(agent)};
  f.client.Release();
  CHECK(f.NextFrame() == std::vector<uint64_t>{1, 2});
  CHECK(f.NextFrame() == std::vector<uint64_t>{3});
}

TEST_CASE("A thread that may wait does so beside the attendant") {
  Attended f;
  std::jthread ledger([&] { f.Acknowledge({{.id = f.NextId(), .seq = 5, .leaf = f.leaf}}); });
  CHECK(f.client.Append({.agent = "a"})->seq == 5);
}
