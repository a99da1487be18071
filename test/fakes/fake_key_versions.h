#pragma once
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/key_versions.h"

/// A vault that keeps a key's versions, oldest first. What is thrown by `effect` is a crash before
/// or after something is changed. Signs nothing truly.
class FakeKeyVersions final : public broker::KeyVersions {
 public:
  broker::VaultResult<broker::KeyVersion> Look(const std::string& /*credential*/,
                                               const std::string& version) override {
    if (look_fails) return std::unexpected(*look_fails);
    if (version.empty() && pending > 0 && --pending >= 0) {
      return broker::Fail(broker::ErrorCode::kConflict, "the vault is at one");
    }
    for (const broker::KeyVersion& one : versions) {
      if (one.version == (version.empty() ? versions.back().version : version)) return one;
    }
    return broker::Fail(broker::ErrorCode::kNotFound, "no such version");
  }
  broker::VaultResult<void> MayMake(const std::string& /*credential*/,
                                    const std::string& /*version*/) override {
    if (refuse_with) return std::unexpected(*refuse_with);
    return {};
  }
  broker::VaultResult<void> Make(const std::string& /*credential*/,
                                 const std::string& label) override {
    if (effect) effect();
    if (make_fails) return std::unexpected(*make_fails);
    Add(label);
    pending = takes;
    if (effect) effect();
    return {};
  }
  broker::VaultResult<void> Disable(const std::string& /*credential*/,
                                    const std::string& version) override {
    if (effect) effect();
    for (broker::KeyVersion& one : versions) {
      if (one.version == version) one.enabled = false;
    }
    if (effect) effect();
    return {};
  }
  broker::VaultResult<std::string> SignRs256(const std::string& credential,
                                             const std::string& version,
                                             const broker::Signer::Digest& digest) override {
    return Sign("RS256 by ", credential, version, digest);
  }
  broker::VaultResult<std::string> SignPs256(const std::string& credential,
                                             const std::string& version,
                                             const broker::Signer::Digest& digest) override {
    return Sign("PS256 by ", credential, version, digest);
  }

  void Add(const std::string& label) {
    const std::string number = std::to_string(versions.size() + 1);
    versions.push_back({"v" + number, "certificate " + number, label, true});
  }
  [[nodiscard]] std::string Enabled() const {
    std::string enabled;
    for (const auto& one : versions) {
      if (one.enabled) enabled += (enabled.empty() ? "" : " ") + one.version;
    }
    return enabled;
  }

  std::vector<broker::KeyVersion> versions;
  std::vector<broker::Signer::Digest> digests;  // that were signed, oldest first
  std::optional<broker::VaultError> look_fails, refuse_with, make_fails, sign_fails;
  int takes = 0;    // looks at the newest that a new version takes to be made
  int pending = 0;  // of them, that are left
  std::function<void()> effect;

 private:
  broker::VaultResult<std::string> Sign(const char* how, const std::string& credential,
                                        const std::string& version,
                                        const broker::Signer::Digest& digest) {
    if (sign_fails) return std::unexpected(*sign_fails);
    digests.push_back(digest);
    return how + credential + " " + version;
  }
};
