// sidecar/broker/people.h: people who sign in on the operator's socket, and who is signed in.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/secret.h"
#include "broker/minter.h"
#include "broker/policy/config.h"
#include "broker/policy/facts.h"
#include "broker/policy/person.h"
#include "broker/sign_in.h"

namespace sidecar::broker_role {

/// What proves who a person is: with another tenant or registration, what was proven holds no more.
std::string RealmOf(const broker::policy::Config& config);

/// Sign-ins under way and sessions, each of one user of this machine, and of one login: who is
/// behind sudo is not who signed in behind it. Memory alone: a restart asks
/// everybody to sign in anew. Thread-safe; borrows what it is given. Who could be an agent has
/// neither.
class People {
 public:
  // A code lives 15 minutes at Entra; more people do not sign in within that.
  static constexpr size_t kMaxSignIns = 16;
  // Whoever starts another one has given up the first.
  static constexpr size_t kMaxSignInsOfUser = 2;
  // A team in several terminals; the oldest one gives way.
  static constexpr size_t kMaxSessionsOfUser = 8;
  // Each may name a thousand groups.
  static constexpr size_t kMaxSessions = 256;
  // Nobody guesses it; 64 characters in hex.
  static constexpr size_t kSecretBytes = 32;

  using Refusal = broker::Refusal;
  using Config = broker::policy::Config;
  using Facts = broker::policy::Facts;
  using Person = broker::policy::Person;

  explicit People(broker::Minter::Ports ports);
  ~People();

  struct Begun {
    std::string id;
    broker::DevicePrompt prompt;
  };
  /// Asks Entra for a code. Refuses kNotFound (nobody can sign in here), kRoleMissing (who could be
  /// an agent), kOverloaded over the limits, and what SignIn refuses.
  std::expected<Begun, Refusal> Start(const Config& config, const Facts& facts);

  struct State {
    std::optional<Person> person;      // who it is, when done
    std::chrono::seconds interval{0};  // until the next poll
    bool groups_left_out = false;      // nothing is known of the person's groups
    uint64_t sweep = 0;                // of EndAll(), before Entra was asked
  };
  /// Asks whether the person is done; who is gets no session yet. Refuses kNotFound (never begun,
  /// over, expired, another user's or login's) and what SignIn refuses.
  std::expected<State, Refusal> Poll(const Config& config, const Facts& facts,
                                     const std::string& id);

  /// A session of that user from now on, for [admin] session at most. Its secret is given out here
  /// and never again. Refuses kConflict where EndAll() came since Entra was asked: what the groups
  /// were then may be why. REQUIRES: done.person.
  std::expected<broker::Secret, Refusal> Open(const Config& config, const Facts& facts, State done);
  /// Who is signed in. Nobody: an unknown secret, another user's or login's, one that is over, one
  /// from before another tenant or client_id was configured, of who could be an agent by now.
  std::optional<Person> Find(const Config& config, const Facts& facts, std::string_view secret);
  /// Ends it; false where Find() knows nobody.
  bool End(const Config& config, const Facts& facts, std::string_view secret);

  struct SignedIn {
    std::string oid;
    uint32_t uid;
    std::chrono::seconds left;
  };
  /// Who is signed in, the oldest session first.
  std::vector<SignedIn> List(const Config& config);
  /// Ends all sessions of that person, everybody's where `oid` is empty, and keeps what Entra has
  /// proven already from opening another one. Returns how many there were.
  size_t EndAll(std::string_view oid);

 private:
  struct Attempt;
  struct Session {
    std::string hash;  // of the secret: a copy of this memory signs nobody in
    uint32_t uid;
    std::optional<uint32_t> loginuid;
    std::string realm;
    broker::Clock::Steady opened;
    broker::Clock::Wall opened_wall;
    std::chrono::seconds lasts;
    Person person;
  };
  using Sessions = std::vector<Session>;
  Sessions::iterator Look(const Config& config, const Facts& facts, std::string_view secret);
  [[nodiscard]] std::chrono::seconds LeftOf(const Session& session, const Config& config) const;

  broker::Minter::Ports ports_;
  broker::TenantResolver tenants_;
  broker::KeySets keys_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Attempt>> attempts_;  // by id
  Sessions sessions_;                                         // the oldest first
  uint64_t sweeps_ = 0;                                       // of EndAll()
};

}  // namespace sidecar::broker_role
