// broker/policy/selectors.h: is this peer the agent? Every selector that is configured must hold.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"
#include "broker/policy/facts.h"

namespace broker::policy {

enum class SelectorOutcome : uint8_t {
  kHeld,
  kDiffers,
  kFactMissing,  // the fact could not be had; refuses like kDiffers
};

struct SelectorResult {
  std::string selector;  // the configuration's key: "user", "systemd_unit"
  std::string wanted;
  std::string found;  // empty: nothing could be found
  SelectorOutcome outcome = SelectorOutcome::kFactMissing;
};

struct SelectorMatch {
  std::vector<SelectorResult> results;  // one per configured selector, in a fixed order

  /// At least one selector, and all held.
  [[nodiscard]] bool held() const;
  /// The first selector that did not hold, e.g. "systemd_unit differs"; empty when all held. Names
  /// no values: fit for the operational log.
  [[nodiscard]] std::string FirstFault() const;
  /// The selector of FirstFault; nullptr when all held, or none is configured.
  [[nodiscard]] const SelectorResult* FirstFailed() const;
};

/// Pure. Whether the peer may connect to the operator's socket: a member of any group of [admin],
/// root, or the user that purserd runs as. `wanted` are the groups as they are written.
SelectorResult MatchAdmin(const Admin& admin, const Facts& facts);
/// The same, and where OpenToSignIn() everybody: they may sign in, and do nothing else before that.
/// Never who could be an agent, whatever groups they are in: only root and purserd's user are not
/// asked.
SelectorResult MatchAdmin(const Config& config, const Facts& facts);
/// Why the operator's socket refuses who did not match, as the ledger has it.
inline constexpr std::string_view kNoAdminGroup = "in no group of [admin]";
inline constexpr std::string_view kIsAgents = "an agent's user or group";
/// Whether [admin] names people of Entra, who need be in no Unix group.
bool OpenToSignIn(const Admin& admin);
/// Whether the peer has the user or a group that some agent is known by. Such a one is no
/// administrator.
bool CouldBeAgent(const Config& config, const Facts& facts);

// What an entry keeps of one fact: a path that a person can tell, far below what an entry may hold.
inline constexpr size_t kMaxRecordedFact = 512;
/// A fact as an entry keeps it, for the peer may have chosen it: printable ASCII, other bytes as
/// '?', cut after kMaxRecordedFact.
std::string RecordedFact(std::string_view fact);

/// Pure. user: the peer's uid. group: its gid or a supplementary group. cgroup: the same path or
/// one below it. systemd_unit and exe_sha256: equal. exe: the supervisor compared device and inode.
SelectorMatch MatchSelectors(const Agent& agent, const Facts& facts);

/// Pure. Whether a connection that `before` let in would be let in by `now`: to the socket of
/// `agent`, or for an empty one to the operator's. A fact that was a comparison with what `before`
/// names is none where `now` names something else.
bool StillAdmits(const Config& before, const Config& now, const std::string& agent, Facts facts);

}  // namespace broker::policy
