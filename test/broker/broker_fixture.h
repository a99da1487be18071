// What the tests of Broker ask: one agent that may read mail.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "test/broker/at_once.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_token_cache.h"

namespace broker_test {

inline constexpr const char* kTenant = "8f0c1e5e-0000-4000-8000-000000000001";
inline constexpr const char* kUser = "11111111-0000-4000-8000-000000000002";
inline constexpr const char* kApp = "22222222-0000-4000-8000-000000000003";

/// One agent with one rule, of a delegated credential.
inline broker::policy::Config OneAgent() {
  broker::policy::Config config;
  config.instance.name = "test";
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com",
                   "https://graph.microsoft.com"};
  config.credentials["aid-mail"] = {.name = "aid-mail",
                                    .kind = "refresh-token",
                                    .client_id = kApp,
                                    .user = kUser,
                                    .scopes = {"Mail.Read"}};
  broker::policy::Agent agent;
  agent.name = "helpdesk";
  agent.limit = {5, std::chrono::seconds(3600)};
  agent.rules.push_back({.name = "read-mail",
                         .scopes = {"Mail.Read"},
                         .credential = "aid-mail",
                         .decision = "log",
                         .deliver = "token"});
  config.agents["helpdesk"] = agent;
  config.sha256 = "abc";
  return config;
}

/// A broker with every port faked, whose jobs run at once.
struct Fixture : FakeMintPorts {
  FakeTokenCache cache;
  broker::Minter minter{ports()};
  bool unsealed = true;
  bool room = true;
  broker::Broker broker{{cache, minter, ledger, clock, [this] { return unsealed; },
                         [this](broker::Broker::Job job) {
                           if (room) job();
                           return room;
                         }},
                        std::make_shared<const broker::policy::Config>(OneAgent())};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};

  std::shared_ptr<broker::AccessToken> Token() const {
    auto token = std::make_shared<broker::AccessToken>();
    token->value = broker::Secret::CopyOf("the-token");
    token->minted_at = clock.Now();
    token->expires_at = clock.Now() + std::chrono::hours(1);
    token->refresh_at = clock.Now() + std::chrono::minutes(48);
    token->exp_unix =
        std::chrono::duration_cast<std::chrono::seconds>(clock.WallNow().time_since_epoch())
            .count() +
        3600;
    token->audience = "https://graph.microsoft.com";
    token->tenant = kTenant;
    token->app_id = kApp;
    token->user_oid = kUser;
    token->uti = "uti-1";
    token->scopes = {"Mail.Read"};
    token->fingerprint = "f00d";
    token->credential_version = "3";
    return token;
  }
  std::expected<broker::IssuedToken, broker::Denied> Ask(const broker::TokenRequest& request,
                                                         const std::string& id) {
    return AskAtOnce(broker, caller, request, id);
  }

  static broker::TokenRequest Asking(std::vector<std::string> scopes) {
    broker::TokenRequest request;
    request.scopes = std::move(scopes);
    return request;
  }
};

}  // namespace broker_test
