// What a rotation would do, and what it leaves alone.
#include "broker/policy/config_values.h"
#include "broker/rotations.h"

namespace broker {
namespace {

std::vector<std::string> StepsOf(const policy::Credential& credential, const Rotation::Ask& ask,
                                 const Rotation::Plan& plan) {
  const bool key = credential.kind == "key-vault-key";
  const std::string what = key ? "have vault " + credential.vault +
                                     " make a version of certificate " + credential.secret +
                                     " with a new key, and add it"
                           : credential.kind == "certificate"
                               ? "make a key and a certificate for " +
                                     policy::Format(Rotation::kLife) + ", and add the certificate"
                               : std::string("add a client secret");
  std::vector<std::string> steps = {
      what + " to application " + credential.client_id +
          (key ? "" : " for " + policy::Format(Rotation::kLife)),
      "ask Entra for tokens with it until " + std::to_string(Rotation::kProofs) +
          " in a row are given, for 15 minutes at the most; else remove it and keep what is in use",
      (key ? "use it" : "store it") + std::string(" in the place of version ") + plan.old_version +
          (key ? " from then on" : ", and use it from then on"),
      "remove key " + plan.old_key + " at Entra " + policy::Format(ask.grace) + " later" +
          (key ? ", and disable its version in the vault" : "")};
  if (!plan.unused.empty()) {
    steps.push_back("version " + plan.unused + " in the vault is newer than the one in use (" +
                    plan.old_version +
                    ") and is not used: purser uses what it rotated to; version = pins another");
  }
  return steps;
}

}  // namespace

std::expected<std::vector<std::string>, Refusal> Rotations::DryRun(const std::string& name,
                                                                   const Rotation::Ask& ask) {
  const Config config = ports_.config();
  const auto credential = Rotatable(config, name, ask.client_secret);
  if (!credential) return std::unexpected(credential.error());
  const std::string slot = SlotOf(name, ask.client_secret);
  if (credential->kind == "refresh-token") {
    return std::vector<std::string>{
        "redeem the refresh token at Entra, and store the new one that comes with the answer",
        "nothing is removed: Entra leaves the old one valid until it expires or is revoked"};
  }
  {
    const Lock lock(mutex_);
    Load(config);
    if (auto reserved = Reserve(slot); !reserved) return std::unexpected(reserved.error());
  }
  RotationMemory memory;
  const auto registration = ports_.registration(*config, *credential, ask.request_id);
  const auto keys = KeysOf(name);
  const auto plan =
      Rotation(PortsWith(*registration, keys.get()), *config, *credential, memory, slot)
          .Examine(ask);
  {
    const Lock lock(mutex_);
    all_[slot].busy = false;
  }
  if (!plan) return std::unexpected(plan.error());
  return StepsOf(*credential, ask, *plan);
}

std::string Rotations::UnusedVersion(const std::string& credential) {
  const Config config = ports_.config();
  const auto found = config->credentials.find(credential);
  const auto keys = KeysOf(credential);
  if (found == config->credentials.end() || keys == nullptr || !ports_.usable()) return {};
  if (!found->second.version.empty()) return {};  // the configuration chooses
  const auto view = Find(credential);
  if (!view || view->step != RotationStep::kIdle) return {};
  const auto active = ActiveVersion(ports_.journal, credential,
                                    KeyPlace(found->second.vault, found->second.secret));
  if (!active || active->empty()) return {};
  const auto newest = keys->Look(credential, {});
  if (!newest || !newest->enabled || newest->version == *active) return {};
  return newest->version;
}

}  // namespace broker
