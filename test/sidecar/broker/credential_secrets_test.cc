#include "sidecar/broker/credential_secrets.h"

#include <doctest/doctest.h>

using namespace sidecar::broker_role;
using broker::policy::Credential;

TEST_CASE("Who tried to enrol a credential in a way that it has not is told its own") {
  struct Row {
    const char* why;
    Credential credential;
    size_t secrets;
    const char* advice;
  };
  // clang-format off
  const Row rows[] = {
      {"a public client",          {.kind = "refresh-token"},                          1, "comes from purser login"},
      {"a confidential client",    {.kind = "refresh-token", .confidential = true},    2, "comes from purser login"},
      {"an application",           {.kind = "client-secret"},                          1, "use purser secret set"},
      {"its certificate",          {.kind = "certificate"},                            1, "use purser secret set"},
      {"a secret in a vault",      {.kind = "client-secret", .vault = "corp"},         0, "vault corp has its secret"},
      {"a certificate in a vault", {.kind = "certificate", .vault = "corp"},           0, "vault corp has its secret"},
      {"a key in a vault",         {.kind = "key-vault-key", .vault = "corp"},         0, "vault corp has its secret"},
      {"a machine",                {.kind = "managed-identity"},                       0, "kind managed-identity has no secret"},
      {"a platform's token",       {.kind = "federated"},                              0, "kind federated has no secret"},
      {"an agent's identity",      {.kind = "agent-identity"},                         0, "kind agent-identity has no secret"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(SecretsOf(row.credential).size() == row.secrets);
    const std::string advice = EnrolmentAdvice(row.credential);
    CAPTURE(advice);
    CHECK(advice.find(row.advice) != std::string::npos);
  }
}
