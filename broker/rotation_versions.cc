// What a rotation does with the versions that a vault keeps.
#include "broker/credential_access.h"
#include "broker/key_reference.h"
#include "broker/rotation.h"

namespace broker {
namespace {

using std::chrono::seconds;

constexpr std::chrono::minutes kMakeWithin{5};
constexpr seconds kMakePause{2};

}  // namespace

// Making a key takes the vault seconds: that is no failure, until it takes too long.
Rotation::Step Rotation::AwaitVault(const VaultError& error) {
  if (Now() > journal_.started + seconds(kMakeWithin).count()) {
    return Trouble(error.detail, error.retry_after);
  }
  memory_.trouble = error.detail;
  return Later(kMakePause);
}

// Known again by its label, so that no answer of the vault can be lost. What is not in the journal
// was not shown to Entra.
Rotation::Step Rotation::MakeVersion() {
  const auto newest = ports_.keys->Look(credential_.name, {});
  if (!newest && newest.error().code == ErrorCode::kConflict) return AwaitVault(newest.error());
  if (!newest) return Trouble(newest.error().detail, newest.error().retry_after);
  if (newest->label != journal_.label) {
    if (Revoked()) return Later(seconds{0});
    const auto told = ports_.keys->Make(credential_.name, journal_.label);
    if (told) return Later(kProofPause);
    const VaultError& error = told.error();
    if (error.code == ErrorCode::kConflict) return AwaitVault(error);
    if (error.code == ErrorCode::kDenied || error.code == ErrorCode::kInvalidRequest) {
      return End("the vault refused to make a new version: " + error.detail);
    }
    return Trouble(error.detail, error.retry_after);
  }
  if (!newest->enabled) {
    return Trouble("somebody disabled the new version in the vault: enable it");
  }
  journal_.secret = EncodeKeyReference(*newest);
  if (const Status saved = Save(journal_); !saved) return std::unexpected(saved.error());
  memory_ = {.fresh = true};
  return Later(seconds{0});
}

// Where somebody looks at the vault alone, it says until when Entra takes what is in it.
std::optional<Rotation::Step> Rotation::ExpireNew() {
  if (IsKey() || !IsElsewhere()) return std::nullopt;
  const Clock::Wall at{seconds(journal_.started) + kLife};
  const auto told = ports_.writer->Expire({credential_.name, *SecretKindOf(credential_)},
                                          journal_.new_version, at);
  if (told || told.error().code == ErrorCode::kNotFound) return std::nullopt;
  return Trouble(told.error().detail, told.error().retry_after);
}

// The vault keeps all versions: nobody is to take up one that Entra knows no more.
std::optional<Rotation::Step> Rotation::DisableOld() {
  if (IsKey() ? ports_.keys == nullptr : !IsElsewhere()) return std::nullopt;
  const auto disabled = IsKey()
                            ? ports_.keys->Disable(credential_.name, journal_.old_version)
                            : ports_.writer->Disable({credential_.name, *SecretKindOf(credential_)},
                                                     journal_.old_version);
  // Somebody purged it.
  if (disabled || disabled.error().code == ErrorCode::kNotFound) return std::nullopt;
  return Trouble(disabled.error().detail, disabled.error().retry_after);
}

// A version of a key that never came into use.
std::optional<Rotation::Step> Rotation::DisableNew() {
  if (!IsKey() || ports_.keys == nullptr) return std::nullopt;
  std::string version;
  if (const auto key = ParseKeyReference(journal_.secret)) version = key->version;
  if (version.empty()) {
    const auto newest = ports_.keys->Look(credential_.name, {});
    if (!newest) return Trouble(newest.error().detail, newest.error().retry_after);
    if (newest->label != journal_.label) return std::nullopt;
    version = newest->version;
  }
  const auto disabled = ports_.keys->Disable(credential_.name, version);
  if (disabled || disabled.error().code == ErrorCode::kNotFound) return std::nullopt;
  return Trouble(disabled.error().detail, disabled.error().retry_after);
}

}  // namespace broker
