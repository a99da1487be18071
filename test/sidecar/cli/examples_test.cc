// deploy/examples: what deploy/HOSTING.md has people start from.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "broker/policy/config_parser.h"
#include "broker/policy/registrations.h"
#include "sidecar/cli/config_command.h"
#include "sidecar/ipc/config_files.h"
#include "test/fakes/fake_accounts.h"

using namespace sidecar::cli;
using nlohmann::json;

namespace {

constexpr const char* kFolder = PURSER_SOURCE_DIR "/deploy/examples/";

// What the platforms set.
void SetPlatform() {
  setenv("AZURE_TENANT_ID", "8f0c0000-1111-2222-3333-444444444444", 1);
  setenv("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000", 1);
  setenv("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token", 1);
  setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token", 1);
}

json Run(int (*command)(const ConfigOptions&, std::ostream&, std::ostream&),
         const std::string& name) {
  static const FakeAccounts accounts;
  std::ostringstream out, err;
  const int code =
      command({.path = kFolder + name, .json = true, .accounts = &accounts, .own_uids = {0, 2000}},
              out, err);
  INFO(out.str());
  CHECK(code == 0);
  return json::parse(out.str());
}

std::string Hosts(const std::string& name) {
  std::string hosts;
  const json shown = Run(RunConfigEgress, name);
  for (const json& to : shown["destinations"]) {
    hosts += (hosts.empty() ? "" : " ") + to["host"].get<std::string>();
  }
  return hosts;
}

std::string Registrations(const std::string& name) {
  static const FakeAccounts accounts;
  const auto files = sidecar::ReadConfigFiles(kFolder + name);
  REQUIRE(files.has_value());
  const auto config = broker::policy::ParseConfig(
      {.files = *files, .accounts = accounts, .env = [](const std::string& variable) {
         const char* value = std::getenv(variable.c_str());
         return value == nullptr ? std::nullopt : std::optional<std::string>(value);
       }});
  REQUIRE(config.has_value());
  std::string text;
  for (const auto& one : broker::policy::DeriveRegistrations(*config)) {
    text += (text.empty() ? "" : " ") + one.credential;
  }
  return text;
}

}  // namespace

TEST_CASE("Each way of hosting has an example that config check finds good, without a warning") {
  SetPlatform();
  // clang-format off
  struct Row { std::string name, hosts, registrations; };
  const Row rows[] = {
      {"app-service.toml", "corp-agents.vault.azure.net graph.microsoft.com login.microsoftonline.com 127.0.0.1",       "mailbox platform"},
      {"arc.toml",         "graph.microsoft.com login.microsoftonline.com 127.0.0.1 proxy.corp.example",                "directory"},
      {"kubernetes.toml",  "corp-agents.vault.azure.net graph.microsoft.com login.microsoftonline.com",                 "directory reports"},
      {"laptop.toml",      "graph.microsoft.com login.microsoftonline.com",                                             "mail"},
      {"purser.toml",      "graph.microsoft.com login.microsoftonline.com",                                             "aid-mail reports-app"},
      {"server.toml",      "graph.microsoft.com login.microsoftonline.com",                                             "reports"},
      {"vm.toml",          "corp-agents.vault.azure.net graph.microsoft.com login.microsoftonline.com 169.254.169.254", "directory machine"},
  };
  // clang-format on
  std::set<std::string> tried;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const json checked = Run(RunConfigCheck, row.name);
    CHECK(checked["ok"] == true);
    CHECK(checked["warnings"].empty());
    CHECK(Hosts(row.name) == row.hosts);
    CHECK(Registrations(row.name) == row.registrations);
    tried.insert(row.name);
  }
  for (const auto& file : std::filesystem::directory_iterator(kFolder)) {
    CHECK(tried.contains(file.path().filename().string()));
  }
}
