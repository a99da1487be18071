// broker/mint_turns.h: one mint of a refresh token at a time.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace broker {

/// A server that detects reuse ends the grant when two requests bring the same refresh token, and
/// whoever comes second must read what the first has stored. So they go one after the other; but
/// scopes and claims make many mints out of one credential, and an agent that asks for all of them
/// must not keep the others waiting. Thread-safe.
class MintTurns {
 public:
  // Of one agent and credential, the one at work included. A mint takes a fraction of a second:
  // agents ask for that many kinds of token at once.
  static constexpr int kMaxInLine = 8;

  /// One agent's place in the line of one credential, and its turn: whoever holds it mints. Borrows
  /// the MintTurns that gave it.
  class Place {
   public:
    Place(Place&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)),
          whose_(std::move(other.whose_)),
          turn_(std::move(other.turn_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class MintTurns;
    Place() = default;
    MintTurns* turns_ = nullptr;  // null: not counted
    std::pair<std::string, std::string> whose_;
    std::unique_lock<std::mutex> turn_;
  };

  /// Waits for its turn; nothing where the agent has kMaxInLine there already. `agent` "": purser
  /// itself, which has one at a time anyway.
  std::optional<Place> Take(const std::string& credential, const std::string& agent);

 private:
  std::mutex mutex_;
  std::map<std::string, std::mutex> turns_;  // by credential; elements do not move
  std::map<std::pair<std::string, std::string>, int> in_line_;  // by credential and agent
};

}  // namespace broker
