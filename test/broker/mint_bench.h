// What a test of minting or of a login needs: one credential, an Entra that answers from a queue,
// and a vault.
#pragma once
#include <doctest/doctest.h>

#include "broker/credential_access.h"
#include "broker/minter.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_mint_ports.h"

/// The collaborators of a mint, all fakes, and the credential "aid-mail".
struct MintBench : FakeMintPorts {
  explicit MintBench(const std::string& kind = "refresh-token") {
    config.tenant = {entra_answers::kTenant, "public", "https://login.microsoftonline.com",
                     entra_answers::kGraph};
    credential.name = "aid-mail";
    credential.kind = kind;
    credential.client_id = entra_answers::kClient;
    credential.user = kind == "refresh-token" ? entra_answers::kUser : "";
  }

  broker::policy::Config config;
  broker::policy::Credential credential;
};

/// A minter whose vault holds the credential's secret.
struct MinterBench : MintBench {
  explicit MinterBench(const std::string& kind = "refresh-token") : MintBench(kind) {
    key = {credential.name, entra_answers::kGraph, {"Mail.Read"}, "", credential.user};
    if (kind != "refresh-token") key.scopes = {".default"};
    who.agent = "helpdesk";
    who.request_id = "0198c0de-0000-7000-8000-000000000005";
    const auto secret_kind = broker::SecretKindOf(credential).value();
    const auto secret = broker::Secret::CopyOf("stored s&cret+1");
    REQUIRE(vault.store.Put({credential.name, secret_kind}, secret, 0).has_value());
  }
  broker::MintResult Mint() { return minter.Mint(config, credential, key, who); }
  std::string Stored(broker::SecretKind kind = broker::SecretKind::kRefreshToken) {
    return std::string(vault.store.Get({credential.name, kind})->value.Expose(broker::Exit::kTest));
  }

  broker::TokenKey key;
  broker::ledger::Entry who;
  broker::Minter minter{ports()};
};

inline broker::Reason ReasonOf(const broker::MintResult& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().reason;
}
