#include "sidecar/broker/approval_counts.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_ledger.h"

using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using sidecar::broker_role::ApprovalCounts;

TEST_CASE("What became of approvals is counted once each, when it is durable") {
  // clang-format off
  struct Row { const char* why; Entry entry; int event; };
  const Row rows[] = {
      {"one is asked for",            {.type = EntryType::kApprovalRequested, .outcome = Outcome::kPending}, 0},
      {"the last yes",                {.type = EntryType::kApprovalGranted, .outcome = Outcome::kSuccess},   1},
      {"a no",                        {.type = EntryType::kApprovalDenied},                                  2},
      {"nobody decided",              {.type = EntryType::kApprovalExpired, .reason = "approval_expired"},   3},
      {"a stop ended it",             {.type = EntryType::kApprovalExpired, .reason = "killed"},             4},
      {"a yes of several",            {.type = EntryType::kApprovalGranted, .outcome = Outcome::kPending},   -1},
      {"a token by it",               {.type = EntryType::kTokenIssued, .outcome = Outcome::kSuccess},       -1},
      {"a request that was refused",  {.type = EntryType::kTokenDenied, .reason = "approval_denied"},        -1},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    FakeLedger ledger;
    ApprovalCounts counts(ledger);
    CHECK(counts.Append(row.entry).has_value());
    counts.AppendThen(row.entry, [](const auto& receipt) { CHECK(receipt.has_value()); });
    ledger.fail_with = broker::ErrorCode::kUnavailable;
    CHECK_FALSE(counts.Append(row.entry).has_value());
    counts.AppendThen(row.entry, [](const auto& receipt) { CHECK_FALSE(receipt.has_value()); });
    for (size_t i = 0; i < ApprovalCounts::kEvents.size(); ++i) {
      CHECK(counts.counts()[i] == (static_cast<int>(i) == row.event ? 2 : 0));
    }
  }
}
