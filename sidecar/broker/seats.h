// sidecar/broker/seats.h: how many pairs there may be, in total and of one agent.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace sidecar::broker_role {

/// Counts pairs as long as one of their requests is under way. The supervisor's caps (its
/// connections.h) hold first, and with an answer; but it counts a connection until its agent hangs
/// up, whatever a window that was taken over does with the pair. Thread-safe.
class Seats {
 public:
  // A pair ends a little after its connection: an agent that connects anew meanwhile needs both.
  static constexpr size_t kSlack = 64;
  // Above the supervisor's 256.
  static constexpr size_t kMaxPerAgent = 256 + kSlack;
  // Of all agents, above the supervisor's 1024.
  static constexpr size_t kMaxOfAgents = 1200;
  // Of those, for agents that hold fewer than kFew each, as the supervisor keeps them: agents that
  // fill their own share shut no other out.
  static constexpr size_t kReservedForFew = 256;
  static constexpr size_t kFew = 16;
  // Beside the agents': whatever they hold, an operator is heard. Above the supervisor's 16.
  static constexpr size_t kMaxOfAdmins = 16 + kSlack;

  /// One pair's. Returned when this goes. Borrows the Seats.
  class Seat {
   public:
    Seat(Seat&& other) noexcept
        : whose_(std::move(other.whose_)), seats_(std::exchange(other.seats_, nullptr)) {}
    Seat& operator=(Seat&&) = delete;
    ~Seat();

   private:
    friend class Seats;
    explicit Seat(std::string whose) : whose_(std::move(whose)) {}
    std::string whose_;
    Seats* seats_ = nullptr;  // null: not taken
  };

  /// For one more pair of `agent` ("": an operator's); nothing if there is no room.
  std::optional<Seat> Take(const std::string& agent);

 private:
  void Return(const std::string& whose);
  std::mutex mutex_;
  size_t of_agents_ = 0;
  std::map<std::string, size_t> taken_;  // by agent, of those that have any; "": operators
};

}  // namespace sidecar::broker_role
