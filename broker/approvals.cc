#include "broker/approvals.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "broker/approval_rules.h"
#include "broker/base/unix_time.h"
#include "broker/credential_access.h"

namespace broker {
namespace {

using ledger::Entry, ledger::EntryType, ledger::Outcome;
using std::chrono::seconds;

constexpr size_t kIdBytes = 16;  // as unguessable as it is unique
// What could not be recorded is tried again: as often as a ledger is mended.
constexpr seconds kRetry{5};

SecretId RowOf(size_t slot) { return {"approval-" + std::to_string(slot), SecretKind::kInternal}; }

std::string NewId(Random& random) {
  std::array<std::byte, kIdBytes> bytes{};
  random.Fill(bytes);
  std::string hex(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  hex.pop_back();
  return hex;
}

}  // namespace

ApprovalPass::ApprovalPass(Approvals& owner, const Approval& approval)
    : id(approval.id), digest(approval.digest), by(VotersOf(approval)), owner_(&owner) {}

ApprovalPass::ApprovalPass(ApprovalPass&& other) noexcept
    : id(std::move(other.id)),
      digest(std::move(other.digest)),
      by(std::move(other.by)),
      owner_(std::exchange(other.owner_, nullptr)) {}

ApprovalPass::~ApprovalPass() {
  if (owner_ != nullptr) owner_->GiveBack(id);
}

void Approvals::GiveBack(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  const auto found = approvals_.find(id);
  if (found != approvals_.end() && found->second.reserved > 0) --found->second.reserved;
}

Status Approvals::Load() {
  const std::scoped_lock turn(turn_);
  {
    const std::scoped_lock lock(mutex_);
    if (loaded_) return {};  // the seal was opened once more
  }
  for (size_t slot = 0; slot < kMaxKept; ++slot) {
    const auto row = ports_.store.Get(RowOf(slot));
    if (!row && row.error().code == ErrorCode::kNotFound)
      break;  // they are taken from the first on
    if (!row) return std::unexpected(row.error());
    auto approval = FromRow(row->value.Expose(Exit::kOwnRecord), ports_.clock);
    const std::scoped_lock lock(mutex_);
    slots_ = slot + 1;
    if (!approval) continue;
    approval->slot = slot;
    if (approval->open() && ports_.stopped(approval->agent)) End(*approval, ApprovalState::kKilled);
    approvals_.emplace(approval->id, std::move(*approval));
  }
  const std::scoped_lock lock(mutex_);
  loaded_ = true;
  Changed();
  return {};
}

// It is over: for the store and the ledger to be told.
void Approvals::End(Approval& approval, ApprovalState state) const {
  approval.state = state;
  approval.ends = ports_.clock.Now();
  approval.ends_unix = UnixSeconds(ports_.clock.WallNow());
  approval.unwritten = true;
}

// Whichever clock says so first: the steady one stands while the machine sleeps.
void Approvals::EndIfOver(Approval& approval, Clock::Steady now) const {
  const bool over =
      approval.ends <= now || approval.ends_unix <= UnixSeconds(ports_.clock.WallNow());
  if (approval.open() && over) End(approval, ApprovalState::kExpired);
}

std::expected<ApprovalPass, Refusal> Approvals::Ask(const ApprovalAsk& ask) {
  {
    const std::scoped_lock lock(mutex_);
    if (auto answer = Resume(ask)) return std::move(*answer);
  }
  const std::scoped_lock turn(turn_);
  Settle();
  {
    const std::scoped_lock lock(mutex_);
    if (auto answer = Resume(ask)) return std::move(*answer);  // opened meanwhile
    if (auto refusal = TooMany(ask.entry.agent)) return std::unexpected(std::move(*refusal));
    if (ports_.clock.Now() < unkept_[ask.entry.agent]) return Refuse(Reason::kStoreUnavailable);
  }
  return std::unexpected(Open(ask));
}

// What is known of the request already; nothing: it is new.
Approvals::Answered Approvals::Resume(const ApprovalAsk& ask) {
  const Clock::Steady now = ports_.clock.Now();
  const std::string request = RequestDigest(ask), subject = SubjectDigest(ask);
  Approval* best = nullptr;
  bool denied = false;
  for (auto& [id, one] : approvals_) {
    EndIfOver(one, now);
    if (one.agent != ask.entry.agent) continue;
    if (!ask.wanted.empty()) {
      if (id == ask.wanted) best = &one;
      continue;
    }
    denied = denied || (one.state == ApprovalState::kDenied && one.subject == subject &&
                        now < one.ends + kRemembered);
    if (!one.open() || one.request != request) continue;
    const bool newer = best == nullptr || best->asked < one.asked;
    if (newer) best = &one;
  }
  if (best == nullptr && denied) return Refuse(Reason::kApprovalDenied);
  if (best == nullptr && ask.wanted.empty()) return std::nullopt;
  if (best == nullptr || best->request != request) return Refuse(Reason::kApprovalMismatch);
  return PassOf(*best);
}

std::expected<ApprovalPass, Refusal> Approvals::PassOf(Approval& found) {
  switch (found.state) {
    case ApprovalState::kPending:
      return std::unexpected(PendingOf(found));
    case ApprovalState::kGranted:
      if (found.reserved >= found.uses_left) return Refuse(Reason::kApprovalMismatch);
      ++found.reserved;
      return ApprovalPass(*this, found);
    case ApprovalState::kUsed:
      return Refuse(Reason::kApprovalMismatch);
    case ApprovalState::kDenied:
      return Refuse(Reason::kApprovalDenied);
    case ApprovalState::kExpired:
      return Refuse(Reason::kApprovalExpired);
    case ApprovalState::kKilled:
      return Refuse(Reason::kApprovalExpired, "A stop of the agent ended it.");
  }
  return Refuse(Reason::kInternal);
}

Refusal Approvals::PendingOf(const Approval& approval) const {
  Refusal refusal{Reason::kApprovalPending, {}, {}, {}};
  refusal.approval = {approval.id, IntervalOf(approval), LeftOf(approval)};
  return refusal;
}

seconds Approvals::IntervalOf(const Approval& approval) const {
  const auto age = std::chrono::duration_cast<seconds>(ports_.clock.Now() - approval.asked);
  return std::clamp(seconds(age.count() / 12), kShortestInterval, kLongestInterval);
}

seconds Approvals::LeftOf(const Approval& approval) const {
  if (!approval.open()) return seconds(0);
  return std::max(seconds(0), std::chrono::ceil<seconds>(approval.ends - ports_.clock.Now()));
}

std::optional<Refusal> Approvals::TooMany(const std::string& agent) const {
  const Clock::Steady now = ports_.clock.Now();
  const auto wait = PauseBefore(approvals_, agent, now);
  if (wait <= Clock::Steady::duration::zero()) return std::nullopt;
  Refusal refusal{Reason::kApprovalLimit, {}, {}, {}};
  refusal.retry_after = std::chrono::ceil<seconds>(wait);
  return refusal;
}

// A row of one that ended is taken again, the oldest first; those that were denied last of all.
std::optional<size_t> Approvals::FreeSlot() {
  const Clock::Steady now = ports_.clock.Now();
  if (auto old = OldestEnded(approvals_, now - kRemembered)) return TakeSlot(*old);
  if (slots_ < kMaxKept) return slots_++;
  if (auto old = OldestEnded(approvals_, now)) return TakeSlot(*old);
  return std::nullopt;
}

size_t Approvals::TakeSlot(const std::string& id) {
  const size_t slot = approvals_.at(id).slot;
  approvals_.erase(id);
  return slot;
}

// Entry, row, and only then is it there to be decided.
Refusal Approvals::Open(const ApprovalAsk& ask) {
  Approval made;
  std::optional<size_t> slot;
  {
    const std::scoped_lock lock(mutex_);
    made = NewApproval(ask, NewId(ports_.random),
                       LatelyOf(approvals_, ask, ports_.clock.Now() - kRemembered), ports_.clock);
    slot = FreeSlot();
  }
  if (!slot) return {Reason::kOverloaded, {}, {}, {}};
  made.slot = *slot;
  Entry entry = ask.entry;
  entry.type = EntryType::kApprovalRequested;
  entry.outcome = Outcome::kPending;
  entry.reason.clear();
  entry.approval_id = made.id;
  entry.approval_digest = made.digest;
  entry.change["expires_in"] = made.terms.expires.count();
  entry.change["quorum"] = made.terms.quorum;
  entry.change["uses"] = made.terms.uses;
  const auto receipt = ports_.ledger.Append(entry);
  const bool kept = receipt && Write(made);
  std::unique_lock lock(mutex_);
  if (!kept) {
    // Its row is there to be taken again: what ends first is nobody's.
    End(made, ApprovalState::kExpired);
    made.unwritten = false;
    made.agent.clear();
    made.ends -= kRemembered;
    approvals_.emplace(made.id, made);
    if (receipt) unkept_[ask.entry.agent] = ports_.clock.Now() + kRetry;
    return receipt ? Refusal{Reason::kStoreUnavailable, {}, {}, {}}
                   : LedgerRefusal(receipt.error());
  }
  if (ports_.stopped(made.agent)) End(made, ApprovalState::kKilled);
  const Refusal pending = PendingOf(made);
  approvals_.emplace(made.id, made);
  Changed();
  lock.unlock();
  if (ports_.opened && made.open()) ports_.opened(made);
  return pending;
}

bool Approvals::Write(const Approval& approval) {
  const Secret row = Secret::CopyOf(ToRow(approval));
  return ports_.store.Put(RowOf(approval.slot), row, std::nullopt).has_value();
}

std::optional<Refusal> Approvals::Use(const ApprovalPass& pass) {
  const std::scoped_lock turn(turn_);
  Approval now;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = approvals_.find(pass.id);
    if (found == approvals_.end()) return Refusal{Reason::kApprovalExpired, {}, {}, {}};
    EndIfOver(found->second, ports_.clock.Now());
    now = found->second;
  }
  if (now.state == ApprovalState::kKilled) return Refusal{Reason::kKilled, {}, {}, {}};
  if (now.state == ApprovalState::kExpired) return Refusal{Reason::kApprovalExpired, {}, {}, {}};
  if (now.state != ApprovalState::kGranted || now.uses_left == 0) {
    return Refusal{Reason::kApprovalMismatch, {}, {}, {}};
  }
  if (--now.uses_left == 0) {
    now.state = ApprovalState::kUsed;
    now.ends = ports_.clock.Now();
    now.ends_unix = UnixSeconds(ports_.clock.WallNow());
  }
  const auto put = Put(std::move(now));
  return put ? std::nullopt : std::optional(put.error());
}

// The row first, but for a no, which holds at once. Of one that a stop has ended meanwhile nothing
// changes.
std::expected<Approval, Refusal> Approvals::Put(Approval changed) {
  const bool written = Write(changed);
  if (!written && changed.state != ApprovalState::kDenied) {
    return Refuse(Reason::kStoreUnavailable);
  }
  const std::scoped_lock lock(mutex_);
  const auto found = approvals_.find(changed.id);
  if (found == approvals_.end()) return Refuse(Reason::kConflict);
  if (found->second.state == ApprovalState::kKilled) return Refuse(Reason::kKilled);
  changed.reserved = found->second.reserved;
  found->second = changed;
  Changed();
  if (!written) return Refuse(Reason::kStoreUnavailable);
  return changed;
}

std::vector<Approval> Approvals::List() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Approval> all;
  for (const auto& [id, approval] : approvals_) {
    if (!approval.agent.empty()) all.push_back(approval);
  }
  for (Approval& approval : all) EndIfOver(approval, ports_.clock.Now());
  std::ranges::stable_sort(all, std::greater(), &Approval::asked);
  return all;
}

std::optional<Approval> Approvals::Find(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = approvals_.find(id);
  if (found == approvals_.end()) return std::nullopt;
  Approval approval = found->second;
  EndIfOver(approval, ports_.clock.Now());
  return approval;
}

void Approvals::EndAll(std::string_view agent) {
  std::vector<Held> dropped;
  const std::scoped_lock lock(mutex_);
  for (auto& [id, approval] : approvals_) {
    if (!approval.open() || !(agent.empty() || approval.agent == agent)) continue;
    End(approval, ApprovalState::kKilled);
    const auto gone = std::ranges::stable_partition(
        held_, [&name = id](const Held& one) { return one.id != name; });
    std::ranges::move(gone, std::back_inserter(dropped));
    held_.erase(gone.begin(), gone.end());
  }
  Changed();
}

void Approvals::Settle() {
  std::vector<Approval> over;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& [id, approval] : approvals_) {
      EndIfOver(approval, ports_.clock.Now());
      if (approval.unwritten) over.push_back(approval);
    }
  }
  for (Approval& approval : over) {
    approval.unwritten = false;
    Entry entry = EntryOf(approval, EntryType::kApprovalExpired);
    entry.outcome = Outcome::kFailure;
    const bool killed = approval.state == ApprovalState::kKilled;
    entry.reason = Describe(killed ? Reason::kKilled : Reason::kApprovalExpired).name;
    const bool told = Write(approval) && ports_.ledger.Append(entry).has_value();
    const std::scoped_lock lock(mutex_);
    if (const auto found = approvals_.find(approval.id); found != approvals_.end()) {
      found->second.unwritten = !told;
    }
    if (told) continue;
    retry_ = ports_.clock.Now() + kRetry;
    return;
  }
}

}  // namespace broker
