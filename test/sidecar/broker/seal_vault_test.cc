// The store's key in a key vault: first start, restart, rotation, outage, refusal.
#include "sidecar/broker/seal_vault.h"

#include "test/fakes/fake_ledger.h"
#include "test/sidecar/broker/seal_fixture.h"
#include "test/vault_adapters/key_vault_fixture.h"

using broker::ErrorCode, broker::Exit, broker::Secret;
using broker::ledger::EntryType, broker::ledger::Outcome;
using key_vault::ErrorBody, key_vault::kUrl, key_vault::kV1, key_vault::kV2;
using nlohmann::json;
using seal_test::Life;
using sidecar::broker_role::SealVault;
using token_cache::KdfKind, token_cache::WrappedKek;

namespace {

constexpr size_t kRsaBytes = 256;

broker::Result<broker::HttpResponse> Refusal(int status, const std::string& code,
                                             const std::string& inner = {}) {
  return FakeHttp::Answer(status, ErrorBody(code, inner));
}

// A vault that "wraps" by writing the version in front.
struct Corp : key_vault::Fixture {
  Corp() {
    auto made = std::make_shared<broker::policy::Config>();
    made->seal = {.kind = "azure-key-vault", .path = {}, .vault = "corp", .key = "purser-kek"};
    made->sha256 = "policy";
    config = made;
    http.respond = [this](const broker::HttpRequest& request) { return Answer(request); };
  }

  broker::Result<broker::HttpResponse> Answer(const broker::HttpRequest& request) {
    if (down) return broker::Fail(ErrorCode::kUnavailable, "no route");
    if (refuse) return refuse();
    const std::string key = kUrl + "/keys/purser-kek/";
    if (request.method == "GET") {
      const json jwk = {{"kid", key + newest}, {"kty", "RSA"}, {"n", "AQAB"}, {"e", "AQAB"}};
      return FakeHttp::Answer(200, json{{"key", jwk}, {"attributes", {{"enabled", true}}}}.dump());
    }
    const std::string version = request.url.substr(key.size(), newest.size());
    const json body = json::parse(request.body.Expose(Exit::kTest));
    const auto bytes = broker::Base64UrlDecode(body["value"].get<std::string>());
    std::string out;
    if (request.url.contains("/wrapkey")) {
      out = version + std::string(bytes->Expose(Exit::kTest));
      out.resize(kRsaBytes, '.');
    } else {
      const std::string_view in = bytes->Expose(Exit::kTest);
      if (!in.starts_with(version)) return Refusal(400, "BadParameter");
      out = in.substr(version.size(), token_cache::kKeyBytes);
    }
    return FakeHttp::Answer(
        200, json{{"kid", key + version},
                  {"value", broker::Base64UrlEncode(swapped ? "?" + out.substr(1) : out)}}
                 .dump());
  }

  [[nodiscard]] size_t Asked(const std::string& operation) const {
    return static_cast<size_t>(std::ranges::count_if(
        http.seen, [&](const auto& seen) { return seen.url.contains(operation); }));
  }

  std::string newest = kV1;
  bool down = false;
  bool swapped = false;  // what it unwraps is another key
  std::function<broker::Result<broker::HttpResponse>()> refuse;
  std::shared_ptr<const broker::policy::Config> config;
  FakeLedger ledger;
  std::shared_ptr<vault::KeyVaultKeys> keys =
      std::make_shared<vault::KeyVaultKeys>(client, vault::KeyVaultKeys::Places{});
  SealVault vault{{[this] { return config; },
                   [this](const std::string& name) { return name == "corp" ? keys : nullptr; },
                   ledger}};
};

void NewStore(StoreFolder& folder) {
  REQUIRE(
      token_cache::SealedStore::InitialiseWithoutKeys(folder.path(), folder.random).has_value());
}

const broker::SecretId kMail{"mail", broker::SecretKind::kRefreshToken};

}  // namespace

TEST_CASE("A new store gets a key that the vault wraps, and the next life has it unwrapped") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  {
    Life life(folder, true, &corp.vault);
    REQUIRE(life.seal.UnsealFromVault());
    CHECK(life.seal.usable());
    CHECK(life.seal.trouble().empty());
    CHECK(life.store->kdf().wrapping.version == kV1);
    REQUIRE(life.store->Put(kMail, Secret::CopyOf("refresh"), 0));
  }
  CHECK(corp.Asked("/wrapkey") == 1);
  corp.newest = kV2;  // the vault's key was rotated: what v1 wrapped, v1 unwraps
  Life life(folder, true, &corp.vault);
  REQUIRE(life.seal.UnsealFromVault());
  CHECK(Text(life.store->Get(kMail)->value) == "refresh");
  CHECK(corp.http.seen.back().url.contains("/keys/purser-kek/" + kV1 + "/unwrapkey"));
  CHECK(corp.Asked("/wrapkey") == 1);
  CHECK(life.seal.advice().empty());
}

TEST_CASE("Each use of the vault's key is in the ledger with host and version before it is used") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  {
    REQUIRE(Life(folder, true, &corp.vault).seal.UnsealFromVault());
  }
  REQUIRE(corp.ledger.entries.size() == 1);
  const auto& entry = corp.ledger.entries[0];
  CHECK(entry.type == EntryType::kCredentialAccess);
  CHECK(entry.outcome == Outcome::kSuccess);
  CHECK(entry.credential_name == "seal");
  CHECK(entry.credential_version == kV1);
  CHECK(entry.target_kind == "vault");
  CHECK(entry.target_id == "corp.vault.azure.net");
  CHECK(entry.policy_sha256 == "policy");
  corp.ledger.fail_with = ErrorCode::kUnavailable;
  Life life(folder, true, &corp.vault);
  CHECK(life.seal.UnsealFromVault().error().code == ErrorCode::kUnavailable);
  CHECK_FALSE(life.seal.usable());
  CHECK(life.store->sealed());
}

TEST_CASE("A key that the ledger does not take wraps nothing") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  corp.ledger.fail_with = ErrorCode::kUnavailable;
  Life life(folder, true, &corp.vault);
  CHECK_FALSE(life.seal.UnsealFromVault());
  CHECK_FALSE(life.store->has_keys());
}

TEST_CASE("A rotation wraps a new key with the newest version, and that version opens the store") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  {
    Life life(folder, true, &corp.vault);
    REQUIRE(life.seal.UnsealFromVault());
    REQUIRE(life.store->Put(kMail, Secret::CopyOf("refresh"), 0));
    const WrappedKek before = life.store->kdf().wrapping;
    corp.newest = kV2;
    CHECK(life.seal.Rotate(corp.config->seal, Secret()) == 1U);
    const WrappedKek after = life.store->kdf().wrapping;
    CHECK(after.version == kV2);
    CHECK(after.wrapped.substr(kV1.size()) != before.wrapped.substr(kV1.size()));  // another key
    corp.down = true;
    CHECK(life.seal.Rotate(corp.config->seal, Secret()).error().code == ErrorCode::kUnavailable);
    CHECK(life.store->kdf().wrapping == after);
    corp.down = false;
    corp.clock.Advance(std::chrono::minutes(2));
  }
  Life life(folder, true, &corp.vault);
  REQUIRE(life.seal.UnsealFromVault());
  CHECK(Text(life.store->Get(kMail)->value) == "refresh");
  CHECK(corp.http.seen.back().url.contains(kV2 + "/unwrapkey"));
}

TEST_CASE("A store that is sealed asks no vault for a rotation") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  Life life(folder, true, &corp.vault);
  CHECK(life.seal.Rotate(corp.config->seal, Secret()).error().code == ErrorCode::kUnavailable);
  CHECK(corp.http.seen.empty());
}

TEST_CASE("What keeps the store closed names vault and key, and says what mends it") {
  struct Row {
    const char* why;
    std::function<void(Corp&)> spoil;
    ErrorCode code;
    const char* says;
  };
  const auto refusing = [](int status, const char* code, const char* inner = "") {
    return [=](Corp& corp) { corp.refuse = [=] { return Refusal(status, code, inner); }; };
  };
  // clang-format off
  const Row rows[] = {
      {"unreachable",   [](Corp& corp) { corp.down = true; },                      ErrorCode::kUnavailable,    "no route"},
      {"failing",       refusing(503, "ServiceUnavailable"),                       ErrorCode::kUnavailable,    "check its url"},
      {"throttled",     refusing(429, "Throttled"),                                ErrorCode::kUnavailable,    "throttles"},
      {"no role",       refusing(403, "Forbidden", "ForbiddenByRbac"),             ErrorCode::kDenied,         "Key Vault Crypto Service Encryption User"},
      {"no permission", refusing(403, "Forbidden", "ForbiddenByPolicy"),           ErrorCode::kDenied,         "key permission Unwrap Key"},
      {"a firewall",    refusing(403, "Forbidden", "ForbiddenByFirewall"),         ErrorCode::kDenied,         "network rules"},
      {"key disabled",  refusing(403, "Forbidden", "KeyDisabled"),                 ErrorCode::kDenied,         "enable it"},
      {"key deleted",   refusing(404, "KeyNotFound"),                              ErrorCode::kNotFound,       "az keyvault key recover"},
      {"another key",   [](Corp& corp) { corp.swapped = true; },                   ErrorCode::kDenied,         "another key-encryption key"},
      {"no such vault", [](Corp& corp) { corp.keys = nullptr; },                   ErrorCode::kInvalidRequest, "azure-key-vault"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    StoreFolder folder;
    NewStore(folder);
    Corp corp;
    {
      REQUIRE(Life(folder, true, &corp.vault).seal.UnsealFromVault());
    }
    row.spoil(corp);
    Life life(folder, true, &corp.vault);
    const auto done = life.seal.UnsealFromVault();
    REQUIRE_FALSE(done.has_value());
    CHECK(done.error().code == row.code);
    const std::string trouble = life.seal.trouble();
    CAPTURE(trouble);
    CHECK(trouble.contains(row.says));
    CHECK_FALSE(life.seal.usable());
    CHECK(life.store->sealed());
  }
}

TEST_CASE("A trouble of the vault's names it, is recorded once, and passes by itself") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  corp.down = true;
  Life life(folder, true, &corp.vault);
  CHECK(life.seal.trouble().contains("sealed"));
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(life.seal.UnsealFromVault());
    CHECK(life.seal.trouble().contains("purser-kek of [vault.corp]: corp.vault.azure.net"));
    corp.clock.Advance(std::chrono::minutes(2));
  }
  REQUIRE(corp.ledger.entries.size() == 1);
  CHECK(corp.ledger.entries[0].outcome == Outcome::kFailure);
  CHECK(corp.ledger.entries[0].reason == "store_unavailable");
  corp.down = false;
  corp.refuse = [] { return Refusal(403, "Forbidden", "ForbiddenByRbac"); };
  CHECK_FALSE(life.seal.UnsealFromVault());
  CHECK(corp.ledger.entries.size() == 2);  // another trouble
  corp.refuse = nullptr;
  CHECK(life.seal.UnsealFromVault());
  CHECK(life.seal.trouble().empty());
  CHECK(corp.ledger.entries.size() == 3);
}

TEST_CASE("What the predecessor kept opens the store without the vault") {
  StoreFolder folder;
  NewStore(folder);
  Corp corp;
  std::pair<std::string, sidecar::ipc::Fd> kept;
  {
    Life life(folder, true, &corp.vault);
    REQUIRE(life.seal.UnsealFromVault());
    kept = life.Kept();
  }
  if (!kept.second.valid()) return;  // a kernel without memfd_secret
  corp.down = true;
  const size_t asked = corp.http.seen.size();
  Life successor(folder, true, &corp.vault);
  REQUIRE(successor.seal.UnsealFromDescriptor("kept", kept.second.get()));
  CHECK(successor.seal.UnsealFromVault());  // it is open: nobody is asked
  CHECK(corp.http.seen.size() == asked);
  CHECK(successor.seal.advice().empty());
}

TEST_CASE(
    "A store of another kind of seal, or one put in the place of what the ledger knows, stays") {
  Corp corp;
  SUBCASE("a key file's") {
    StoreFolder folder;
    folder.Initialise();
    Life life(folder, true, &corp.vault);
    CHECK(life.seal.UnsealFromVault().error().code == ErrorCode::kInvalidRequest);
    CHECK(life.seal.trouble().contains("another [seal] kind"));
    CHECK(corp.http.seen.empty());
  }
  SUBCASE("a new one where there was one") {
    StoreFolder folder;
    NewStore(folder);
    REQUIRE(folder.witness.Intend(7, kMail, 1));
    Life life(folder, true, &corp.vault);
    CHECK(life.seal.UnsealFromVault().error().code == ErrorCode::kConflict);
    CHECK_FALSE(life.store->has_keys());
  }
  SUBCASE("a vault's, without a vault") {
    StoreFolder folder;
    NewStore(folder);
    Life life(folder);
    CHECK_FALSE(life.seal.UnsealFromVault());
    CHECK_FALSE(life.seal.UnsealWithPassphrase(Secret::CopyOf("correct horse battery")));
  }
}
