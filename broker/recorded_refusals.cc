// Broker: every refusal has its entry before its answer.
#include <utility>

#include "broker/pending_request.h"
#include "broker/request_entry.h"

namespace broker {

using ledger::Entry, ledger::EntryType, ledger::Outcome;

void Broker::Deny(Pending pending, Refusal refusal) {
  Deny(std::move(pending.entry), std::move(refusal), std::move(pending.answer));
}

void Broker::Deny(Entry entry, Refusal refusal, Answer answer) {
  entry.type = EntryType::kTokenDenied;
  entry.outcome = Outcome::kFailure;
  entry.reason = broker::Describe(refusal.reason).name;
  if (ports_.metrics != nullptr) ports_.metrics->Denied(entry.agent, refusal.reason);
  ports_.ledger.AppendThen(
      entry, [this, bare = WithoutClaims(entry), refusal = std::move(refusal),
              answer = std::move(answer)](Result<LedgerReceipt> receipt) mutable {
        const auto say = [](Refusal& why, Answer& to, const Result<LedgerReceipt>& got) {
          to(std::unexpected(Denied{std::move(why), got ? std::optional(*got) : std::nullopt}));
        };
        const bool unwritable = !receipt && receipt.error().code == ErrorCode::kInvalidRequest;
        if (!unwritable) return say(refusal, answer, receipt);
        ports_.ledger.AppendThen(
            bare, [say, refusal = std::move(refusal), answer = std::move(answer)](
                      const Result<LedgerReceipt>& again) mutable { say(refusal, answer, again); });
      });
}

void Broker::RecordRejected(const Caller& caller, Reason reason, const std::string& request_id,
                            Answer answer) {
  Deny(EntryFor(caller.agent, caller.facts, {}, request_id, config()->sha256), {reason, {}, {}, {}},
       std::move(answer));
}

}  // namespace broker
