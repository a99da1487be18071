// test/broker/policy/config_fixture.h: a small valid configuration, and ways to spoil it.
#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config_parser.h"
#include "test/fakes/fake_accounts.h"

namespace fixture {

// Tests name lines of this text: line 1 is [instance].
inline constexpr std::string_view kBase = R"([instance]
name = "zrh"
[tenant]
id = "contoso.onmicrosoft.com"
[seal]
kind = "passphrase"
[credential.mail]
kind = "refresh-token"
client_id = "11111111-2222-3333-4444-555555555555"
user = "66666666-7777-8888-9999-aaaaaaaaaaaa"
scopes = ["Mail.Read"]
[admin]
operators = ["group:purser-operators"]
[agent.helpdesk]
user = "helpdesk"
[[agent.helpdesk.allow]]
name = "read-mail"
scopes = ["Mail.Read"]
credential = "mail"
)";

/// kBase with the first `from` replaced by `to`; an empty `from` appends.
inline std::string With(std::string_view from, std::string_view to) {
  std::string text(kBase);
  if (from.empty()) return text.append(to);
  const size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

inline std::optional<std::string> TestEnv(const std::string& name) {
  if (name == "TENANT") return "8f0c0000-1111-2222-3333-444444444444";
  if (name == "CREDENTIALS_DIRECTORY") return "/run/credentials/purser.service";
  if (name == "BROKEN") return "not a tenant";
  return std::nullopt;
}

inline auto ParseFiles(const std::vector<broker::policy::SourceFile>& files) {
  static const FakeAccounts accounts;
  return broker::policy::ParseConfig(
      {.files = files, .accounts = accounts, .env = TestEnv, .own_uids = {2000}});
}

inline auto Parse(std::string text) {
  return ParseFiles({{"/etc/purser/purser.toml", std::move(text)}});
}

/// REQUIRES: the text is valid.
inline broker::policy::Config Valid(std::string text) {
  auto config = Parse(std::move(text));
  if (!config) {
    for (const auto& fault : config.error()) MESSAGE(Format(fault));
  }
  REQUIRE(config.has_value());
  return *std::move(config);
}

/// A configuration that is wrong, and one of the faults that are found in it.
struct FaultRow {
  std::string why;
  std::string text;
  uint32_t line;
  const char* says;
};

inline void CheckFaults(std::span<const FaultRow> rows) {
  for (const FaultRow& row : rows) {
    CAPTURE(row.why);
    const auto got = Parse(row.text);
    REQUIRE_FALSE(got.has_value());
    std::string all;
    bool found = false;
    for (const auto& fault : got.error()) {
      all += Format(fault) + "\n";
      found = found || (fault.place.line == row.line && fault.message.contains(row.says));
    }
    CAPTURE(all);
    CHECK(found);
  }
}

/// Whether a fault of `text` says `what`, wherever it stands; adds all that are found to `all`.
inline bool Says(const std::string& text, const std::string& what, std::string* all) {
  const auto got = Parse(text);
  if (got) return false;
  bool found = false;
  for (const auto& fault : got.error()) {
    *all += Format(fault) + "\n";
    found = found || fault.message.contains(what);
  }
  return found;
}

}  // namespace fixture
