#include "sidecar/cli/config_command.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sidecar/cli/explain_command.h"
#include "sidecar/cli/registrations.h"
#include "test/fakes/fake_accounts.h"

using namespace sidecar::cli;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kGood = R"([instance]
name = "zrh"
[tenant]
id = "contoso.onmicrosoft.com"
[seal]
kind = "passphrase"
[credential.mail]
kind = "certificate"
client_id = "11111111-2222-3333-4444-555555555555"
scopes = ["Mail.Read"]
[agent.helpdesk]
user = "helpdesk"
[[agent.helpdesk.allow]]
name = "read-mail"
scopes = ["Mail.Read"]
credential = "mail"
)";

// A folder of its own for each test, gone afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "purser-config-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string Write(const std::string& name, const std::string& text) const {
    const fs::path path = path_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

struct Ran {
  int code = 0;
  std::string out, err;
};

Ran Run(int (*command)(const ConfigOptions&, std::ostream&, std::ostream&), const std::string& path,
        bool as_json) {
  static const FakeAccounts accounts;
  std::ostringstream out, err;
  const int code =
      command({.path = path, .json = as_json, .accounts = &accounts, .own_uids = {2000}}, out, err);
  return {code, out.str(), err.str()};
}

}  // namespace

TEST_CASE("config check: 0 and a digest for a good configuration") {
  const Folder folder;
  const std::string path = folder.Write("purser.toml", kGood);
  folder.Write("agents.d/billing.toml", "[agent.billing]\nuser = \"billing\"\n");
  folder.Write("agents.d/notes.txt", "no TOML");
  const Ran text = Run(RunConfigCheck, path, false);
  CHECK(text.code == 0);
  CHECK(text.out.find("good (2 agents, 1 credentials)\nsha256 ") != std::string::npos);
  CHECK(text.err.empty());
  const Ran as_json = Run(RunConfigCheck, path, true);
  CHECK(as_json.code == 0);
  CHECK(json::parse(as_json.out)["ok"] == true);
}

TEST_CASE("config check: 1 and a line for each fault, in whatever file") {
  const Folder folder;
  const std::string path = folder.Write("purser.toml", std::string(kGood) + "nmae = 1\n");
  const std::string agent = folder.Write("agents.d/b.toml", "[agent.b]\nuser = \"nosuch\"\n");
  const Ran text = Run(RunConfigCheck, path, false);
  CHECK(text.code == 1);
  CHECK(text.out.empty());
  CHECK(text.err.starts_with(path + ":17:1: unknown key \"nmae\": did you mean \"name\"\n"));
  CHECK(text.err.find(agent + ":2:8: this machine has no user \"nosuch\"") != std::string::npos);
  const Ran as_json = Run(RunConfigCheck, path, true);
  CHECK(as_json.code == 1);
  CHECK(as_json.err.empty());
  const json faults = json::parse(as_json.out)["faults"];
  REQUIRE(faults.size() == 2);
  CHECK(faults[1]["file"] == agent);
  CHECK(faults[1]["line"] == 2);
}

TEST_CASE("config check warns of agents that share a credential, and finds the file good") {
  const Folder folder;
  const std::string path = folder.Write("purser.toml", kGood);
  folder.Write("agents.d/billing.toml",
               "[agent.billing]\nuser = \"billing\"\n[[agent.billing.allow]]\nname = "
               "\"mail\"\nscopes = [\"Mail.Read\"]\ncredential = \"mail\"\n");
  const Ran text = Run(RunConfigCheck, path, false);
  CHECK(text.code == 0);
  CHECK(text.err.empty());
  CHECK(text.out.find("\n" + path +
                      ":7:13: warning: agents billing, helpdesk share credential "
                      "mail: ") != std::string::npos);
  const json shown = json::parse(Run(RunConfigCheck, path, true).out);
  CHECK(shown["ok"] == true);
  CHECK(shown["faults"].empty());
  REQUIRE(shown["warnings"].size() == 1);
  CHECK(shown["warnings"][0]["line"] == 7);
}

TEST_CASE("config egress: a line for each host, or JSON; a faulty file is a fault here, too") {
  const Folder folder;
  const std::string path = folder.Write(
      "purser.toml", std::string(kGood) + "[network]\nproxy = \"http://proxy.corp:3128\"\n");
  const Ran text = Run(RunConfigEgress, path, false);
  CHECK(text.code == 0);
  CHECK(text.out ==
        "graph.microsoft.com:443  Microsoft Graph, to rotate and revoke purser's own "
        "credentials (through the proxy)\n"
        "login.microsoftonline.com:443  Entra's tokens, keys and discovery document for tenant "
        "contoso.onmicrosoft.com (through the proxy)\nproxy.corp:3128  [network] proxy\n");
  const json shown = json::parse(Run(RunConfigEgress, path, true).out);
  REQUIRE(shown["destinations"].size() == 3);
  CHECK(shown["destinations"][1]["host"] == "login.microsoftonline.com");
  CHECK(shown["destinations"][1]["port"] == 443);
  CHECK(shown["destinations"][1]["proxied"] == true);
  CHECK(Run(RunConfigEgress, folder.Write("bad.toml", "[sael]\n"), false).code == 1);
}

TEST_CASE("config check: files that cannot be read are faults too") {
  const Folder folder;
  CHECK(Run(RunConfigCheck, folder / "purser.toml", false).err.find("does not exist") !=
        std::string::npos);
  fs::create_directory(folder / "purser.toml");
  CHECK(Run(RunConfigCheck, folder / "purser.toml", false).err.find("not a regular file") !=
        std::string::npos);
  CHECK(Run(RunConfigShow, folder / "purser.toml", true).code == 1);
  const Folder other;
  const std::string path = other.Write("purser.toml", kGood);
  fs::create_directories(other / "agents.d/x.toml");
  CHECK(Run(RunConfigCheck, path, false).err.find("not a regular file") != std::string::npos);
}

TEST_CASE("config check knows whom purser runs as, also where nothing is installed") {
  FakeAccounts accounts;
  const Folder folder;
  const std::string path = folder.Write("purser.toml", kGood);
  const auto check = [&](uint32_t who_asks) {
    std::ostringstream out, err;
    RunConfigCheck({.path = path, .accounts = &accounts, .who_asks = who_asks}, out, err);
    return err.str();
  };
  CHECK(check(0).empty());
  CHECK(check(2002).empty());
  CHECK(check(2001).find(":12:") != std::string::npos);  // helpdesk would run its own purser
  accounts.users["purser-broker"] = 2003;
  CHECK(check(2001).empty());  // installed: helpdesk looks at root's
  accounts.users["purser-broker"] = 2001;
  CHECK_FALSE(check(0).empty());
}

TEST_CASE("config show prints what is in force, as TOML or JSON; schema prints JSON") {
  const Folder folder;
  const std::string path = folder.Write("purser.toml", kGood);
  CHECK(Run(RunConfigShow, path, false).out.find("state = \"/var/lib/purser\"  # default") !=
        std::string::npos);
  const json shown = json::parse(Run(RunConfigShow, path, true).out);
  CHECK(shown["agent"]["helpdesk"]["allow"][0]["decision"] == "log");
  std::ostringstream schema;
  CHECK(RunConfigSchema(schema) == 0);
  CHECK(json::parse(schema.str())["title"] == "purser.toml");
}

TEST_CASE("doctor --registrations needs the configuration alone: a script, or JSON with it") {
  const Folder folder;
  std::string text(kGood);
  text.replace(text.find("\"helpdesk\""), 10, "4242");
  const auto config = LoadForCommand(folder.Write("purser.toml", text));
  REQUIRE(config.has_value());
  std::ostringstream script, shown, err;
  CHECK(PrintRegistrations(*config, {script, err}) == 0);
  CHECK(script.str().starts_with("#!/bin/sh\n"));
  CHECK(PrintRegistrations(*config, {shown, err, true}) == 0);
  const json answer = json::parse(shown.str());
  CHECK(answer["commands"] == script.str());
  CHECK(answer["registrations"] == json::parse(R"([{"credential": "mail", "kind": "certificate",
      "delegated": false, "agents": ["helpdesk"], "scopes": ["Mail.Read"]}])"));
  CHECK(err.str().empty());
}

TEST_CASE("explain: requests, past entries and refused connections of one agent") {
  const Folder folder;
  const std::string path =
      folder.Write("purser.toml",
                   std::string(kGood).replace(std::string(kGood).find("\"helpdesk\""), 10, "4242"));
  const auto config = LoadForCommand(path);
  REQUIRE(config.has_value());
  const ExplainOptions options{.config = *config, .agent = "helpdesk"};
  std::ostringstream out, err;
  CHECK(ExplainScopes(options, {"Mail.Read"}, out, err) == 0);
  CHECK(out.str().find("granted from credential mail") != std::string::npos);
  CHECK(ExplainScopes({*config, "stranger"}, {"Mail.Read"}, out, err) == 1);
  CHECK(err.str().find("configured: helpdesk") != std::string::npos);

  const json refused = {
      {"seq", 3}, {"type", "connection.refused"}, {"agent", {{"name", "helpdesk"}}}};
  const json others = {
      {"seq", 4}, {"type", "connection.refused"}, {"agent", {{"name", "billing"}}}};
  CHECK(ExplainPast(options, refused, out, err) == 0);
  CHECK(ExplainPast(options, others, out, err) == 1);
  std::ostringstream list;
  CHECK(ExplainRefused({*config, "helpdesk", true}, {others, refused, json(7)}, list, err) == 0);
  CHECK(json::parse(list.str()).size() == 1);
  CHECK(ExplainRefused(options, {others}, out, err) == 1);

  const json operators = {{"seq", 5}, {"type", "connection.refused"}, {"reason", "peer_refused"}};
  std::ostringstream at_admin;
  CHECK(ExplainRefused({*config, ""}, {refused, operators}, at_admin, err) == 0);
  CHECK(at_admin.str().starts_with("entry 5"));
  CHECK(at_admin.str().find("what would change it") != std::string::npos);
  CHECK(ExplainRefused({*config, ""}, {refused}, out, err) == 1);
  CHECK(err.str().find("operator's socket") != std::string::npos);
}

TEST_CASE("explain: bytes that are no text do no harm") {
  const Folder folder;
  std::string text(kGood);
  const auto config = LoadForCommand(
      folder.Write("purser.toml", text.replace(text.find("\"helpdesk\""), 10, "4242")));
  REQUIRE(config.has_value());
  std::ostringstream out, err;
  CHECK(ExplainScopes({*config, "helpdesk", true}, {"\xff\x1b[2J"}, out, err) == 0);
  CHECK(json::parse(out.str())["reason"] == "invalid_scope");
  CHECK(ExplainScopes({*config, "\xff", true}, {"Mail.Read"}, out, err) == 1);
}

TEST_CASE("LoadForCommand gives all faults at once") {
  const Folder folder;
  const auto got = LoadForCommand(folder.Write("purser.toml", "[sael]\n[tenat]\n"));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().detail.find("did you mean [seal]") != std::string::npos);
  CHECK(got.error().detail.find("\n") != std::string::npos);
}
