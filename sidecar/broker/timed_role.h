// sidecar/broker/timed_role.h: one role that was given for a time, and how it is kept.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/approval.h"
#include "broker/base/result.h"
#include "broker/ledger/entry.h"
#include "broker/ports/clock.h"
#include "sidecar/broker/admin_roles.h"

namespace sidecar::broker_role {

/// A user of this machine; where `oid` is set, a person of the tenant instead.
struct RoleHolder {
  uint32_t uid = 0;
  std::string oid = {};  // in lower case
  bool operator==(const RoleHolder&) const = default;
  /// "uid:1001", "oid:…": as in the ledger and in answers.
  [[nodiscard]] std::string text() const;
};

struct TimedRole {
  RoleHolder holder;
  AdminRole role = AdminRole::kAuditor;
  std::chrono::seconds lasts{0};    // at most, over a restart too
  std::string why = {};             // for the ledger and for who looks
  broker::ApprovalVote giver = {};  // it serves nobody who may be them
  std::string realm = {};           // of a person: what proves who it is (RealmOf)
  int64_t ends_unix = 0;
  std::string ended = {};  // why it holds no more; empty: it holds

  // Memory alone:
  broker::Clock::Steady ends{};  // as ends_unix, whatever becomes of the wall clock
  std::optional<broker::ledger::Entry> ending = {};  // role.ended, until it is written
};

/// Unix seconds.
int64_t UnixOf(broker::Clock::Wall time);

/// The row of the store with all of them, and back: none for a row of another version. What is
/// sealed is purser's own; of what cannot be read all the same nobody holds anything.
std::string ToRow(const std::vector<TimedRole>& roles);
std::vector<TimedRole> RolesFromRow(std::string_view row);

/// The note of how long each has left at `now`.
std::string LeftNote(const std::vector<TimedRole>& roles, broker::Clock::Steady now);
/// Has each end when it says, by `wall`, and when what is left by the note has passed: a date that
/// was set back meanwhile prolongs it by nothing but what passed since the note. A note that is
/// none says nothing.
void Resume(std::string_view note, broker::Clock::Steady now, broker::Clock::Wall wall,
            std::vector<TimedRole>* roles);

}  // namespace sidecar::broker_role
