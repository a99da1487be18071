// What a Key Vault, or somebody in its place, may answer.
#include <sodium.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vault_adapters/bearer_challenge.h"
#include "vault_adapters/key_vault_answer.h"
#include "vault_adapters/key_vault_error.h"
#include "vault_adapters/pkcs12.h"

using broker::Secret;

namespace {

constexpr const char* kOrigin = "https://corp.vault.azure.net";

void Require(bool holds) {
  if (!holds) std::abort();
}

void ReadAnswers(const Secret& body) {
  const vault::SecretPlace place{"app", {}};
  (void)vault::ReadSecretBundle(body, place);
  (void)vault::ReadKeyOperation(body, place);
  (void)vault::ReadKey(body, place);
  (void)vault::ReadCertificate(body, place);
  (void)vault::ReadPending(body, "app");
  const auto page = vault::ReadVersionPage(body, "app", kOrigin);
  if (page && !page->next_target.empty()) {
    Require(page->next_target.starts_with("/"));  // names have no case, so neither has the rest
  }
}

void ReadRefusals(std::string_view text) {
  for (const int status : {400, 401, 403, 404, 409, 429, 500}) {
    broker::HttpResponse response;
    response.status = status;
    response.body = Secret::CopyOf(text);
    const auto error =
        vault::ReadKeyVaultError(response, vault::KeyVaultOperation::kGetSecret, "host");
    Require(error.detail.size() < 1024);
  }
}

void FollowChallenge(std::string_view text) {
  const auto challenge = vault::ParseBearerChallenge(text);
  if (!challenge) return;
  const auto followed = vault::CheckChallenge(*challenge, {.vault_host = "corp.vault.azure.net",
                                                           .resource = "https://vault.azure.net",
                                                           .tenants = {"8f0c"},
                                                           .custom_cloud = false});
  if (followed) Require(challenge->resource.size() == 23);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool ready = sodium_init() >= 0;
  Require(ready);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Secret body = Secret::CopyOf(text);
  ReadAnswers(body);
  ReadRefusals(text);
  FollowChallenge(text);
  (void)vault::PemOfPkcs12(body);
  return 0;
}
