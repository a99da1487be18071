// sidecar/broker/mint_room.h: how much agents may have minted for themselves alone at a time.
#pragma once
#include <memory>
#include <string>

#include "broker/token_request.h"

namespace sidecar::broker_role {

/// Counts the requests under way that share their mint with no other: those with a user's token or
/// with claims. Each takes locked memory and a connection that the requests of all agents need: an
/// agent that sends many is refused before it leaves nothing to the others. Thread-safe.
class MintRoom {
 public:
  // Of a request, at least: what it has minted lies in the locked memory too.
  static constexpr size_t kLeastBytes = size_t{4} << 10;
  // With what is made of them on their way to Entra, three times as much: 1.5 of the arena's 4 MiB,
  // of which kept tokens may take 2. At most 128 requests: half of the dialer's streams.
  static constexpr size_t kMaxBytes = size_t{512} << 10;
  // Of one agent: 64 requests as they usually are, 16 with the longest of users' tokens.
  static constexpr size_t kMaxAgentBytes = size_t{256} << 10;
  // Of all, for agents that hold no more than kFewBytes each: those that fill their own share shut
  // no other out.
  static constexpr size_t kReservedForFew = size_t{128} << 10;
  static constexpr size_t kFewBytes = size_t{20} << 10;  // one of the longest, with claims

  /// What `request` takes; 0: others may be served by the same mint.
  static size_t BytesOf(const broker::TokenRequest& request);

  MintRoom();
  ~MintRoom();

  /// So much room until its last owner is gone; null where there is none left.
  std::shared_ptr<const void> Admit(const std::string& agent, size_t bytes);

 private:
  struct Books;
  std::shared_ptr<Books> books_;
};

}  // namespace sidecar::broker_role
