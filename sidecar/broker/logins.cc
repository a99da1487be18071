#include "sidecar/broker/logins.h"

#include <sodium.h>

#include <array>
#include <utility>

namespace sidecar::broker_role {
namespace {

using broker::Clock, broker::Reason, broker::Refusal, broker::Refuse;

constexpr size_t kLoginIdBytes = 16;  // unguessable: knowing it lets an operator poll

std::string NewLoginId(broker::Random& random) {
  std::array<std::byte, kLoginIdBytes> bytes{};
  random.Fill(bytes);
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  hex.pop_back();
  return hex;
}

std::unexpected<Refusal> TooMany() {
  return Refuse(Reason::kOverloaded, "Too many logins are under way; finish one.");
}

std::unexpected<Refusal> NoSuchLogin() {
  return Refuse(Reason::kNotFound, "There is no such login; start anew.");
}

}  // namespace

struct Logins::Login {
  std::string credential;
  // One of the two.
  std::unique_ptr<broker::DeviceLogin> device;
  std::unique_ptr<broker::BrowserLogin> browser;
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

// Nothing where it was never begun, is over or has expired.
std::shared_ptr<Logins::Login> Logins::Find(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  const auto found = logins_.find(id);
  const bool here = found != logins_.end() && found->second->ends >= ports_.clock.Now();
  return here ? found->second : nullptr;
}

void Logins::Forget(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  logins_.erase(id);
}

void Logins::Drop(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(logins_, [&](const auto& one) { return one.second->credential == credential; });
}

std::expected<Logins::Begun, Refusal> Logins::Start(const broker::policy::Config& config,
                                                    const broker::policy::Credential& credential) {
  const auto login = std::make_shared<Login>();
  login->credential = credential.name;
  login->device = std::make_unique<broker::DeviceLogin>(ports_, store_, config, credential);
  const std::string id = NewLoginId(ports_.random);
  if (!Reserve(id, login)) return TooMany();
  const std::scoped_lock turn(login->turn);
  auto prompt = login->device->Start();
  if (!prompt) {
    Forget(id);
    return std::unexpected(prompt.error());
  }
  const std::scoped_lock lock(mutex_);
  login->ends = ports_.clock.Now() + prompt->expires_in;
  return Begun{id, std::move(*prompt)};
}

std::expected<Logins::State, Refusal> Logins::Poll(const std::string& id) {
  const std::shared_ptr<Login> login = Find(id);
  if (!login || !login->device) return NoSuchLogin();
  const std::scoped_lock turn(login->turn);
  broker::DeviceLogin& flow = *login->device;
  const auto done = flow.Poll();
  if (done && !*done) return State{.interval = flow.interval()};
  Forget(id);
  if (!done) return std::unexpected(done.error());
  return State{.done = true, .credential = login->credential, .consented = flow.consented()};
}

std::expected<Logins::Opened, Refusal> Logins::Open(const broker::policy::Config& config,
                                                    const broker::policy::Credential& credential,
                                                    uint16_t port, std::string login_hint) {
  const auto login = std::make_shared<Login>();
  login->credential = credential.name;
  login->browser = std::make_unique<broker::BrowserLogin>(ports_, store_, config, credential);
  const std::string id = NewLoginId(ports_.random);
  if (!Reserve(id, login)) return TooMany();
  const std::scoped_lock turn(login->turn);
  auto url = login->browser->Start(port, std::move(login_hint));
  if (!url) {
    Forget(id);
    return std::unexpected(std::move(url.error()));
  }
  const std::scoped_lock lock(mutex_);
  login->ends = ports_.clock.Now() + kBrowserLogin;
  return Opened{id, std::move(*url), login->browser->state()};
}

std::expected<std::vector<std::string>, Refusal> Logins::Finish(const std::string& id,
                                                                const std::string& credential,
                                                                const broker::Secret& redirect) {
  const std::shared_ptr<Login> login = Find(id);
  if (!login || !login->browser || login->credential != credential) return NoSuchLogin();
  const std::scoped_lock turn(login->turn);
  auto consented = login->browser->Finish(redirect.Expose(broker::Exit::kInspectClaims));
  if (login->browser->over()) Forget(id);
  return consented;
}

}  // namespace sidecar::broker_role
