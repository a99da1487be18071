#include "broker/rotations.h"

#include <algorithm>
#include <utility>

#include "broker/base/unix_time.h"
#include "broker/credential_access.h"

namespace broker {
namespace {

using std::chrono::duration_cast, std::chrono::milliseconds;

constexpr std::string_view kJournals = "rotation/";
// A store opens a moment after the start, and what waits in its journal may be a secret too many.
constexpr milliseconds kOpening{300};

constexpr std::string_view kClientSecret = "/client-secret";

std::string NameIn(std::string_view slot) { return std::string(slot.substr(0, slot.find('/'))); }
bool IsOfClientSecret(std::string_view slot) { return slot.ends_with(kClientSecret); }

Result<RotationJournal> JournalOf(const Result<StoredSecret>& row) {
  if (!row) return std::unexpected(row.error());
  return ParseRotationJournal(row->value);
}

// A refresh token's registration as what it is besides: an application with a secret in purser's
// store.
policy::Credential ClientOf(const policy::Credential& credential) {
  policy::Credential client;
  client.name = credential.name;
  client.kind = "client-secret";
  client.client_id = credential.client_id;
  client.rotate_with = credential.rotate_with;
  return client;
}

}  // namespace

std::string Rotations::SlotOf(const std::string& name, bool client_secret) {
  return client_secret ? name + std::string(kClientSecret) : name;
}

int64_t Rotations::Now() const { return UnixSeconds(ports_.clock.WallNow()); }

std::shared_ptr<KeyVersions> Rotations::KeysOf(const std::string& credential) const {
  return ports_.keys ? ports_.keys(credential) : nullptr;
}

Rotation::Ports Rotations::PortsWith(AppRegistration& registration, KeyVersions* keys) const {
  Rotation::Ports made{ports_.journal, ports_.vault,  ports_.ledger,
                       ports_.clock,   ports_.random, registration};
  made.revocations = ports_.revocations;
  made.writer = ports_.writer;
  made.keys = keys;
  return made;
}

void Rotations::Keep(One& one, const RotationJournal& journal) const {
  RotationView& view = one.view;
  view.step = journal.step;
  view.since = journal.since;
  view.started = journal.started;
  view.remove_after = journal.remove_after;
  view.rotated = journal.rotated;
  view.old_key = journal.old_key;
  view.new_key = journal.new_key;
  view.new_version = journal.new_version;
  view.failure = journal.step == RotationStep::kIdle ? journal.failure : std::string();
  one.request_id = journal.request_id;
  one.jitter = journal.jitter;
  one.failed_at = view.failure.empty() ? 0 : journal.since;
}

// What the store remembers of the configured credentials. REQUIRES: mutex_.
void Rotations::Load(const Config& config) {
  if (loaded_ == config) return;
  const auto rows = ports_.journal.List();
  if (!rows) return;
  for (const auto& row : *rows) {
    if (row.id.kind != SecretKind::kInternal || !row.id.name.starts_with(kJournals)) continue;
    const std::string slot = row.id.name.substr(kJournals.size());
    if (all_.contains(slot)) continue;
    const auto journal = JournalOf(ports_.journal.Get(row.id));
    One& one = all_[slot];
    one.view.credential = NameIn(slot);
    one.view.client_secret = IsOfClientSecret(slot);
    if (journal) {
      Keep(one, *journal);
    } else {
      one.view.failure = "its journal cannot be read: " + journal.error().detail;
    }
  }
  loaded_ = config;
}

std::expected<policy::Credential, Refusal> Rotations::Rotatable(const Config& config,
                                                                const std::string& name,
                                                                bool client_secret) const {
  const auto found = config->credentials.find(name);
  if (found == config->credentials.end()) {
    return Refuse(Reason::kNotFound, "No credential has this name; purser credentials lists them.");
  }
  if (client_secret && !found->second.confidential) {
    return Refuse(
        Reason::kValueOutOfRange,
        "Only a refresh token with client_auth = \"secret\" has a client secret besides.");
  }
  const std::string why = client_secret ? std::string() : WhyNotRotated(*config, found->second);
  if (!why.empty()) return Refuse(Reason::kValueOutOfRange, why);
  if (!ports_.usable()) return Refuse(Reason::kSealed);
  if (Revoked(name)) return std::unexpected(RevokedRefusal(name));
  return client_secret ? ClientOf(found->second) : found->second;
}

bool Rotations::Revoked(const std::string& slot) const {
  return ports_.revocations != nullptr && ports_.revocations->Has(NameIn(slot));
}

// From then on the credential is the caller's until it clears `busy`. REQUIRES: mutex_.
std::expected<void, Refusal> Rotations::Reserve(const std::string& slot) {
  const std::string name = NameIn(slot);
  One& one = all_[slot];
  one.view.credential = name;
  one.view.client_secret = IsOfClientSecret(slot);
  if (one.busy || one.view.step != RotationStep::kIdle) {
    const bool begins = one.view.step == RotationStep::kIdle;
    return Refuse(Reason::kConflict,
                  "A rotation of " + name + " is under way: " +
                      (begins ? "it begins" : std::string(RotationStepName(one.view.step))) + ".");
  }
  one.busy = true;
  return {};
}

std::expected<void, Refusal> Rotations::Begin(const policy::Config& config,
                                              const policy::Credential& credential,
                                              const Rotation::Ask& ask, const std::string& slot,
                                              RotationMemory* memory) {
  if (credential.kind == "refresh-token") return Redeem(credential, ask.request_id);
  const auto registration = ports_.registration(config, credential, ask.request_id);
  const auto keys = KeysOf(credential.name);
  return Rotation(PortsWith(*registration, keys.get()), config, credential, *memory, slot)
      .Begin(ask);
}

std::expected<RotationView, Refusal> Rotations::Start(const std::string& name,
                                                      const Rotation::Ask& ask) {
  const Config config = ports_.config();
  const auto credential = Rotatable(config, name, ask.client_secret);
  if (!credential) return std::unexpected(credential.error());
  const std::string slot = SlotOf(name, ask.client_secret);
  Lock lock(mutex_);
  Load(config);
  if (auto reserved = Reserve(slot); !reserved) return std::unexpected(reserved.error());
  lock.unlock();
  RotationMemory memory;
  const auto begun = Begin(*config, *credential, ask, slot, &memory);
  const auto journal = JournalOf(ports_.journal.Get(RotationJournalId(slot)));
  lock.lock();
  One& one = all_[slot];
  one.busy = false;
  if (journal) Keep(one, *journal);
  if (!begun) return std::unexpected(begun.error());
  one.memory = std::move(memory);
  one.next = ports_.clock.WallNow();
  woken_ = true;
  changed_.notify_all();
  return one.view;
}

std::optional<RotationView> Rotations::Find(const std::string& credential) {
  std::optional<RotationView> found;
  for (RotationView& view : All()) {
    if (view.credential != credential) continue;
    const bool under_way = view.step != RotationStep::kIdle;
    if (!found || under_way || view.since > found->since) found = std::move(view);
  }
  return found;
}

std::vector<RotationView> Rotations::All() {
  const Config config = ports_.config();
  const Lock lock(mutex_);
  if (ports_.usable()) Load(config);
  std::vector<RotationView> views;
  for (const auto& [slot, one] : all_) {
    if (one.view.started == 0 && one.view.since == 0 && one.view.failure.empty()) continue;
    RotationView view = one.view;
    view.trouble = one.memory.trouble;
    view.stuck = one.memory.failures >= kStuckAfter && view.step != RotationStep::kProving;
    const auto credential = config->credentials.find(slot);
    if (credential != config->credentials.end()) view.next_due = DueAt(one, credential->second);
    views.push_back(std::move(view));
  }
  return views;
}

void Rotations::Told(const RotationView& before, const RotationView& now) const {
  if (before.step == RotationStep::kSwitching && now.step == RotationStep::kGrace) {
    ports_.switched(now);
  }
  if (ports_.log == nullptr || before.step == now.step) return;
  if (now.step != RotationStep::kIdle) {
    ports_.log->Info("rotation_step",
                     {{"credential", now.credential}, {"step", RotationStepName(now.step)}});
  } else if (now.failure.empty()) {
    ports_.log->Info("rotation_done", {{"credential", now.credential}, {"key", now.new_key}});
  } else {
    ports_.log->Warn("rotation_failed", {{"credential", now.credential}, {"why", now.failure}});
  }
}

// One step, without the lock.
void Rotations::Advance(Lock& lock, const Config& config, const std::string& slot) {
  One& one = all_[slot];  // stays where it is: nothing is ever erased
  const std::string name = NameIn(slot);
  const bool of_client = IsOfClientSecret(slot);
  const auto found = config->credentials.find(name);
  const bool known =
      found != config->credentials.end() &&
      (of_client ? found->second.confidential : WhyNotRotated(*config, found->second).empty());
  if (!known) {
    one.memory.trouble = "the configuration has no such credential to rotate any more: put it back";
    one.memory.failures = kStuckAfter;
    one.next = ports_.clock.WallNow() + kLook;
    return;
  }
  const policy::Credential credential = of_client ? ClientOf(found->second) : found->second;
  one.busy = true;
  RotationMemory memory = one.memory;
  const RotationView before = one.view;
  lock.unlock();
  const auto registration = ports_.registration(*config, credential, one.request_id);
  const auto keys = KeysOf(name);
  const auto state =
      Rotation(PortsWith(*registration, keys.get()), *config, credential, memory, slot).Advance();
  const auto journal = JournalOf(ports_.journal.Get(RotationJournalId(slot)));
  lock.lock();
  one.busy = false;
  one.memory = std::move(memory);
  one.next = state ? state->next : ports_.clock.WallNow() + kUnwritable;
  if (!state) one.memory.trouble = state.error().detail;
  if (!state) ++one.memory.failures;
  if (journal) Keep(one, *journal);
  const bool first = one.memory.failures == kStuckAfter && one.view.step != RotationStep::kProving;
  if (first && ports_.log != nullptr) {
    ports_.log->Warn("rotation_stuck", {{"credential", name},
                                        {"step", RotationStepName(one.view.step)},
                                        {"why", one.memory.trouble},
                                        {"remedy", "mend the cause: it is tried again by itself"}});
  }
  const RotationView now = one.view;
  lock.unlock();
  Told(before, now);
  lock.lock();
}

// What was revoked does not wait for its grace period. REQUIRES: mutex_.
bool Rotations::IsDue(const std::string& name, One& one) const {
  if (one.view.step == RotationStep::kIdle || one.busy) return false;
  const bool changed = std::exchange(one.revoked, Revoked(name)) != one.revoked;
  return changed || one.next <= ports_.clock.WallNow();
}

void Rotations::Wake() {
  const Lock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

milliseconds Rotations::Tick() {
  if (!ports_.usable()) return kOpening;
  const Config config = ports_.config();
  Lock lock(mutex_);
  woken_ = false;
  Load(config);
  StartDue(lock, config);
  std::vector<std::string> due;
  for (auto& [name, one] : all_) {
    if (IsDue(name, one)) due.push_back(name);
  }
  for (const std::string& name : due) Advance(lock, config, name);
  milliseconds wait = kLook;
  for (const auto& [name, one] : all_) {
    if (one.view.step == RotationStep::kIdle) continue;
    wait = std::min(wait, duration_cast<milliseconds>(one.next - ports_.clock.WallNow()));
  }
  return std::max(wait, milliseconds{0});
}

void Rotations::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const milliseconds wait = Tick();
    Lock lock(mutex_);
    changed_.wait_for(lock, stop, wait, [this] { return std::exchange(woken_, false); });
  }
}

}  // namespace broker
