// What each step of a rotation does. It may have been done already, wholly or in part.
#include <algorithm>
#include <utility>

#include "broker/credential_access.h"
#include "broker/entra/client_certificate.h"
#include "broker/key_reference.h"
#include "broker/rotation.h"

namespace broker {
namespace {

using graph::Fault, graph::GraphError;
using ledger::Outcome;
using std::chrono::seconds;

constexpr size_t kMaxFailureBytes = 400;  // of what is kept and shown; details are a line or two
// A resumed rotation that cannot read the registration asks Entra by trying the new one, for as
// long as Entra usually takes to know it, before it adds the certificate once more.
constexpr std::chrono::minutes kLookForLost{3};
constexpr const char* kRevoked = "the credential was revoked meanwhile";

bool Refused(const GraphError& error) {
  return error.fault == Fault::kRefused || error.fault == Fault::kMissingPermission ||
         error.fault == Fault::kNotFound;
}

bool Lists(const graph::Application& app, const std::string& key_id) {
  const auto is = [&](const auto& one) { return one.key_id == key_id; };
  return std::ranges::any_of(app.keys, is) || std::ranges::any_of(app.passwords, is);
}

}  // namespace

// All that this rotation has added, by whatever number of tries.
std::vector<std::string> Rotation::Ours(const graph::Application& app, const Secret& made) const {
  std::vector<std::string> ours;
  if (credential_.kind == "certificate" || IsKey()) {
    const auto der = CertificateOf(made);
    const std::string sha1 = der ? entra::Sha1Thumbprint(*der) : std::string();
    for (const auto& key : app.keys) {
      const bool same = !sha1.empty() && key.sha1 == sha1;
      if (same || key.display_name == journal_.label) ours.push_back(key.key_id);
    }
  } else {
    for (const auto& one : app.passwords) {
      if (one.display_name == journal_.label) ours.push_back(one.key_id);
    }
  }
  return ours;
}

Rotation::Step Rotation::Add() {
  // Nothing was asked of Entra yet, which only the process that began it knows.
  if (Revoked() && memory_.fresh) return End(kRevoked);
  if (Revoked()) return GiveUp(kRevoked);
  if (Now() > journal_.started + seconds(kAddWithin).count()) {
    return GiveUp("it could not be added within an hour: " + memory_.trouble);
  }
  const auto current = FetchCurrent();
  if (!current) return Trouble(current.error().detail, current.error().retry_after);
  if (IsKey() && journal_.secret.empty()) return MakeVersion();
  if (journal_.blind) return memory_.fresh ? AddOnce(*current) : FindLost(*current);
  const auto app = ports_.registration.Read();
  if (!app) return Trouble(app.error().detail, app.error().retry_after);
  const auto ours = Ours(*app, journal_.secret);
  const bool made_here = !journal_.secret.empty();
  if (made_here && !ours.empty()) {
    journal_.new_key = ours.front();
    return MoveTo(RotationStep::kProving);
  }
  // A client secret's text was in the answer that was lost: nobody has it.
  if (auto step = RemoveAll(ours, current->value)) return std::move(*step);
  return AddOnce(*current);
}

// The registration cannot be read: only the certificate itself can tell whether it was added.
Rotation::Step Rotation::FindLost(const VaultSecret& current) {
  if (ports_.registration.Prove(journal_.secret)) return MoveTo(RotationStep::kProving);
  if (Now() > journal_.started + seconds(kLookForLost).count()) return AddOnce(current);
  return Trouble("looking whether Entra has the new certificate, after an answer was lost");
}

Rotation::Step Rotation::AddOnce(const VaultSecret& current) {
  if (Revoked()) return Later(seconds{0});
  memory_.fresh = false;
  auto added = ports_.registration.Add({journal_.label, ports_.clock.WallNow() + kLife},
                                       {journal_.object_id, current.value}, journal_.secret);
  if (!added) {
    const GraphError& error = added.error();
    if (Refused(error)) return End("Graph refused to add the new credential: " + error.detail);
    return Trouble(error.detail, error.retry_after);
  }
  journal_.new_key = std::move(added->key_id);
  if (journal_.secret.empty()) journal_.secret = std::move(added->text);
  return MoveTo(RotationStep::kProving);
}

Rotation::Step Rotation::Prove() {
  if (Revoked()) return GiveUp(kRevoked);
  if (memory_.proofs == 0 && memory_.failures == 0) {
    if (const Status told = Record(Outcome::kPending, "prove"); !told) {
      return std::unexpected(told.error());
    }
  }
  const auto proven = ports_.registration.Prove(journal_.secret);
  if (proven) {
    memory_.trouble.clear();
    if (++memory_.proofs >= kProofs) return MoveTo(RotationStep::kSwitching);
    return Later(kProofPause);
  }
  memory_.proofs = 0;
  if (Now() > journal_.since + seconds(kProveWithin).count()) {
    return GiveUp("the new credential did not work within " + std::to_string(kProveWithin.count()) +
                  " minutes: " + proven.error().detail);
  }
  return Trouble("Entra does not know the new credential yet: " + proven.error().detail,
                 proven.error().retry_after);
}

Rotation::Step Rotation::Switch() {
  const auto current = FetchCurrent();
  if (!current && Destroyed(current.error())) return GiveUp(kRevoked);
  if (!current) return Trouble(current.error().detail, current.error().retry_after);
  journal_.new_version = current->version;
  if (!Same(current->value, journal_.secret)) {
    journal_.new_version.clear();
    if (Revoked()) return GiveUp(kRevoked);
    if (current->version != journal_.old_version) {
      return GiveUp("somebody enrolled another secret meanwhile, which stays");
    }
    if (const Status told = Record(Outcome::kPending, "switch"); !told) {
      return std::unexpected(told.error());
    }
    if (Revoked()) return GiveUp(kRevoked);
    // Of a key the journal alone says which version is in use.
    const auto key = ParseKeyReference(journal_.secret);
    auto version = IsKey() && key
                       ? VaultResult<std::string>(key->version)
                       : ports_.vault.Replace({credential_.name, *SecretKindOf(credential_)},
                                              journal_.old_version, journal_.secret);
    // Not for want of time: the new one is taken back, and somebody has to look.
    if (!version && version.error().code == ErrorCode::kDenied) {
      return GiveUp("the vault refused to store it: " + version.error().detail);
    }
    if (!version) return Trouble(version.error().detail, version.error().retry_after);
    journal_.new_version = std::move(*version);
  }
  if (auto step = ExpireNew()) return std::move(*step);
  if (const Status told = Record(Outcome::kSuccess, "switch"); !told) {
    return std::unexpected(told.error());
  }
  journal_.rotated = Now();
  journal_.remove_after = Now() + journal_.grace;
  journal_.secret = Secret();
  return MoveTo(RotationStep::kGrace);
}

Rotation::Step Rotation::RemoveOld() {
  const bool revoked = Revoked();
  const int64_t left = journal_.remove_after - Now();
  if (left > 0 && !revoked) return Later(seconds(left));
  const auto current = FetchCurrent();
  if (!current && Destroyed(current.error())) return RemoveBoth();
  if (!current) return Trouble(current.error().detail, current.error().retry_after);
  // It may be the old one, put back.
  if (current->version != journal_.new_version) {
    return End(
        "another secret was enrolled after the switch, so that purser removed nothing: of "
        "the keys " +
        journal_.old_key + " and " + journal_.new_key + " at Entra remove what is not in use");
  }
  // What is revoked is not asked with: it was proven before the switch.
  const auto proven = revoked ? GraphResult<void>() : ports_.registration.Prove(current->value);
  if (!proven) {
    return Trouble("the old one stays while the new one does not work: " + proven.error().detail,
                   proven.error().retry_after);
  }
  std::vector<std::string> away = {journal_.old_key};
  if (!journal_.blind) {
    const auto app = ports_.registration.Read();
    if (!app) return Trouble(app.error().detail, app.error().retry_after);
    if (!Lists(*app, journal_.new_key)) {
      return Trouble("Graph does not list the new credential, so that the old one stays");
    }
    away = Ours(*app, current->value);
    std::erase(away, journal_.new_key);
    if (Lists(*app, journal_.old_key)) away.push_back(journal_.old_key);
  }
  if (auto step = RemoveAll(away, current->value)) return std::move(*step);
  if (auto step = DisableOld()) return std::move(*step);
  if (const Status told = Record(Outcome::kSuccess, "remove"); !told) {
    return std::unexpected(told.error());
  }
  return End(revoked ? kRevoked : std::string());
}

// Revoked and destroyed here in the grace period: neither of the two is of any use any more, and
// nobody but purser ever had the new one.
Rotation::Step Rotation::RemoveBoth() {
  const std::string both = journal_.old_key + " and " + journal_.new_key;
  // A certificate is removed by one that is still valid, and purser has none.
  if (credential_.kind == "certificate" || IsKey()) {
    return End(std::string(kRevoked) + ": keys " + both +
               " at Entra could not be removed with it: remove by hand what is still there");
  }
  const auto app = ports_.registration.Read();
  if (!app)
    return Trouble("keys " + both + " are still at Entra: " + app.error().detail,
                   app.error().retry_after);
  std::vector<std::string> away;
  for (const std::string& key : {journal_.old_key, journal_.new_key}) {
    if (Lists(*app, key)) away.push_back(key);
  }
  if (auto step = RemoveAll(away, Secret())) return std::move(*step);
  return End(kRevoked);
}

// Nothing: all of them are gone.
std::optional<Rotation::Step> Rotation::RemoveAll(const std::vector<std::string>& keys,
                                                  const Secret& current) {
  for (const std::string& key : keys) {
    const auto removed = ports_.registration.Remove(key, {journal_.object_id, current});
    if (removed) continue;
    // A crash may have come between removing and knowing of it, and nobody here can look.
    if (journal_.blind && Refused(removed.error())) {
      if (journal_.step == RotationStep::kGrace) {
        if (auto step = DisableOld()) return std::move(*step);
      }
      return End("key " + key + " is not in use any more, but was not removed (" +
                 removed.error().detail + "): if it is still there, remove it by hand");
    }
    return Trouble(removed.error().detail, removed.error().retry_after);
  }
  return std::nullopt;
}

Rotation::Step Rotation::GiveUp(const std::string& why) {
  journal_.failure = why.substr(0, kMaxFailureBytes);
  return MoveTo(RotationStep::kUndoing);
}

Rotation::Step Rotation::Undo() {
  // Nothing was shown to Entra.
  if (IsKey() && journal_.secret.empty()) return End(journal_.failure);
  const auto current = FetchCurrent();
  if (!current && !Destroyed(current.error())) {
    return Trouble(current.error().detail, current.error().retry_after);
  }
  // It came into use after all: then the other one is what goes.
  if (current && !journal_.secret.empty() && Same(current->value, journal_.secret)) {
    return MoveTo(RotationStep::kSwitching);
  }
  // What is revoked is asked with no more: the new one, which is in use nowhere, removes itself.
  const bool revoked = Revoked();
  const bool alone =
      revoked && !journal_.secret.empty() && ports_.registration.AskWith(journal_.secret);
  const bool long_ago = Now() > journal_.since + seconds(kProveWithin).count();
  const Secret& holder = current && !revoked ? current->value : journal_.secret;
  std::vector<std::string> away;
  if (!journal_.new_key.empty()) away.push_back(journal_.new_key);
  if (!journal_.blind) {
    const auto app = ports_.registration.Read();
    // It was removed, and the process died before it knew.
    if (!app && alone && long_ago && app.error().fault == Fault::kNoToken) {
      return End(journal_.failure);
    }
    if (!app) return Trouble(app.error().detail, app.error().retry_after);
    const bool listed = Lists(*app, journal_.new_key);
    away = Ours(*app, journal_.secret);
    if (listed && std::ranges::find(away, journal_.new_key) == away.end()) {
      away.push_back(journal_.new_key);
    }
  }
  std::erase(away, journal_.old_key);
  if (auto step = RemoveAll(away, holder)) return std::move(*step);
  if (journal_.blind && journal_.new_key.empty()) {
    journal_.failure +=
        "; if the application has a certificate named " + journal_.label + ", remove it by hand";
  }
  return End(journal_.failure);
}

// Whatever was in use before stays known as what is in use.
Rotation::Step Rotation::End(const std::string& failure) {
  const bool failed = !failure.empty();
  if (failed) {
    journal_.failure = failure.substr(0, kMaxFailureBytes);
    if (journal_.new_version.empty()) {
      if (auto step = DisableNew()) return std::move(*step);
    }
    if (const Status told = Record(Outcome::kFailure, "end"); !told) {
      return std::unexpected(told.error());
    }
  }
  const bool switched = !journal_.new_version.empty();
  RotationJournal last;
  last.object_id = journal_.object_id;
  last.place = journal_.place;
  last.new_key = switched ? journal_.new_key : journal_.old_key;
  last.new_version = switched ? journal_.new_version : journal_.old_version;
  last.failure = failed ? journal_.failure : std::string();
  last.started = journal_.started;
  last.rotated = journal_.rotated;
  last.jitter = NewJitter(ports_.random);
  journal_ = std::move(last);
  return MoveTo(RotationStep::kIdle);
}

}  // namespace broker
