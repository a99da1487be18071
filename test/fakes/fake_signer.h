#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/ports/signer.h"

/// Signs nothing truly: the signature is "signed by NAME VERSION". Not thread-safe.
class FakeSigner final : public broker::Signer {
 public:
  broker::VaultResult<broker::SigningKey> Current(const std::string& /*credential*/) override {
    if (fail_with) return broker::Fail(*fail_with, "fake");
    return broker::SigningKey{version, "thumbprint", "corp.vault.azure.net"};
  }
  broker::VaultResult<std::string> SignPs256(const std::string& credential, const std::string& of,
                                             const Digest& digest) override {
    if (before_signing) before_signing();
    digests.push_back(digest);
    if (fail_signing_with) return broker::Fail(*fail_signing_with, "fake");
    return "signed by " + credential + " " + of;
  }
  std::string version = "v1";
  std::optional<broker::ErrorCode> fail_with, fail_signing_with;
  std::vector<Digest> digests;
  std::function<void()> before_signing;
};
