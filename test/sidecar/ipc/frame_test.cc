#include "sidecar/ipc/frame.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

using namespace sidecar::ipc;
using broker::ErrorCode;

TEST_CASE("A message of any lawful size arrives whole, with its descriptors") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  for (const size_t size : {size_t{0}, size_t{1}, kMaxFrameBytes - 1, kMaxFrameBytes, size_t{200000}}) {
    CAPTURE(size);
    const std::string sent(size, 'z');
    std::jthread sender([&] { CHECK(Send(pair->first.get(), sent, {STDIN_FILENO}).has_value()); });
    Message got;
    REQUIRE(Receive(pair->second.get(), &got).has_value());
    CHECK(got.bytes == sent);
    CHECK(got.fds.size() == 1);
  }
}

TEST_CASE("A closed channel and an empty one are told apart") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  Message got;
  CHECK(Receive(pair->second.get(), &got, true).error().detail == "empty");
  pair->first.Reset();
  CHECK(Receive(pair->second.get(), &got, true).error().detail == "peer closed");
  CHECK(Send(pair->second.get(), "x").error().code == ErrorCode::kUnavailable);
}

TEST_CASE("A malformed frame is corrupt") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  Message got;
  const std::string oversized(kMaxFrameBytes + 1, '\0');
  for (const std::string& frame : {std::string("\x02hello"), oversized}) {
    REQUIRE(send(pair->first.get(), frame.data(), frame.size(), 0) >= 0);
    CHECK(Receive(pair->second.get(), &got).error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("A sender that never stops continuing is cut off") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  std::jthread sender([&] {
    const std::string frame = "\x01" + std::string(kMaxFrameBytes - 1, 'x');
    for (int i = 0; i < 64; ++i) {
      if (send(pair->first.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) break;
    }
  });
  Message got;
  CHECK(Receive(pair->second.get(), &got).error().code == ErrorCode::kCorrupt);
  pair->second.Reset();
}

TEST_CASE("More descriptors than any message needs are refused, and none leaks") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  CHECK(Send(pair->first.get(), "x", {0, 0, 0, 0, 0}).error().code == ErrorCode::kInvalidRequest);
}

TEST_CASE("A receiver of many never waits for the rest of one message") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  Message got;
  CHECK(ReceiveShort(pair->second.get(), &got).error().detail == "empty");
  REQUIRE(Send(pair->first.get(), "short").has_value());
  REQUIRE(ReceiveShort(pair->second.get(), &got).has_value());
  CHECK(got.bytes == "short");
  const std::string first_of_two = "\x01half";
  REQUIRE(send(pair->first.get(), first_of_two.data(), first_of_two.size(), 0) > 0);
  CHECK(ReceiveShort(pair->second.get(), &got).error().code == ErrorCode::kCorrupt);
}

TEST_CASE("A receiver of many takes a long message as its frames come") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  Message got;
  CHECK(ReceiveNext(pair->second.get(), &got).error().detail == "empty");
  const std::string first = "\x01" "ab";
  REQUIRE(send(pair->first.get(), first.data(), first.size(), 0) > 0);
  CHECK_FALSE(ReceiveNext(pair->second.get(), &got).value());
  CHECK(ReceiveNext(pair->second.get(), &got).error().detail == "empty");
  CHECK(got.bytes == "ab");  // what has come is kept
  REQUIRE(Send(pair->first.get(), "c").has_value());
  CHECK(ReceiveNext(pair->second.get(), &got).value());
  CHECK(got.bytes == "abc");
}

TEST_CASE("A sender that never waits sends what the queue takes, and the rest later") {
  auto pair = MakePair();
  REQUIRE(pair.has_value());
  const std::string sent(kMaxMessageBytes, 'z');  // more than any queue
  std::string_view rest = sent;
  REQUIRE(SendPart(pair->first.get(), &rest).has_value());
  CHECK_FALSE(rest.empty());
  Message got;
  while (true) {
    const auto whole = ReceiveNext(pair->second.get(), &got);
    REQUIRE(whole.has_value());
    if (*whole) break;
    REQUIRE(SendPart(pair->first.get(), &rest).has_value());
  }
  CHECK(rest.empty());
  CHECK(got.bytes == sent);
  pair->second.Reset();
  rest = sent;
  CHECK(SendPart(pair->first.get(), &rest).error().code == ErrorCode::kUnavailable);
}
