// sidecar/ledger/origin.h: which role may write which entries.
#pragma once
#include "broker/ledger/entry.h"

namespace sidecar::ledger {

/// Known from the channel that an entry came over; nothing in the message is asked.
enum class Origin { kBroker, kSupervisor, kDialer, kLedger };

/// A role that was taken over can lie about its own events only.
constexpr bool MayAppend(Origin origin, broker::ledger::EntryType type) {
  using enum broker::ledger::EntryType;
  switch (origin) {
    case Origin::kBroker:
      return type != kDaemonStarted && type != kDaemonStopped && type != kRoleRestarted &&
             type != kConnectionRefused && type != kConnectionOpened && type != kLedgerRecovered &&
             type != kLedgerArchived;
    case Origin::kSupervisor:
      return type == kDaemonStarted || type == kDaemonStopped || type == kRoleRestarted ||
             type == kConnectionRefused || type == kPolicyChanged || type == kKillEngaged ||
             type == kInstanceTornDown;  // a teardown that purserd finishes
    case Origin::kDialer:
      return type == kConnectionOpened;
    case Origin::kLedger:  // its own, and the counts of others' refusals
      return type == kLedgerRecovered || type == kLedgerArchived || type == kTokenDenied ||
             type == kAdminDenied || type == kConnectionRefused;
  }
  return false;
}

/// What is written from the reserve when the disk is full.
constexpr bool IsEssential(broker::ledger::EntryType type) {
  using enum broker::ledger::EntryType;
  return type == kKillEngaged || type == kDaemonStopped || type == kLedgerRecovered ||
         type == kInstanceTornDown;
}

}  // namespace sidecar::ledger
