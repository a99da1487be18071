#include "sidecar/broker/logins.h"

#include <sodium.h>

#include <array>
#include <utility>

namespace sidecar::broker_role {
namespace {

using broker::Clock, broker::Reason, broker::Refusal, broker::Refuse;

constexpr size_t kLoginIdBytes = 16;  // unguessable: knowing it lets an operator poll

std::string RandomHex(broker::Random& random) {
  std::array<std::byte, kLoginIdBytes> bytes{};
  random.Fill(bytes);
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  hex.pop_back();
  return hex;
}

}  // namespace

struct Logins::Login {
  std::string credential;
  broker::DeviceLogin flow;
  Clock::Steady ends = Clock::Steady::max();  // guarded by mutex_; until Entra says
  std::mutex turn;                            // one request to Entra at a time
};

// Takes a place before Entra is asked, so that nobody opens more logins there than there are here.
bool Logins::Reserve(const std::string& id, std::shared_ptr<Login> login) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(logins_,
                [&](const auto& other) { return other.second->ends < ports_.clock.Now(); });
  if (logins_.size() >= kMaxLogins) return false;
  return logins_.emplace(id, std::move(login)).second;
}

void Logins::Forget(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  logins_.erase(id);
}

std::expected<Logins::Begun, Refusal> Logins::Start(const broker::policy::Config& config,
                                                    const broker::policy::Credential& credential) {
  const std::shared_ptr<Login> login(
      new Login{credential.name, {ports_, store_, config, credential}});
  const std::string id = RandomHex(ports_.random);
  if (!Reserve(id, login)) {
    return Refuse(Reason::kOverloaded, "Too many logins are under way; finish one.");
  }
  const std::scoped_lock turn(login->turn);
  auto prompt = login->flow.Start();
  if (!prompt) {
    Forget(id);
    return std::unexpected(prompt.error());
  }
  const std::scoped_lock lock(mutex_);
  login->ends = ports_.clock.Now() + prompt->expires_in;
  return Begun{id, std::move(*prompt)};
}

std::expected<Logins::State, Refusal> Logins::Poll(const std::string& id) {
  std::shared_ptr<Login> login;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = logins_.find(id);
    if (found == logins_.end() || found->second->ends < ports_.clock.Now()) {
      return Refuse(Reason::kNotFound, "There is no such login; start anew.");
    }
    login = found->second;
  }
  const std::scoped_lock turn(login->turn);
  const auto done = login->flow.Poll();
  if (done && !*done) return State{.interval = login->flow.interval()};
  Forget(id);
  if (!done) return std::unexpected(done.error());
  return State{.done = true, .credential = login->credential, .consented = login->flow.consented()};
}

}  // namespace sidecar::broker_role
