#include "broker/rotation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "broker/base/unix_time.h"
#include "broker/credential_access.h"
#include "broker/key_reference.h"

namespace broker {
namespace {

using graph::Fault, graph::GraphError;
using ledger::Entry, ledger::EntryType, ledger::Outcome;
using std::chrono::milliseconds, std::chrono::seconds;

constexpr size_t kLabelBytes = 4;

bool IsCertificate(const policy::Credential& credential) {
  return credential.kind == "certificate" || credential.kind == "key-vault-key";
}

// Of the certificate in a bundle; empty for what is none.
std::string Sha1Of(const Secret& bundle) {
  const auto der = CertificateOf(bundle);
  return der ? entra::Sha1Thumbprint(*der) : std::string();
}

// By which what a crash left behind is known again.
std::string NewLabel(const std::string& instance, const std::string& name, Random& random) {
  std::array<std::byte, kLabelBytes> bytes{};
  random.Fill(bytes);
  std::string label = "purser " + instance + " " + name + " ";
  for (const std::byte byte : bytes) {
    label += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
    label += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15U];
  }
  return label;
}

Refusal RefusalOf(const GraphError& error) {
  auto reason = Reason::kUpstreamRejected;
  if (error.fault == Fault::kUnavailable) reason = Reason::kUpstreamUnavailable;
  if (error.fault == Fault::kInvalid) reason = Reason::kUpstreamInvalid;
  if (error.fault == Fault::kThrottled) reason = Reason::kUpstreamThrottled;
  return {reason, error.detail + ".", error.detail, error.retry_after};
}

Refusal StoreRefusal(const Error& error) {
  return {Reason::kStoreUnavailable, error.detail, "rotation journal: " + error.detail, {}};
}

}  // namespace

int64_t Rotation::Now() const { return UnixSeconds(ports_.clock.WallNow()); }

Result<RotationJournal> Rotation::Load() {
  auto row = ports_.journal.Get(journal_id_);
  if (!row && row.error().code == ErrorCode::kNotFound) {
    journal_version_ = 0;
    return RotationJournal{};
  }
  if (!row) return std::unexpected(row.error());
  journal_version_ = row->version;
  return ParseRotationJournal(row->value);
}

Status Rotation::Save(const RotationJournal& journal) {
  const auto version =
      ports_.journal.Put(journal_id_, EncodeRotationJournal(journal), journal_version_);
  if (!version) return std::unexpected(version.error());
  journal_version_ = *version;
  return {};
}

Status Rotation::Record(Outcome outcome, std::string_view what) {
  Entry entry{.type = EntryType::kSecretRotated, .outcome = outcome};
  entry.request_id = journal_.request_id;
  entry.credential_name = credential_.name;
  entry.credential_kind = credential_.kind;
  entry.credential_version =
      journal_.new_version.empty() ? journal_.old_version : journal_.new_version;
  entry.target_kind = "application";
  entry.target_id = credential_.client_id;
  entry.policy_sha256 = config_.sha256;
  if (outcome == Outcome::kFailure && Revoked()) {
    entry.reason = Describe(Reason::kCredentialRevoked).name;
  }
  entry.change["step"] = std::string(what);
  if (!journal_.old_key.empty()) entry.change["old_key"] = journal_.old_key;
  if (!journal_.new_key.empty()) entry.change["new_key"] = journal_.new_key;
  if (!journal_.old_version.empty()) entry.change["old_version"] = journal_.old_version;
  if (!journal_.new_version.empty()) entry.change["new_version"] = journal_.new_version;
  const auto receipt = ports_.ledger.Append(entry);
  if (!receipt) return std::unexpected(receipt.error());
  return {};
}

Rotation::Step Rotation::Later(milliseconds wait) const {
  return State{journal_.step, ports_.clock.WallNow() + wait};
}

Rotation::Step Rotation::Trouble(const std::string& what, std::optional<seconds> wait) {
  memory_.trouble = what;
  const int doublings = std::min(memory_.failures++, 8);
  return Later(std::max(wait.value_or(seconds{0}),
                        std::min<seconds>(kFirstPause * (1 << doublings), kLongestPause)));
}

Rotation::Step Rotation::MoveTo(RotationStep step) {
  journal_.step = step;
  journal_.since = Now();
  if (const Status saved = Save(journal_); !saved) return std::unexpected(saved.error());
  memory_.failures = memory_.proofs = 0;
  memory_.trouble.clear();
  return Later(milliseconds{0});
}

// No audit, no secret: the access stands in the ledger before the vault is read.
VaultResult<VaultSecret> Rotation::FetchCurrent() {
  Entry entry{.type = EntryType::kCredentialAccess, .outcome = Outcome::kSuccess};
  entry.request_id = journal_.request_id;
  entry.credential_name = credential_.name;
  entry.credential_kind = credential_.kind;
  entry.credential_version = journal_.old_version;
  entry.target_kind = "rotation";
  entry.target_id = credential_.client_id;
  entry.policy_sha256 = config_.sha256;
  if (const auto receipt = ports_.ledger.Append(entry); !receipt) {
    return std::unexpected(VaultError(receipt.error()));
  }
  if (!IsKey()) return ports_.vault.Fetch({credential_.name, *SecretKindOf(credential_)});
  if (ports_.keys == nullptr) return Fail(ErrorCode::kNotFound, "no vault keeps its key");
  const auto key = ports_.keys->Look(credential_.name, ActiveVersion(journal_, Place()));
  if (!key) return std::unexpected(key.error());
  return VaultSecret{EncodeKeyReference(*key), key->version};
}

std::expected<std::string, Refusal> Rotation::OldKey(const graph::Application& app,
                                                     const VaultSecret& now, const Ask& ask) const {
  std::vector<std::string> found;
  const std::string known = journal_.new_version == now.version ? journal_.new_key : std::string();
  const std::string& wanted = ask.key_id.empty() ? known : ask.key_id;
  const auto look = [&](const auto& list, const auto& alike) {
    for (const auto& one : list) {
      if (wanted.empty() ? alike(one) : one.key_id == wanted) found.push_back(one.key_id);
    }
  };
  if (IsCertificate(credential_)) {
    const std::string sha1 = Sha1Of(now.value);
    look(app.keys, [&](const auto& key) { return !sha1.empty() && key.sha1 == sha1; });
  } else {
    const std::string_view text = now.value.Expose(Exit::kInspectClaims);
    look(app.passwords,
         [&](const auto& one) { return one.hint.size() >= 3 && text.starts_with(one.hint); });
  }
  if (found.size() == 1) return found.front();
  return Refuse(Reason::kValueOutOfRange,
                found.empty() ? "Entra lists no credential of the application that is the one in "
                                "use: purser does not know what it would remove."
                              : "Several secrets of the application begin as the one in use does: "
                                "say which with --key-id.");
}

std::expected<Rotation::Plan, Refusal> Rotation::Examine(const Ask& ask) {
  if (Revoked()) return std::unexpected(RevokedRefusal(credential_.name));
  auto loaded = Load();
  if (!loaded) return std::unexpected(StoreRefusal(loaded.error()));
  journal_ = std::move(*loaded);
  if (journal_.step != RotationStep::kIdle) {
    return Refuse(Reason::kConflict, "A rotation of " + credential_.name + " is under way: step " +
                                         std::string(RotationStepName(journal_.step)) + ".");
  }
  const auto current = FetchCurrent();
  if (!current) {
    Refusal refusal = VaultRefusal(credential_, current.error());
    if (current.error().code == ErrorCode::kConflict) refusal.hint = current.error().detail + ".";
    return std::unexpected(std::move(refusal));
  }
  // Before anything is changed anywhere: a role that is missing is said now.
  if (IsKey() || IsElsewhere()) {
    const auto may = IsKey()
                         ? ports_.keys->MayMake(credential_.name, current->version)
                         : ports_.writer->MayWrite({credential_.name, *SecretKindOf(credential_)},
                                                   current->version);
    if (!may) {
      Refusal refusal = VaultRefusal(credential_, may.error());
      refusal.hint = may.error().detail + ".";  // who rotates may know which role it is
      return std::unexpected(std::move(refusal));
    }
  }
  Plan plan{.old_version = current->version};
  if (IsKey()) {
    const auto newest = ports_.keys->Look(credential_.name, {});
    if (newest && newest->enabled && newest->version != current->version) {
      plan.unused = newest->version;
    }
  }
  const auto app = ports_.registration.Read();
  if (app) {
    plan.object_id = app->object_id;
    auto old_key = OldKey(*app, *current, ask);
    if (!old_key) return std::unexpected(std::move(old_key.error()));
    plan.old_key = std::move(*old_key);
    return plan;
  }
  if (app.error().fault != Fault::kMissingPermission || !IsCertificate(credential_)) {
    return std::unexpected(RefusalOf(app.error()));
  }
  // An application may change its own keys without any permission, but not read itself.
  plan.blind = true;
  const bool known = journal_.new_version == current->version;
  plan.object_id = ask.object_id.empty() ? journal_.object_id : ask.object_id;
  plan.old_key = ask.key_id.empty() && known ? journal_.new_key : ask.key_id;
  if (!plan.object_id.empty() && !plan.old_key.empty()) return plan;
  return Refuse(Reason::kValueOutOfRange,
                "purser may not read the registration. Either " +
                    app.error().detail.substr(app.error().detail.find("grant")) +
                    ", or name with --object-id and --key-id what the portal shows of the "
                    "application and of the certificate in use; the next time purser knows.");
}

std::expected<void, Refusal> Rotation::Begin(const Ask& ask) {
  auto plan = Examine(ask);
  if (!plan) return std::unexpected(std::move(plan.error()));
  RotationJournal next;
  next.step = RotationStep::kAdding;
  next.object_id = plan->object_id;
  next.old_key = plan->old_key;
  next.old_version = plan->old_version;
  next.place = Place();
  next.blind = plan->blind;
  next.label = NewLabel(config_.instance.name, credential_.name, ports_.random);
  next.request_id = ask.request_id;
  next.grace = ask.grace.count();
  next.since = next.started = Now();
  next.rotated = journal_.rotated;
  next.jitter = journal_.jitter;
  if (credential_.kind == "certificate") {
    const auto now = ports_.clock.WallNow();
    auto made = ports_.make_certificate({next.label, now, now + kLife});
    if (!made) return Refuse(Reason::kInternal, made.error().detail, made.error().detail);
    next.secret = std::move(*made);
  }
  journal_ = std::move(next);
  if (const Status told = Record(Outcome::kPending, "begin"); !told) {
    return std::unexpected(LedgerRefusal(told.error()));
  }
  if (const Status saved = Save(journal_); !saved) {
    return std::unexpected(StoreRefusal(saved.error()));
  }
  memory_ = {.fresh = true};
  return {};
}

Result<Rotation::State> Rotation::Advance() {
  auto loaded = Load();
  if (!loaded) return std::unexpected(loaded.error());
  journal_ = std::move(*loaded);
  if (journal_.step != RotationStep::kIdle && journal_.place != Place()) {
    return Trouble(
        "the configuration names another key since this rotation began: put kind, "
        "vault and name back until it is over");
  }
  switch (journal_.step) {
    case RotationStep::kIdle:
      break;
    case RotationStep::kAdding:
      return Add();
    case RotationStep::kProving:
      return Prove();
    case RotationStep::kSwitching:
      return Switch();
    case RotationStep::kGrace:
      return RemoveOld();
    case RotationStep::kUndoing:
      return Undo();
  }
  return State{};
}

bool Rotation::Revoked() const {
  return ports_.revocations != nullptr && ports_.revocations->Has(credential_.name);
}

// Revoking overwrites what purser's own store has.
bool Rotation::Destroyed(const VaultError& error) const {
  return error.code == ErrorCode::kNotFound && Revoked();
}

Refusal RevokedRefusal(const std::string& credential) {
  return {Reason::kCredentialRevoked,
          "Credential " + credential +
              " is revoked: a rotation would bring it back into use. Enrol a new secret or release "
              "it first.",
          {},
          {}};
}

std::string WhyNotRotated(const policy::Config& config, const policy::Credential& credential) {
  const std::string& kind = credential.kind;
  if (kind == "managed-identity") {
    return "A managed identity has no secret that anybody holds: Azure rotates it by itself.";
  }
  if (kind == "federated") {
    return "A federated credential has no secret: its platform issues a new token each time.";
  }
  if (kind == "agent-identity") {
    return "An agent identity has no credential of its own: rotate its blueprint, " +
           credential.proof + ".";
  }
  if (kind == "on-behalf-of") {
    return "It is proved by another credential: rotate " + credential.proof + ".";
  }
  if (kind == "webhook-url") {
    return "Who made the webhook gives out a new address: store it with purser secret set.";
  }
  const auto vault = config.vaults.find(credential.vault);
  if (vault == config.vaults.end() || kind == "refresh-token") return {};
  const std::string place = "Its secret is in vault " + credential.vault + ": ";
  if (vault->second.kind != "azure-key-vault") {
    return place + "whoever mounts these files puts a new one there, and purser reads it.";
  }
  if (!credential.version.empty()) {
    return place + "version = \"" + credential.version +
           "\" pins it. Remove that line, and purser takes the newest version and makes new ones.";
  }
  return {};
}

bool Rotation::Same(const Secret& a, const Secret& b) const {
  if (a.Equals(b)) return true;
  if (!IsCertificate(credential_)) return false;
  const std::string sha1 = Sha1Of(a);
  return !sha1.empty() && sha1 == Sha1Of(b);
}

}  // namespace broker
