// broker/approval.h: one request that waits for a person, and what became of it.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"

namespace broker {

enum class ApprovalState : uint8_t {
  kPending,  // nobody, or not enough people, have decided
  kGranted,  // and a use is left
  kUsed,     // every use was taken
  kDenied,
  kExpired,  // nobody decided in time, or it was not used in time
  kKilled,   // ended by a stop of its agent
};
/// "pending": as answers and the store have it.
std::string_view NameOf(ApprovalState state);

/// One person's yes or no.
struct ApprovalVote {
  std::optional<uint32_t> uid;       // none: said elsewhere; only `oid` says who it was
  std::optional<uint32_t> loginuid;  // who is behind sudo
  std::string oid = {};              // who is signed in, proven by Entra; may be empty
  bool operator==(const ApprovalVote&) const = default;

  /// One login, one user that is not root, or one who is signed in. A process that no login started
  /// may choose the login that it has: another one alone makes no other person. Of two who have no
  /// kind of name in common nobody knows: they may be one.
  [[nodiscard]] bool MayBe(const ApprovalVote& other) const;
  /// "uid:0,loginuid:1000", "oid:…", as in the ledger.
  [[nodiscard]] std::string text() const;
};

/// What an agent asks for, as far as it is decided already. Borrows for the call.
struct ApprovalAsk {
  /// Who asks, for what, by which rules and credential, for which proven user; its `claimed` is
  /// shown as such.
  const ledger::Entry& entry;
  const policy::ApprovalTerms& terms;
  const policy::Credential& credential;
  std::string exe;                       // of the process, for people to read; may be empty
  std::string claims;                    // canonical claims challenge, or empty
  std::vector<std::string> can_also;     // scopes that the token may hold beyond what is asked for
  std::chrono::seconds max_lifetime{0};  // of the token; 0: as the tenant's policies let it live
  std::string wanted;                    // the approval that the agent names; empty: whichever fits
  std::vector<std::string> alive;        // tokens of the agent that still work, for the card
};

struct Approval {
  std::string id;  // 32 hex digits
  std::string agent;
  uint32_t asker_uid = 0;
  std::optional<uint32_t> asker_loginuid;  // who started the process that asks
  std::string request;                     // SHA-256: the same request by the same program
  std::string subject;          // SHA-256: what is wanted, whatever process asks and claims
  std::string shown;            // canonical JSON: all that an approver sees
  std::string digest;           // SHA-256 of `shown`, hex
  policy::ApprovalTerms terms;  // group names in `shown` alone
  ApprovalState state = ApprovalState::kPending;
  uint32_t uses_left = 0;
  int64_t requested_unix = 0;
  int64_t ends_unix = 0;  // open: until when; else when it ended
  std::vector<ApprovalVote> votes;
  ledger::Entry about;  // for later entries: agent, scopes, rule, credential, target

  // Memory alone:
  Clock::Steady ends{};  // as ends_unix, whatever becomes of the wall clock
  Clock::Steady asked{};
  uint32_t reserved = 0;   // uses of requests that are being served
  size_t slot = 0;         // its row in the store
  bool unwritten = false;  // it ended, and neither store nor ledger know yet

  [[nodiscard]] bool open() const {
    return state == ApprovalState::kPending || state == ApprovalState::kGranted;
  }
};

/// A new one, pending, under `id`. Pure.
Approval NewApproval(const ApprovalAsk& ask, std::string id, const std::vector<std::string>& lately,
                     const Clock& clock);
/// Approval::request of what is asked.
std::string RequestDigest(const ApprovalAsk& ask);
/// Approval::subject of what is asked.
std::string SubjectDigest(const ApprovalAsk& ask);

/// The row of the store, and back; nothing for a row of a version that is not known.
std::string ToRow(const Approval& approval);
std::optional<Approval> FromRow(std::string_view row, const Clock& clock);

}  // namespace broker
