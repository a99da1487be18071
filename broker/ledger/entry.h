// broker/ledger/entry.h: one event, before the ledger gives it a place. FORMAT.md has the fields.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace broker::ledger {

/// Wire-stable between the roles: append only. EntryTypeName() has the names in the file.
enum class EntryType : uint8_t {
  kCredentialAccess = 1,
  kTokenIssued,
  kTokenDenied,
  kPolicyChanged,
  kKillEngaged,
  kKillReleased,
  kSecretEnrolled,
  kSecretRotated,
  kSecretRevoked,
  kAdminAction,  // an operator's action that was carried out and has no type of its own
  kAdminDenied,
  kConnectionRefused,
  kConnectionOpened,  // by the dialer: one entry per host and minute, with a count
  kDaemonStarted,
  kDaemonStopped,
  kRoleRestarted,
  kLedgerRecovered,
  kApprovalRequested,
  kApprovalGranted,  // pending: a yes of several that are needed
  kApprovalDenied,
  kApprovalExpired,  // also what a stop ended
  kRoleGranted,      // for a time
  kRoleEnded,
  kAdminSignedIn,     // a person, proven by Entra
  kNotifierFailed,    // nobody was told
  kLedgerArchived,    // closed segments were moved
  kInstanceTornDown,  // the last entry of all
};
/// Append above it and change this.
inline constexpr EntryType kLastEntryType = EntryType::kInstanceTornDown;

enum class Outcome : uint8_t { kSuccess = 1, kFailure = 2, kPending = 3 };

/// Proven: from the kernel.
struct CallerRecord {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int32_t pid = 0;         // 0 across pid namespaces
  std::string exe_sha256;  // empty: not attested
  std::string unit;
  std::optional<uint32_t> loginuid;
};

/// Claimed by the agent about itself; never proof (≤ 200 characters each, no control or
/// bidirectional characters: the parser of requests sees to that).
struct ClaimedContext {
  std::string purpose;
  std::string task;
  std::string requested_by;
  [[nodiscard]] bool empty() const {
    return purpose.empty() && task.empty() && requested_by.empty();
  }
};

/// Empty strings, empty lists and absent optionals leave their field out of the line.
struct Entry {
  EntryType type = EntryType::kTokenDenied;
  Outcome outcome = Outcome::kFailure;
  std::string reason;  // a reason code; empty on success
  std::string agent;   // name in the configuration
  std::optional<CallerRecord> caller;
  std::string user_oid;  // from a verified token only
  ClaimedContext claimed;
  std::string request_id;
  std::string trace;  // W3C trace id the caller sent
  std::string target_kind, target_id, target_resource;
  std::vector<std::string> scopes;
  std::string credential_name, credential_kind, credential_version;
  std::string token_fp, token_uti;
  int64_t token_exp = 0;  // Unix seconds
  std::string policy_sha256, policy_rule;
  std::string approval_id, approval_by, approval_digest;
  std::string upstream_host;
  int64_t upstream_status = 0;
  int64_t upstream_ms = 0;
  /// `change{}`: what an administrative entry changed, and counters (`count`, `generation`).
  std::map<std::string, std::variant<std::string, int64_t>> change;
};

}  // namespace broker::ledger
