// test/vault_adapters/key_vault_fixture.h: a client of a Key Vault that answers from a script.
#pragma once
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/base64.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_http.h"
#include "test/fakes/fake_vault_auth.h"
#include "vault_adapters/key_vault_client.h"

namespace key_vault {

inline const std::string kUrl = "https://corp.vault.azure.net";
inline const std::string kTenant = "8f0c1a52-0000-4000-8000-00000000abcd";
inline const std::string kV1 = "11111111111111111111111111111111";
inline const std::string kV2 = "22222222222222222222222222222222";
inline const std::string kV3 = "33333333333333333333333333333333";

inline int64_t Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(FakeClock().WallNow().time_since_epoch())
      .count();
}

inline std::string ErrorBody(const std::string& code, const std::string& inner = {},
                             const std::string& message = "prose about ada@contoso.com") {
  nlohmann::json error = {{"code", code}, {"message", message}};
  if (!inner.empty()) error["innererror"] = {{"code", inner}};
  return nlohmann::json{{"error", error}}.dump();
}

inline nlohmann::json Bundle(const std::string& value, const std::string& version,
                             const std::string& name = "app-secret") {
  return {{"value", value},
          {"id", kUrl + "/secrets/" + name + "/" + version},
          {"attributes",
           {{"enabled", true}, {"created", 1795000000}, {"recoveryLevel", "Recoverable"}}},
          {"tags", nlohmann::json::object()}};
}

inline std::string Challenge(const std::string& tenant = kTenant,
                             const std::string& resource = "https://vault.azure.net") {
  return "Bearer authorization=\"https://login.microsoftonline.com/" + tenant + "\", resource=\"" +
         resource + "\"";
}

struct Fixture {
  FakeHttp http;
  FakeClock clock;
  FakeVaultAuth auth;
  vault::KeyVaultClient client{{.url = kUrl,
                                .resource = "https://vault.azure.net",
                                .tenants = {"contoso.example", kTenant},
                                .custom_cloud = false},
                               {http, auth, clock}};

  void PushChallenge(const std::string& challenge) {
    auto answer = FakeHttp::Answer(401, ErrorBody("Unauthorized"));
    answer.www_authenticate = challenge;
    http.Push(std::move(answer));
  }
  void PushThrottled(std::optional<std::chrono::seconds> wait, int status = 429) {
    auto answer = FakeHttp::Answer(status, ErrorBody("Throttled"));
    answer.retry_after = wait;
    http.Push(std::move(answer));
  }
};

}  // namespace key_vault
