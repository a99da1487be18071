// What is rotated by the clock, and what is rotated at once: both leave a row that says when.
#include <algorithm>
#include <utility>

#include "broker/rotations.h"

namespace broker {

using std::chrono::seconds;

int64_t Rotations::DueAt(const One& one, const policy::Credential& credential) const {
  const int64_t every = credential.rotate_every.count();
  if (every == 0) return 0;
  const int64_t early = every * kJitterTenths * one.jitter / 10 / 1000;
  const int64_t again = one.failed_at + seconds(kRetryAfter).count();
  // Never rotated: since it was first seen, unless that was a failure.
  if (one.view.rotated == 0) return one.failed_at != 0 ? again : one.view.since + every - early;
  const int64_t due = one.view.rotated + every - early;
  return one.failed_at != 0 ? std::max(due, again) : due;
}

// The row of what is no Rotation: when it was, for the schedule.
Status Rotations::Note(const std::string& name, const std::string& failure,
                       const std::string& version) {
  const SecretId id = RotationJournalId(name);
  const auto row = ports_.journal.Get(id);
  if (!row && row.error().code != ErrorCode::kNotFound) return std::unexpected(row.error());
  auto journal = row ? ParseRotationJournal(row->value) : RotationJournal{};
  if (!journal) return std::unexpected(journal.error());
  journal->jitter = NewJitter(ports_.random);
  journal->since = Now();
  journal->failure = failure;
  if (!version.empty()) journal->new_version = version;
  if (!version.empty()) journal->rotated = Now();
  const auto put = ports_.journal.Put(id, EncodeRotationJournal(*journal), row ? row->version : 0);
  if (!put) return std::unexpected(put.error());
  return {};
}

std::expected<void, Refusal> Rotations::Redeem(const policy::Credential& credential,
                                               const std::string& request_id) {
  const SecretId id{credential.name, SecretKind::kRefreshToken};
  const auto version = [&]() -> std::string {
    if (!credential.vault.empty()) return "of vault " + credential.vault;
    const auto rows = ports_.journal.List();
    if (!rows) return {};
    const auto row = std::ranges::find(*rows, id, &StoredSecretInfo::id);
    return row == rows->end() ? std::string() : std::to_string(row->version);
  };
  const std::string before = version();
  const auto token = ports_.redeem(credential.name, request_id);
  std::expected<void, Refusal> done;
  if (!token) {
    done = std::unexpected(token.error());
    if (done.error().hint.empty()) done.error().hint = done.error().detail;
  } else if (credential.vault.empty() && version() == before) {
    done =
        Refuse(Reason::kUpstreamInvalid, "Entra gave no new refresh token: the one in use stays.");
  }
  const Status noted =
      done ? Note(credential.name, {}, version()) : Note(credential.name, done.error().hint, {});
  if (done && !noted) return Refuse(Reason::kStoreUnavailable, noted.error().detail);
  return done;
}

// A schedule counts from when it is first seen. REQUIRES: mutex_.
void Rotations::StartDue(Lock& lock, const Config& config) {
  for (const auto& [name, credential] : config->credentials) {
    if (credential.rotate_every.count() == 0 || Revoked(name)) continue;
    One& one = all_[name];
    one.view.credential = name;
    if (one.busy || one.view.step != RotationStep::kIdle) continue;
    const bool seen = one.view.since != 0 || one.view.rotated != 0;
    if (seen && DueAt(one, credential) > Now()) continue;
    lock.unlock();
    if (!seen) {
      const Status noted = Note(name, {}, {});
      const auto row = ports_.journal.Get(RotationJournalId(name));
      const auto journal = row ? ParseRotationJournal(row->value) : RotationJournal{};
      lock.lock();
      if (noted && row && journal) Keep(one, *journal);
      continue;
    }
    const auto begun = Start(name, {.request_id = "schedule"});
    const std::string why = begun ? std::string() : begun.error().hint;
    const bool note = !begun && begun.error().reason != Reason::kConflict;
    if (note) [[maybe_unused]]
      const Status noted = Note(name, why, {});
    if (note && ports_.log != nullptr) {
      ports_.log->Warn("rotation_failed", {{"credential", name}, {"why", why}});
    }
    lock.lock();
    if (note) one.failed_at = Now();
    if (note) one.view.failure = why;
  }
}

}  // namespace broker
