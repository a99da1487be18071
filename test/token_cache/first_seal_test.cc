// A store that a key vault's key opens: from its making to its first keys.
#include <doctest/doctest.h>

#include "test/token_cache/store_folder.h"
#include "token_cache/sealed_store.h"
#include "token_cache/store_format.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind;
using namespace token_cache;

namespace {

const SecretId kMail{"mail", SecretKind::kRefreshToken};
const std::string kVersion = "0123456789abcdef0123456789abcdef";

Kdf Wrapped(const std::string& version = kVersion, size_t bytes = 256) {
  return {
      .kind = KdfKind::kKeyVault,
      .wrapping = {.key = "purser-kek", .version = version, .wrapped = std::string(bytes, 'w')}};
}

void WithoutKeys(StoreFolder& folder) {
  REQUIRE(SealedStore::InitialiseWithoutKeys(folder.path(), folder.random).has_value());
}

}  // namespace

TEST_CASE("A store without keys gives nothing, takes nothing, and opens with no key") {
  StoreFolder folder;
  WithoutKeys(folder);
  CHECK(SealedStore::InitialiseWithoutKeys(folder.path(), folder.random).error().code ==
        ErrorCode::kConflict);
  const auto store = *folder.Open();
  CHECK_FALSE(store->has_keys());
  CHECK(store->sealed());
  CHECK(store->kdf().kind == KdfKind::kKeyVault);
  CHECK(store->kdf().wrapping.empty());
  CHECK(store->Unseal(StoreFolder::Kek('k'), {}).error().code == ErrorCode::kDenied);
  CHECK(store->Unseal(Secret::CopyOf(std::string(32, '\0')), {}).error().code ==
        ErrorCode::kDenied);
  CHECK(store->Put(kMail, Secret::CopyOf("s"), 0).error().code == ErrorCode::kUnavailable);
  CHECK(store->RotateSeal(StoreFolder::Kek('k'), Wrapped()).error().code ==
        ErrorCode::kUnavailable);
}

TEST_CASE("Its first keys come in one commit, with what the vault made of the key") {
  StoreFolder folder;
  WithoutKeys(folder);
  {
    const auto store = *folder.Open();
    REQUIRE(store->FirstSeal(StoreFolder::Kek('k'), Wrapped(), folder.bounds()).has_value());
    CHECK_FALSE(store->sealed());
    REQUIRE(store->Put(kMail, Secret::CopyOf("refresh"), 0).has_value());
    CHECK(store->FirstSeal(StoreFolder::Kek('n'), Wrapped(), folder.bounds()).error().code ==
          ErrorCode::kConflict);
  }
  const auto store = *folder.Unsealed();
  CHECK(store->kdf().wrapping == Wrapped().wrapping);
  CHECK(Text(store->Get(kMail)->value) == "refresh");
}

TEST_CASE("A rotation changes the key and what is kept of it at once") {
  StoreFolder folder;
  WithoutKeys(folder);
  const std::string later(32, 'a');
  {
    const auto store = *folder.Open();
    REQUIRE(store->FirstSeal(StoreFolder::Kek('k'), Wrapped(), folder.bounds()).has_value());
    REQUIRE(store->Put(kMail, Secret::CopyOf("refresh"), 0).has_value());
    REQUIRE(store->RotateSeal(StoreFolder::Kek('n'), Wrapped(later, 512)).has_value());
  }
  {
    const auto store = *folder.Open();
    CHECK(store->kdf().wrapping.version == later);
    CHECK(store->Unseal(StoreFolder::Kek('k'), folder.bounds()).error().code == ErrorCode::kDenied);
    REQUIRE(store->Unseal(StoreFolder::Kek('n'), folder.bounds()).has_value());
    CHECK(Text(store->Get(kMail)->value) == "refresh");
  }
}

TEST_CASE("First keys are refused that would not open the store again, or not this store") {
  StoreFolder folder;
  WithoutKeys(folder);
  const auto store = *folder.Open();
  Kdf salted = Wrapped();
  salted.salt[0] = 1;
  Kdf spaced = Wrapped();
  spaced.wrapping.key = "purser kek";
  Kdf nameless = Wrapped();
  nameless.wrapping.key.clear();
  Kdf long_name = Wrapped();
  long_name.wrapping.key = std::string(128, 'k');
  Kdf passphrase{.kind = KdfKind::kArgon2id, .passes = 1, .memory_kib = 8};
  const std::pair<const char*, Kdf> rows[] = {
      {"a key file's", Kdf{}},
      {"a passphrase's", passphrase},
      {"nothing wrapped", Kdf{.kind = KdfKind::kKeyVault}},
      {"another length than RSA's", Wrapped(kVersion, 255)},
      {"a short version", Wrapped("0123")},
      {"a path as version", Wrapped("../../secrets/x/0123456789abcdef")},
      {"a salt", salted},
      {"a key's name with a space", spaced},
      {"no key's name", nameless},
      {"a longer name than any", long_name},
  };
  for (const auto& [why, kdf] : rows) {
    CAPTURE(why);
    CHECK(store->FirstSeal(StoreFolder::Kek('k'), kdf, {}).error().code ==
          ErrorCode::kInvalidRequest);
  }
  CHECK(store->FirstSeal(Secret::CopyOf("short"), Wrapped(), {}).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(store->FirstSeal(StoreFolder::Kek('k'), Wrapped(), {.confirmed = 3, .intended = 4})
            .error()
            .code == ErrorCode::kConflict);
  CHECK(store->FirstSeal(StoreFolder::Kek('k'), Wrapped(), {.confirmed = 0, .intended = 1})
            .error()
            .code == ErrorCode::kConflict);
  CHECK_FALSE(store->has_keys());
}

TEST_CASE("A header has one encoding, with keys or without") {
  SealHeader keyless{.kdf = {.kind = KdfKind::kKeyVault}};
  CHECK(ParseHeader(EncodeHeader(keyless)).has_value());
  SealHeader sealed{.kdf = Wrapped(), .data_keys = {{.id = 1}}};
  REQUIRE(ParseHeader(EncodeHeader(sealed)).has_value());
  CHECK(ParseHeader(EncodeHeader(sealed))->kdf.wrapping == Wrapped().wrapping);

  SealHeader keys_without_kek = keyless;
  keys_without_kek.data_keys = {{.id = 1}};
  SealHeader kek_without_keys = sealed;
  kek_without_keys.data_keys.clear();
  SealHeader named = keyless;
  named.name_key.sealed[0] = 1;
  SealHeader identified = keyless;
  identified.kek_id[0] = 1;
  SealHeader odd = sealed;
  odd.kdf.wrapping.wrapped.pop_back();
  SealHeader of_a_file{.data_keys = {}};
  for (const SealHeader& header :
       {keys_without_kek, kek_without_keys, named, identified, odd, of_a_file}) {
    CHECK_FALSE(ParseHeader(EncodeHeader(header)).has_value());
  }
  CHECK_FALSE(ParseHeader(EncodeHeader(keyless) + "x").has_value());
  const std::string whole = EncodeHeader(sealed);
  for (size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(ParseHeader(whole.substr(0, size)).has_value());
  }
}
