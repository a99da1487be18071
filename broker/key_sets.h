// broker/key_sets.h: the keys that users' tokens are signed with, fetched and kept.
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/entra/json_web_keys.h"
#include "broker/policy/config.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"
#include "broker/reason.h"

namespace broker {

/// Public keys only. Thread-safe; blocks on the network, one fetch of a tenant at a time. Whoever
/// invents key ids holds up nobody whose key is known. Borrows both.
class KeySets {
 public:
  // Entra announces new keys about a day before it signs with them.
  static constexpr std::chrono::hours kMaxAge{12};
  // Whoever invents key ids causes no more requests than this.
  static constexpr std::chrono::minutes kUnknownKeyPause{5};
  // After a fetch that failed.
  static constexpr std::chrono::seconds kFailurePause{10};

  KeySets(HttpTransport& http, const Clock& clock) : http_(http), clock_(clock) {}

  /// The tenant's key with that id; at once where it is known. An unknown id is looked for anew
  /// once per kUnknownKeyPause; a set that is too old is fetched again by one of those who need it,
  /// and serves the others meanwhile, and all while that fails. Refuses: kInvalidUserAssertion (no
  /// such key), kUpstreamUnavailable and the like (no keys yet).
  std::expected<entra::VerificationKey, Refusal> Find(const policy::Tenant& tenant,
                                                      const std::string& key_id);

 private:
  using Keys = std::shared_ptr<const std::vector<entra::VerificationKey>>;
  struct State {
    Keys keys;
    Clock::Steady fetched_at{};
    Clock::Steady not_before{};  // of the next fetch
    Refusal trouble;             // of the last fetch, when it failed
  };
  struct Known {
    std::mutex turn;   // who holds it fetches; who needs a key that is not there waits for it
    std::mutex mutex;  // of `state`; never held while anybody is asked
    State state;

    State Get() {
      const std::scoped_lock lock(mutex);
      return state;
    }
  };

  Known& KnownOf(const std::string& url);
  /// REQUIRES: its turn is held.
  void Fetch(const std::string& url, Known& known);

  HttpTransport& http_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by URL; elements do not move
};

}  // namespace broker
