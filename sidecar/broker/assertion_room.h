// sidecar/broker/assertion_room.h: how much of the locked memory users' tokens may take.
#pragma once
#include <memory>
#include <string>

#include "broker/base/secret.h"

namespace sidecar::broker_role {

/// Counts the users' tokens of requests under way, which lie where the secrets of all agents do: an
/// agent that sends many is refused before it leaves no room for the others. Thread-safe.
class AssertionRoom {
 public:
  // With what is made of them on their way to Entra, three times as much: 1.5 of the arena's 4 MiB,
  // of which kept tokens may take 2.
  static constexpr size_t kMaxBytes = size_t{512} << 10;
  // Of one agent: 64 tokens as they usually are, 16 of the longest.
  static constexpr size_t kMaxAgentBytes = size_t{256} << 10;
  // Of all, for agents that hold no more than kFewBytes each: those that fill their own share shut
  // no other out.
  static constexpr size_t kReservedForFew = size_t{128} << 10;
  static constexpr size_t kFewBytes = size_t{16} << 10;  // one of the longest

  AssertionRoom();
  ~AssertionRoom();

  /// The token, which takes room until its last owner is gone; null where there is none left.
  /// REQUIRES: not null.
  std::shared_ptr<const broker::Secret> Admit(const std::string& agent,
                                              std::shared_ptr<const broker::Secret> token);

 private:
  struct Books;
  std::shared_ptr<Books> books_;
};

}  // namespace sidecar::broker_role
