#include "broker/ledger/entry_names.h"

#include <array>

namespace broker::ledger {
namespace {

struct TypeRow {
  EntryType type;
  std::string_view name;
};

constexpr std::array kTypes = {
    TypeRow{EntryType::kCredentialAccess, "credential.access"},
    TypeRow{EntryType::kTokenIssued, "token.issued"},
    TypeRow{EntryType::kTokenDenied, "token.denied"},
    TypeRow{EntryType::kPolicyChanged, "policy.changed"},
    TypeRow{EntryType::kKillEngaged, "kill.engaged"},
    TypeRow{EntryType::kKillReleased, "kill.released"},
    TypeRow{EntryType::kSecretEnrolled, "secret.enrolled"},
    TypeRow{EntryType::kSecretRotated, "secret.rotated"},
    TypeRow{EntryType::kSecretRevoked, "secret.revoked"},
    TypeRow{EntryType::kAdminAction, "admin.action"},
    TypeRow{EntryType::kAdminDenied, "admin.denied"},
    TypeRow{EntryType::kConnectionRefused, "connection.refused"},
    TypeRow{EntryType::kConnectionOpened, "connection.opened"},
    TypeRow{EntryType::kDaemonStarted, "daemon.started"},
    TypeRow{EntryType::kDaemonStopped, "daemon.stopped"},
    TypeRow{EntryType::kRoleRestarted, "role.restarted"},
    TypeRow{EntryType::kLedgerRecovered, "ledger.recovered"},
    TypeRow{EntryType::kApprovalRequested, "approval.requested"},
    TypeRow{EntryType::kApprovalGranted, "approval.granted"},
    TypeRow{EntryType::kApprovalDenied, "approval.denied"},
    TypeRow{EntryType::kApprovalExpired, "approval.expired"},
    TypeRow{EntryType::kRoleGranted, "role.granted"},
    TypeRow{EntryType::kRoleEnded, "role.ended"},
    TypeRow{EntryType::kAdminSignedIn, "admin.signed_in"},
    TypeRow{EntryType::kNotifierFailed, "notifier.failed"},
    TypeRow{EntryType::kLedgerArchived, "ledger.archived"},
    TypeRow{EntryType::kInstanceTornDown, "instance.torn_down"},
};

}  // namespace

std::string_view EntryTypeName(EntryType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.name;
  }
  return {};
}

std::optional<EntryType> FindEntryType(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "success";
    case Outcome::kFailure:
      return "failure";
    case Outcome::kPending:
      return "pending";
  }
  return {};
}

}  // namespace broker::ledger
