// Refresh tokens that replicas share in a vault: who is second overwrites nothing newer.
#include "broker/vaulted_secret.h"

#include "broker/device_login.h"
#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::ErrorCode, broker::Reason, broker::Secret, broker::SecretKind;
using broker::ledger::EntryType, broker::ledger::Outcome;

namespace {

const broker::SecretId kId{"aid-mail", SecretKind::kRefreshToken};

void KeepInVault(MintBench& bench) {
  bench.config.vaults["corp"] = {
      .name = "corp", .kind = "azure-key-vault", .url = "https://corp.vault.azure.net"};
  bench.config.sha256 = "policy";
  bench.credential.vault = "corp";
  bench.credential.secret = "mail-token";
}

// "secret.rotated pending 1", one for each entry about the vault's secret.
std::string Changes(const FakeLedger& ledger) {
  std::string lines;
  for (const auto& entry : ledger.entries) {
    if (entry.type != EntryType::kSecretEnrolled && entry.type != EntryType::kSecretRotated) {
      continue;
    }
    CHECK(entry.target_kind == "vault");
    CHECK(entry.target_id == "corp.vault.azure.net");
    CHECK(entry.policy_sha256 == "policy");
    lines += entry.type == EntryType::kSecretEnrolled ? "enrolled" : "rotated";
    lines += entry.outcome == Outcome::kPending   ? " pending "
             : entry.outcome == Outcome::kSuccess ? " success "
                                                  : " failure ";
    lines += entry.credential_version + (entry.reason.empty() ? "" : " " + entry.reason) + "; ";
  }
  return lines;
}

struct Mints : MinterBench {
  explicit Mints(const std::string& answered = "rotated") {
    KeepInVault(*this);
    http.Push(200, TokenBody(UserClaims(), answered, "Mail.Read"));
  }
  // As another replica would.
  void Overtake(const std::string& token) {
    vault.before_replace = [this, token] {
      REQUIRE(vault.store.Put(kId, Secret::CopyOf(token), std::nullopt));
    };
  }
};

// A login whose store is not the vault.
struct Login : MintBench {
  Login() {
    KeepInVault(*this);
    credential.scopes = {"Mail.Read"};
  }
  std::expected<bool, broker::Refusal> Run() {
    broker::DeviceLogin login(ports(), own, config, credential);
    http.Push(200, R"({"device_code":"c","user_code":"WDJB-MJHT","verification_uri":)"
                   R"("https://microsoft.com/devicelogin","expires_in":900,"interval":5})");
    REQUIRE(login.Start().has_value());
    http.Push(200, TokenBody(UserClaims(), "fresh"));
    return login.Poll();
  }
  std::string InVault() {
    const auto kept = vault.store.Get(kId);
    return kept ? std::string(kept->value.Expose(broker::Exit::kTest)) : "nothing";
  }
  FakeStore own;
};

}  // namespace

TEST_CASE(
    "A rotated refresh token is in the vault and in the ledger before its access token is out") {
  Mints m;
  REQUIRE(m.Mint().has_value());
  CHECK(m.Stored() == "rotated");
  CHECK(Changes(m.ledger) == "rotated pending 1; rotated success 2; ");
  for (const auto& entry : m.ledger.entries) CHECK(entry.agent == "helpdesk");
}

TEST_CASE("Who lost the race has his token, and the next one is minted with the winner's") {
  Mints m;
  m.Overtake("of another replica");
  REQUIRE(m.Mint().has_value());
  CHECK(m.Stored() == "of another replica");
  CHECK(Changes(m.ledger) == "rotated pending 1; rotated failure 1 conflict; ");
  m.vault.before_replace = nullptr;
  m.http.Push(200, TokenBody(UserClaims(), "later", "Mail.Read"));
  REQUIRE(m.Mint().has_value());
  CHECK(m.http.seen.back().body.contains("of%20another%20replica"));
  CHECK(m.Stored() == "later");
}

TEST_CASE("A token that is not rotated changes nothing in the vault") {
  Mints m("stored s&cret+1");
  REQUIRE(m.Mint().has_value());
  CHECK(Changes(m.ledger).empty());
}

TEST_CASE("What the vault or the ledger does not take releases no access token") {
  SUBCASE("the vault") {
    Mints m;
    m.vault.before_replace = [&m] { m.vault.store.fail_with = ErrorCode::kDenied; };
    CHECK(ReasonOf(m.Mint()) == Reason::kCredentialUnavailable);
    CHECK(Changes(m.ledger) == "rotated pending 1; rotated failure 1 credential_unavailable; ");
  }
  SUBCASE("the ledger, before") {
    Mints m;
    m.ledger.refuses = [](const auto& entry) { return entry.outcome == Outcome::kPending; };
    CHECK(ReasonOf(m.Mint()) == Reason::kInternal);
    CHECK(m.Stored() == "stored s&cret+1");
  }
  SUBCASE("the ledger, behind") {
    Mints m;
    m.vault.before_replace = [&m] { m.ledger.fail_with = ErrorCode::kUnavailable; };
    CHECK(ReasonOf(m.Mint()) == Reason::kLedgerUnavailable);
  }
}

TEST_CASE("A login is kept in the vault, and not in purser's own store") {
  Login login;
  REQUIRE(login.Run().value_or(false));
  CHECK(login.InVault() == "fresh");
  CHECK(login.own.List()->empty());
  CHECK(Changes(login.ledger) == "enrolled pending ; enrolled success 1; ");
}

TEST_CASE("A login stands on top of what replicas rotated meanwhile") {
  Login login;
  REQUIRE(login.vault.store.Put(kId, Secret::CopyOf("old"), 0));
  int others = 2;
  login.vault.before_replace = [&] {
    if (others-- > 0) REQUIRE(login.vault.store.Put(kId, Secret::CopyOf("other"), std::nullopt));
  };
  REQUIRE(login.Run().value_or(false));
  CHECK(login.InVault() == "fresh");
  CHECK(Changes(login.ledger) ==
        "rotated pending 1; rotated failure 1 conflict; rotated pending 2; rotated failure 2 "
        "conflict; rotated pending 3; rotated success 4; ");
}

TEST_CASE("A login that the vault does not keep is refused, and does not end up elsewhere") {
  struct Row {
    const char* why;
    std::function<void(Login&)> spoil;
    Reason reason;
  };
  const Row rows[] = {
      {"not readable", [](Login& l) { l.vault.store.fail_with = ErrorCode::kDenied; },
       Reason::kCredentialUnavailable},
      {"not writable",
       [](Login& l) {
         l.vault.before_replace = [&l] { l.vault.store.fail_with = ErrorCode::kDenied; };
       },
       Reason::kCredentialUnavailable},
      {"always overtaken",
       [](Login& l) {
         l.vault.before_replace = [&l] {
           REQUIRE(l.vault.store.Put(kId, Secret::CopyOf("other"), std::nullopt));
         };
       },
       Reason::kConflict},
      {"no ledger", [](Login& l) { l.ledger.fail_with = ErrorCode::kUnavailable; },
       Reason::kLedgerUnavailable},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Login login;
    row.spoil(login);
    const auto done = login.Run();
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().reason == row.reason);
    CHECK(login.own.List()->empty());
    CHECK(login.InVault() != "fresh");
  }
}
