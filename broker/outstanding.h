// broker/outstanding.h: tokens that were released and are not yet expired.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ports/clock.h"
#include "broker/ports/token_cache.h"

namespace broker {

/// A token in an agent's hands. No stop reaches it: it works until it expires, or until Entra ends
/// it.
struct LiveToken {
  std::string agent;
  std::string credential;
  std::string resource;
  std::vector<std::string> scopes;  // all that the token can do, asked for or not
  std::string user_oid;             // empty: an application's
  int64_t exp_unix = 0;
  uint64_t seq = 0;      // of the token.issued entry by which this agent had it first
  bool earlier = false;  // from the ledger, which knows of its scopes those that were asked for
};

/// What this process released, and what the ledger says that its predecessors did. Memory only.
/// Thread-safe. Borrows `clock`.
class Outstanding {
 public:
  // Of one instance: agents × tokens. Some 3 MB, which only a crowd of agents fills.
  static constexpr size_t kMaxTokens = 8192;

  explicit Outstanding(const Clock& clock) : clock_(clock), since_(clock.WallNow()) {}

  /// The token was released to the agent by the entry `seq`. Cheap where the agent has it already.
  void Note(const std::string& agent, const TokenKey& key, const AccessToken& token, uint64_t seq);

  /// A token that may be a predecessor's; nothing where the agent is known to have it.
  void Learn(const std::string& fingerprint, LiveToken token);
  /// Why not all that a predecessor released is known; empty: it is.
  void SetEarlierUnknown(std::string why);

  struct List {
    std::vector<LiveToken> tokens;  // those that expire last come first
    uint64_t forgotten = 0;         // releases, to any agent, that there was no room for
    Clock::Wall since;              // from when on either is known
    std::string earlier_unknown;    // why others, from before, may be alive; empty: none is
  };
  /// Those of `agent`; of all agents where it is empty.
  [[nodiscard]] List Of(std::string_view agent) const;

 private:
  void Keep(const std::string& fingerprint, LiveToken token);
  void MakeRoom(int64_t now);

  const Clock& clock_;
  const Clock::Wall since_;
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, LiveToken>> by_agent_;  // by fingerprint
  size_t size_ = 0;
  uint64_t forgotten_ = 0;
  std::string earlier_unknown_ = "the ledger is still being read";
};

}  // namespace broker
