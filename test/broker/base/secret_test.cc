#include "broker/base/secret.h"

#include <doctest/doctest.h>

#include <ostream>
#include <type_traits>
#include <vector>

using broker::Exit, broker::Secret, broker::SecretArena;

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Printable<Secret> && !std::is_copy_constructible_v<Secret>);

TEST_CASE("TakeFrom leaves zeroes behind in its source") {
  std::string plain(64, 'x');
  const char* const was = plain.data();
  const Secret secret = Secret::TakeFrom(plain);
  CHECK(std::string_view(was, 64) == std::string(64, '\0'));
  CHECK(secret.Expose(Exit::kTest) == std::string(64, 'x'));
}

TEST_CASE("A secret lives in the arena and is wiped when it dies") {
  const char* where = nullptr;
  const size_t before = SecretArena::used_bytes();
  {
    const Secret secret = Secret::CopyOf("canary-of-the-arena");
    where = secret.Expose(Exit::kTest).data();
    const auto arena = SecretArena::Range();
    CHECK(where >= arena.data());
    CHECK(where < arena.data() + arena.size());
  }
  CHECK(std::string_view(where, 19) == std::string(19, '\0'));
  CHECK(SecretArena::used_bytes() == before);
}

TEST_CASE("Growing moves the bytes and wipes the place that they left") {
  Secret secret = Secret::CopyOf("0123456789");
  const char* const first = secret.Expose(Exit::kTest).data();
  secret.Append(std::string(500, 'y'));
  CHECK(secret.Expose(Exit::kTest) == "0123456789" + std::string(500, 'y'));
  CHECK(std::string_view(first, 10) == std::string(10, '\0'));
}

TEST_CASE("Truncate wipes what it cuts off") {
  Secret secret = Secret::CopyOf("keep-cut");
  const char* const at = secret.Expose(Exit::kTest).data();
  secret.Truncate(4);
  CHECK(secret.Expose(Exit::kTest) == "keep");
  CHECK(std::string_view(at + 4, 4) == std::string(4, '\0'));
}

TEST_CASE("Equals compares whole secrets") {
  CHECK(Secret::CopyOf("abc").Equals(Secret::CopyOf("abc")));
  CHECK_FALSE(Secret::CopyOf("abc").Equals(Secret::CopyOf("abd")));
  CHECK_FALSE(Secret::CopyOf("abc").Equals(Secret::CopyOf("ab")));
  CHECK(Secret().Equals(Secret()));
}

TEST_CASE("Freed ranges merge, so that the arena can be used for ever") {
  const size_t before = SecretArena::used_bytes();
  for (int round = 0; round < 100; ++round) {
    std::vector<Secret> held;
    for (size_t i = 1; i < 60; ++i) held.push_back(Secret::Allocate(i * 997));
    for (size_t i = 0; i < held.size(); i += 2) held[i] = Secret();
  }
  CHECK(SecretArena::used_bytes() == before);
  CHECK(Secret::Allocate(SecretArena::kDefaultBytes / 2).size() == SecretArena::kDefaultBytes / 2);
}

TEST_CASE("A full arena refuses one more secret and keeps the others") {
  const Secret kept = Secret::CopyOf("kept");
  CHECK_THROWS_AS(Secret::Allocate(SecretArena::Range().size() + 1), std::bad_alloc);
  CHECK(kept.Expose(Exit::kTest) == "kept");
}
