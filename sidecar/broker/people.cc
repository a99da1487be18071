#include "sidecar/broker/people.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/ledger/leaf.h"
#include "broker/policy/selectors.h"

namespace sidecar::broker_role {
namespace {

using broker::Clock, broker::Reason, broker::Refuse, broker::Secret;

// An attempt's id, and a session's secret.
std::string NewName(broker::Random& random) {
  std::array<std::byte, People::kSecretBytes> bytes{};
  random.Fill(bytes);
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  sodium_memzero(bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

std::unexpected<broker::Refusal> NoSuchSignIn() {
  return Refuse(Reason::kNotFound, "There is no such sign-in; start anew.");
}

}  // namespace

std::string RealmOf(const broker::policy::Config& config) {
  return config.tenant.authority + " " + config.tenant.id + " " + config.admin.client_id;
}

struct People::Attempt {
  Attempt(broker::SignIn::Ports ports, const Config& config, const Facts& facts)
      : flow(ports, config.tenant, config.admin.client_id),
        uid(facts.uid),
        loginuid(facts.loginuid),
        realm(RealmOf(config)) {}
  broker::SignIn flow;
  uint32_t uid;
  std::optional<uint32_t> loginuid;
  std::string realm;
  Clock::Steady ends = Clock::Steady::max();  // guarded by mutex_; until Entra says
  std::mutex turn;                            // one request to Entra at a time
};

People::People(broker::Minter::Ports ports)
    : ports_(ports), tenants_(ports.http, ports.clock), keys_(ports.http, ports.clock) {}
People::~People() = default;

std::expected<People::Begun, broker::Refusal> People::Start(const Config& config,
                                                            const Facts& facts) {
  if (config.admin.client_id.empty()) {
    return Refuse(Reason::kNotFound, "Nobody can sign in here: [admin] has no client_id.");
  }
  if (broker::policy::CouldBeAgent(config, facts)) {
    return Refuse(Reason::kRoleMissing, "An agent's user signs nobody in.");
  }
  const auto attempt = std::make_shared<Attempt>(
      broker::SignIn::Ports{ports_.http, ports_.clock, keys_, tenants_}, config, facts);
  const std::string id = NewName(ports_.random);
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(attempts_,
                  [&](const auto& one) { return one.second->ends < ports_.clock.Now(); });
    const auto own = std::ranges::count_if(
        attempts_, [&](const auto& one) { return one.second->uid == facts.uid; });
    if (attempts_.size() >= kMaxSignIns || static_cast<size_t>(own) >= kMaxSignInsOfUser) {
      return Refuse(Reason::kOverloaded, "Too many sign-ins are under way; finish one.");
    }
    attempts_.emplace(id, attempt);
  }
  const std::scoped_lock turn(attempt->turn);
  auto prompt = attempt->flow.Start();
  const std::scoped_lock lock(mutex_);
  if (!prompt) {
    attempts_.erase(id);
    return std::unexpected(std::move(prompt.error()));
  }
  attempt->ends = ports_.clock.Now() + prompt->expires_in;
  return Begun{id, std::move(*prompt)};
}

std::expected<People::State, broker::Refusal> People::Poll(const Config& config, const Facts& facts,
                                                           const std::string& id) {
  std::shared_ptr<Attempt> attempt;
  uint64_t sweep = 0;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return NoSuchSignIn();
    attempt = found->second;
    sweep = sweeps_;
  }
  const bool own = attempt->uid == facts.uid && attempt->loginuid == facts.loginuid &&
                   attempt->realm == RealmOf(config) &&
                   !broker::policy::CouldBeAgent(config, facts);
  if (!own) return NoSuchSignIn();
  const std::scoped_lock turn(attempt->turn);
  auto done = attempt->flow.Poll();
  if (done && !*done) return State{.person = {}, .interval = attempt->flow.interval()};
  const std::scoped_lock lock(mutex_);
  if (attempts_.erase(id) == 0) return NoSuchSignIn();  // who asked meanwhile has the answer
  if (!done) return std::unexpected(std::move(done.error()));
  broker::entra::SignedIn& who = **done;
  return State{.person = Person{std::move(who.oid), std::move(who.groups)},
               .groups_left_out = who.groups_left_out,
               .sweep = sweep};
}

std::expected<Secret, broker::Refusal> People::Open(const Config& config, const Facts& facts,
                                                    State done) {
  std::string name = NewName(ports_.random);
  std::string hash = broker::ledger::Sha256Hex(name);
  Secret secret = Secret::TakeFrom(name);
  const std::scoped_lock lock(mutex_);
  if (done.sweep != sweeps_) {
    return Refuse(Reason::kConflict, "Sign-ins were ended meanwhile; start anew.");
  }
  const auto now = ports_.clock.Now();
  std::erase_if(sessions_, [&](const Session& one) { return now >= one.opened + one.lasts; });
  const auto is_own = [&](const Session& one) { return one.uid == facts.uid; };
  if (std::ranges::count_if(sessions_, is_own) >= static_cast<ptrdiff_t>(kMaxSessionsOfUser)) {
    sessions_.erase(std::ranges::find_if(sessions_, is_own));
  }
  if (sessions_.size() >= kMaxSessions) sessions_.erase(sessions_.begin());
  sessions_.push_back({std::move(hash), facts.uid, facts.loginuid, RealmOf(config), now,
                       ports_.clock.WallNow(), config.admin.session, std::move(*done.person)});
  return secret;
}

// REQUIRES: mutex_ is held.
People::Sessions::iterator People::Look(const Config& config, const Facts& facts,
                                        std::string_view secret) {
  const std::string hash = broker::ledger::Sha256Hex(secret);
  const auto found = std::ranges::find_if(sessions_, [&](const Session& one) {
    return one.hash.size() == hash.size() &&
           sodium_memcmp(one.hash.data(), hash.data(), hash.size()) == 0;
  });
  if (found == sessions_.end() || found->uid != facts.uid || found->loginuid != facts.loginuid) {
    return sessions_.end();
  }
  const bool stands =
      LeftOf(*found, config).count() > 0 && !broker::policy::CouldBeAgent(config, facts);
  return stands ? found : sessions_.end();
}

// 0: it is over, by either clock: one of them stands still while a machine sleeps, the other one is
// set by people. A reload may shorten what was opened, never lengthen it.
std::chrono::seconds People::LeftOf(const Session& session, const Config& config) const {
  if (session.realm != RealmOf(config)) return {};
  const auto lasts = std::min(session.lasts, config.admin.session);
  const auto left =
      std::chrono::ceil<std::chrono::seconds>(session.opened + lasts - ports_.clock.Now());
  const auto by_date =
      std::chrono::ceil<std::chrono::seconds>(session.opened_wall + lasts - ports_.clock.WallNow());
  return std::max(std::chrono::seconds(0), std::min({left, by_date, lasts}));
}

std::optional<broker::policy::Person> People::Find(const Config& config, const Facts& facts,
                                                   std::string_view secret) {
  if (secret.empty()) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto found = Look(config, facts, secret);
  return found == sessions_.end() ? std::nullopt : std::optional(found->person);
}

bool People::End(const Config& config, const Facts& facts, std::string_view secret) {
  const std::scoped_lock lock(mutex_);
  const auto found = Look(config, facts, secret);
  if (found == sessions_.end()) return false;
  sessions_.erase(found);
  return true;
}

std::vector<People::SignedIn> People::List(const Config& config) {
  std::vector<SignedIn> list;
  const std::scoped_lock lock(mutex_);
  for (const Session& one : sessions_) {
    const auto left = LeftOf(one, config);
    if (left.count() > 0) list.push_back({one.person.oid, one.uid, left});
  }
  return list;
}

size_t People::EndAll(std::string_view oid) {
  const std::scoped_lock lock(mutex_);
  ++sweeps_;
  return std::erase_if(sessions_,
                       [&](const Session& one) { return oid.empty() || one.person.oid == oid; });
}

}  // namespace sidecar::broker_role
