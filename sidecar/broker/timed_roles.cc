#include "sidecar/broker/timed_roles.h"

#include <algorithm>
#include <utility>

#include "broker/policy/config_values.h"
#include "broker/policy/selectors.h"
#include "sidecar/broker/people.h"

namespace sidecar::broker_role {
namespace {

using broker::ApprovalVote, broker::Clock, broker::ErrorCode, broker::Reason, broker::Refusal,
    broker::Refuse, broker::Result, broker::Secret, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using std::chrono::duration_cast, std::chrono::seconds;

const broker::SecretId kId{"timed-roles", broker::SecretKind::kInternal};

bool Is(const TimedRole& one, const RoleHolder& holder, AdminRole role) {
  return one.holder == holder && one.role == role;
}

void Name(const TimedRole& one, Entry* entry) {
  entry->outcome = Outcome::kSuccess;
  entry->change["holder"] = one.holder.text();
  entry->change["role"] = std::string(NameOf(one.role));
  entry->change["until"] = one.ends_unix;
}

// A configuration is there: before the first one nothing is said of agents and tenants.
bool IsConfigured(const broker::policy::Config& config) { return !config.instance.name.empty(); }

bool IsAgents(const broker::policy::Config& config, const RoleHolder& holder) {
  broker::policy::Facts facts;
  facts.uid = holder.uid;
  return holder.oid.empty() && broker::policy::CouldBeAgent(config, facts);
}

Refusal Unavailable(Reason reason, const broker::Error& error) {
  return {reason, error.detail, error.detail, {}};
}

}  // namespace

Status TimedRoles::Load(bool restored) {
  const std::scoped_lock turn(turn_);
  const auto kept = ports_.store.Get(kId);
  const bool none = !kept && kept.error().code == ErrorCode::kNotFound;
  if (!kept && !none) return std::unexpected(kept.error());
  auto roles =
      none ? std::vector<TimedRole>() : RolesFromRow(kept->value.Expose(broker::Exit::kOwnRecord));
  const auto noted = ports_.noted(kLeft);
  if (!noted && noted.error().code != ErrorCode::kNotFound) return std::unexpected(noted.error());
  Resume(noted ? *noted : std::string(), ports_.clock.Now(), ports_.clock.WallNow(), &roles);
  bool any = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!loaded_) roles_ = std::move(roles);
    for (TimedRole& one : roles_) {
      if (!loaded_ && !one.ended.empty()) EndLocked(&one, std::exchange(one.ended, {}));
      if (restored) EndLocked(&one, "restore");
    }
    loaded_ = true;
    any = !roles_.empty();
  }
  // Before anything is served: after a crash right now the store would be no backup any more.
  return restored && any ? Store() : Status{};
}

// REQUIRES: turn_ is held.
std::optional<Refusal> TimedRoles::Unfit(const Config& config, const TimedRole& given) {
  const auto no = [](Reason reason, std::string hint) {
    return Refusal{reason, std::move(hint), {}, {}};
  };
  const RoleHolder& holder = given.holder;
  const bool user = holder.oid.empty();
  if (given.lasts < kShortest || given.lasts > kLongest) {
    return no(Reason::kValueOutOfRange, "It lasts from a minute to 24 hours.");
  }
  if (user && (holder.uid == 0 || holder.uid == config.admin.owner_uid)) {
    return no(Reason::kValueOutOfRange, "That user holds each role anyway.");
  }
  if (user && broker::policy::IsNobody(holder.uid)) {
    return no(Reason::kValueOutOfRange, "Users whom nobody mapped look like that one.");
  }
  if (IsAgents(config, holder)) return no(Reason::kRoleMissing, "An agent's user holds no role.");
  if (!user && config.admin.client_id.empty()) {
    return no(Reason::kNotFound, "Nobody can sign in here: [admin] has no client_id.");
  }
  if (!user && given.giver.oid.empty()) {
    return no(Reason::kPersonRequired,
              "Who gives a role to a person says who they are themselves.");
  }
  const bool own =
      user ? ApprovalVote{holder.uid, {}, {}}.MayBe(given.giver) : holder.oid == given.giver.oid;
  if (own) return no(Reason::kOwnRequest, "Nobody gives themselves a role.");
  const std::scoped_lock lock(mutex_);
  if (!loaded_) return no(Reason::kSealed, {});
  if (std::ranges::any_of(roles_, [&](const auto& one) { return Is(one, holder, given.role); })) {
    return no(Reason::kConflict, "It is held for a time already: purser role end comes first.");
  }
  if (roles_.size() >= kMost) return no(Reason::kOverloaded, "Too many roles are given; end one.");
  return std::nullopt;
}

std::expected<uint64_t, Refusal> TimedRoles::Give(const Config& config, TimedRole given,
                                                  Entry entry) {
  const std::scoped_lock turn(turn_);
  Review(config);
  WriteEnds();  // what ran out just now is in nobody's way
  if (auto unfit = Unfit(config, given)) return std::unexpected(std::move(*unfit));
  if (!given.holder.oid.empty()) given.realm = RealmOf(config);
  given.ends = ports_.clock.Now() + given.lasts;
  given.ends_unix = UnixOf(ports_.clock.WallNow()) + given.lasts.count();
  entry.type = EntryType::kRoleGranted;
  Name(given, &entry);
  entry.change["why"] = given.why;
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(Unavailable(Reason::kLedgerUnavailable, receipt.error()));
  std::vector<TimedRole> all;
  {
    const std::scoped_lock lock(mutex_);
    all = roles_;
  }
  all.push_back(given);
  const auto stored = Put(all);
  {
    const std::scoped_lock lock(mutex_);
    roles_.push_back(std::move(given));
    if (!stored) EndLocked(&roles_.back(), "store");
  }
  if (!stored) {
    WriteEnds();
    return std::unexpected(Unavailable(Reason::kStoreUnavailable, stored.error()));
  }
  [[maybe_unused]] const Status noted = NoteInTurn();  // else a tick later
  return receipt->seq;
}

std::expected<TimedRoles::Ended, Refusal> TimedRoles::End(const Config& config,
                                                          const RoleHolder& holder, AdminRole role,
                                                          Entry entry) {
  const std::scoped_lock turn(turn_);
  {
    const std::scoped_lock lock(mutex_);
    ReviewLocked(config);
    const auto found = std::ranges::find_if(
        roles_, [&](const TimedRole& one) { return Is(one, holder, role) && one.ended.empty(); });
    if (found == roles_.end()) {
      return Refuse(Reason::kNotFound, "Nobody holds that for a time; purser roles lists them.");
    }
    entry.type = EntryType::kRoleEnded;
    Name(*found, &entry);
    EndLocked(&*found, "operator");
    entry.change["by"] = "operator";
    found->ending = entry;
  }
  Ended done;
  if (const auto receipt = ports_.ledger.Append(entry)) {
    done.seq = receipt->seq;
    const std::scoped_lock lock(mutex_);
    std::erase_if(roles_, [&](const TimedRole& one) { return Is(one, holder, role); });
  }
  done.kept = Store().has_value();
  return done;
}

GivenRoles TimedRoles::Of(const Config& config, const Facts& facts, const Person* person) {
  GivenRoles given;
  const std::scoped_lock lock(mutex_);
  if (roles_.empty()) return given;
  ReviewLocked(config);
  const bool agent = broker::policy::CouldBeAgent(config, facts);
  const ApprovalVote who{facts.uid, facts.loginuid, person == nullptr ? "" : person->oid};
  for (TimedRole& one : roles_) {
    const bool to_person = !one.holder.oid.empty();
    const bool it_is = to_person ? one.holder.oid == who.oid && one.realm == RealmOf(config)
                                 : one.holder.uid == facts.uid;
    if (!it_is || !one.ended.empty()) continue;
    if (agent && !to_person) EndLocked(&one, "agent");
    if (agent || who.MayBe(one.giver)) continue;
    given.roles.push_back(one.role);
    if (to_person) given.as_person.push_back(one.role);
  }
  return given;
}

std::vector<TimedRole> TimedRoles::List(const Config& config) {
  const std::scoped_lock lock(mutex_);
  ReviewLocked(config);
  std::vector<TimedRole> held;
  for (const TimedRole& one : roles_) {
    if (!one.ended.empty()) continue;
    const auto left = duration_cast<seconds>(one.ends - ports_.clock.Now());
    held.push_back(one);
    held.back().ends_unix = std::min(one.ends_unix, UnixOf(ports_.clock.WallNow() + left));
  }
  return held;
}

void TimedRoles::Review(const Config& config) {
  const std::scoped_lock lock(mutex_);
  ReviewLocked(config);
}

// REQUIRES: mutex_ is held. Over by either clock: one of them stands still while a machine sleeps,
// the other one is set by people.
void TimedRoles::ReviewLocked(const Config& config) {
  const auto now = ports_.clock.Now();
  const int64_t wall = UnixOf(ports_.clock.WallNow());
  for (TimedRole& one : roles_) {
    if (now >= one.ends || wall >= one.ends_unix) EndLocked(&one, "time");
    if (!IsConfigured(config)) continue;
    if (IsAgents(config, one.holder)) EndLocked(&one, "agent");
    if (!one.holder.oid.empty() && one.realm != RealmOf(config)) EndLocked(&one, "tenant");
  }
}

// REQUIRES: mutex_ is held. What ended stays ended.
void TimedRoles::EndLocked(TimedRole* role, const std::string& why) {
  if (!role->ended.empty()) return;
  role->ended = why;
  unstored_ = true;
  Entry entry{.type = EntryType::kRoleEnded};
  entry.target_kind = "admin";
  Name(*role, &entry);
  entry.change["by"] = why;
  role->ending = std::move(entry);
}

void TimedRoles::Tick(const Config& config) {
  const std::scoped_lock turn(turn_);
  Review(config);
  WriteEnds();
  bool unstored = false, any = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!loaded_) return;
    unstored = unstored_;
    any = !roles_.empty();
  }
  if (unstored) [[maybe_unused]]
    const Status stored = Store();  // else a tick later
  if (any && ports_.clock.Now() - noted_ >= kNoteInterval) [[maybe_unused]]
    const Status noted = NoteInTurn();
}

// REQUIRES: turn_ is held. What the ledger does not take now, it is offered again.
void TimedRoles::WriteEnds() {
  std::vector<TimedRole> over;
  {
    const std::scoped_lock lock(mutex_);
    std::ranges::copy_if(roles_, std::back_inserter(over),
                         [](const TimedRole& one) { return one.ending.has_value(); });
  }
  for (const TimedRole& ended : over) {
    if (!ports_.ledger.Append(*ended.ending)) return;
    const std::scoped_lock lock(mutex_);
    std::erase_if(roles_, [&](const TimedRole& one) { return Is(one, ended.holder, ended.role); });
    unstored_ = true;
  }
}

// REQUIRES: turn_ is held.
Status TimedRoles::Store() {
  std::vector<TimedRole> roles;
  {
    const std::scoped_lock lock(mutex_);
    if (!loaded_) return broker::Fail(ErrorCode::kUnavailable, "the store is not open");
    roles = roles_;
    unstored_ = false;
  }
  const auto version = Put(roles);
  if (version) return {};
  const std::scoped_lock lock(mutex_);
  unstored_ = true;
  return std::unexpected(version.error());
}

Result<uint64_t> TimedRoles::Put(const std::vector<TimedRole>& roles) {
  return ports_.store.Put(kId, Secret::CopyOf(ToRow(roles)), std::nullopt);
}

Status TimedRoles::Note() {
  const std::scoped_lock turn(turn_);
  return NoteInTurn();
}

// REQUIRES: turn_ is held.
Status TimedRoles::NoteInTurn() {
  const auto now = ports_.clock.Now();
  std::string text;
  {
    const std::scoped_lock lock(mutex_);
    if (!loaded_) return broker::Fail(ErrorCode::kUnavailable, "the store is not open");
    text = LeftNote(roles_, now);
  }
  Status noted = ports_.note(kLeft, text);
  if (noted) noted_ = now;
  return noted;
}

void TimedRoles::Run(const std::stop_token& stop,
                     const std::function<std::shared_ptr<const Config>()>& config) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, kTickInterval, [&] { return stop.stop_requested(); })) {
    if (stop.stop_requested()) return;
    Tick(*config());
  }
}

}  // namespace sidecar::broker_role
