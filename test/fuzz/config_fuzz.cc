// Any bytes as purser.toml and one file of agents.d (after a line "----"): no crash, and what is
// accepted keeps its meaning when it is shown, or bundled, and read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/policy/config_bundle.h"
#include "broker/policy/config_parser.h"
#include "broker/policy/show.h"
#include "test/fakes/fake_accounts.h"

namespace {

using namespace broker::policy;

void Require(bool holds) {
  if (!holds) std::abort();
}

nlohmann::ordered_json Meaning(const Config& config) {
  auto json = ConfigAsJson(config);
  json.erase("sha256");
  return json;
}

void CheckAccepted(const PreparedConfig& prepared, const Accounts& accounts) {
  const Config& config = prepared.config;
  for (const auto& [name, agent] : config.agents) {
    Require(agent.selectors.uid || agent.selectors.gid);
    Require(agent.selectors.uid != 65534 && agent.selectors.gid != 65534);
    Require(agent.selectors.uid != 2000 || config.hardening.allow_same_uid);
    Require(AgentSocketPath(config, name).size() < 108);
    for (const Rule& rule : agent.rules) {
      Require(config.credentials.contains(rule.credential) && !rule.scopes.empty());
    }
  }
  const SourceFile shown[] = {{"shown.toml", ShowConfig(config)}};
  const auto again = ParseConfig({.files = shown, .accounts = accounts, .own_uids = {2000}});
  Require(again.has_value() && Meaning(*again) == Meaning(config));
  const auto bundle = DecodeConfigBundle(Encode(prepared.bundle));
  Require(bundle.has_value() && *bundle == prepared.bundle);
  const auto unbundled = ParseBundle(*bundle);
  Require(unbundled.has_value() && unbundled->sha256 == config.sha256);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)DecodeConfigBundle(bytes);

  constexpr std::string_view kBorder = "\n----\n";
  const size_t border = bytes.find(kBorder);
  std::vector<SourceFile> files = {
      {"/etc/purser/purser.toml", std::string(bytes.substr(0, border))}};
  if (border != std::string_view::npos) {
    files.push_back(
        {"/etc/purser/agents.d/a.toml", std::string(bytes.substr(border + kBorder.size()))});
  }
  static const FakeAccounts accounts;
  const auto env = [](const std::string& name) {
    return name == "TENANT" ? std::optional<std::string>("contoso.onmicrosoft.com") : std::nullopt;
  };
  const auto prepared =
      PrepareConfig({.files = files, .accounts = accounts, .env = env, .own_uids = {2000}});
  if (prepared) {
    CheckAccepted(*prepared, accounts);
  } else {
    Require(!prepared.error().empty());
    for (const Diagnostic& fault : prepared.error()) Require(fault.place.line > 0);
  }
  return 0;
}
