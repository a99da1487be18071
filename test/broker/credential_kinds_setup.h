// What the tests of the kinds of credential share.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "broker/minter.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_signer.h"
#include "test/fakes/fake_token_files.h"

namespace credential_kinds {

inline constexpr const char* kAssertion = "&client_assertion=";

/// A minter with every port faked, and credentials by name.
struct Setup : FakeMintPorts {
  Setup() {
    config.tenant = {entra_answers::kTenant, "public", "https://login.microsoftonline.com",
                     entra_answers::kGraph, ""};
    who.agent = "helpdesk";
    who.request_id = "r-1";
    Add({.name = "app", .kind = "client-secret", .client_id = entra_answers::kClient});
    const broker::Secret secret = broker::Secret::CopyOf("app-secret");
    REQUIRE(vault.store.Put({"app", broker::SecretKind::kClientSecret}, secret, 0).has_value());
  }
  void Add(broker::policy::Credential credential) {
    config.credentials[credential.name] = std::move(credential);
  }
  broker::MintResult Mint(const std::string& name, const broker::Secret* user = nullptr) {
    const broker::policy::Credential& credential = config.credentials.at(name);
    const broker::TokenKey key{name, entra_answers::kGraph, {".default"}, "", credential.user};
    return minter.Mint(config, credential, key, who, user);
  }
  std::string Body(size_t i) {
    REQUIRE(http.seen.size() > i);
    return http.seen[i].body;
  }
  std::string Accessed() {
    std::string names;
    for (const auto& entry : ledger.entries) {
      const bool failed = entry.outcome == broker::ledger::Outcome::kFailure;
      names += (names.empty() ? "" : " ") + entry.credential_name + (failed ? "!" : "");
    }
    return names;
  }

  broker::policy::Config config;
  broker::ledger::Entry who;
  FakeTokenFiles files;
  FakeSigner signer;
  broker::Minter minter{
      {http, vault, ledger, clock, random, sleeper, fingerprint_key, nullptr, &files, &signer}};
};

inline broker::Reason ReasonOf(const broker::MintResult& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().reason;
}

inline bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace credential_kinds
