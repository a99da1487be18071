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
  // With what is made of them on their way to Entra, three times as much: 3 of the arena's 4 MiB.
  static constexpr size_t kMaxBytes = size_t{1} << 20;
  // Of one agent: 64 tokens as they usually are, 16 of the longest.
  static constexpr size_t kMaxAgentBytes = size_t{256} << 10;

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
