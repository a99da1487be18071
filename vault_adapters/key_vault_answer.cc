#include "vault_adapters/key_vault_answer.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/base/ascii.h"
#include "broker/base/base64.h"
#include "broker/base/strict_json.h"
#include "vault_adapters/key_vault_request.h"

namespace vault {
namespace {

using broker::Clock, broker::ErrorCode, broker::Exit, broker::Fail, broker::Result,
    broker::SameIgnoringCase, broker::Secret;
using nlohmann::json;
using std::string_view;

std::unexpected<broker::Error> Bad(string_view what) {
  return Fail(ErrorCode::kCorrupt, "the vault's answer: " + std::string(what));
}

const std::string* Text(const json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() || !it->is_string() ? nullptr : &it->get_ref<const std::string&>();
}

// Moves a string into the arena and wipes the parser's copy.
std::optional<Secret> TakeText(json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  return Secret::TakeFrom(it->get_ref<std::string&>());
}

Result<json> ParseObject(const Secret& body) {
  auto parsed = broker::ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed) return Bad(parsed.error().detail);
  if (!parsed->is_object()) return Bad("not an object");
  return std::move(*parsed);
}

std::optional<Clock::Wall> Moment(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_integer()) return std::nullopt;
  // Beyond this the clock's own unit overflows, and no vault means it.
  constexpr int64_t kMaxSeconds = int64_t{253402300799};  // the end of the year 9999
  const auto seconds = std::clamp<int64_t>(it->get<int64_t>(), 0, kMaxSeconds);
  if (seconds >
      std::chrono::duration_cast<std::chrono::seconds>(Clock::Wall::max().time_since_epoch())
          .count()) {
    return Clock::Wall::max();
  }
  return Clock::Wall(std::chrono::seconds(seconds));
}

std::optional<Attributes> ReadAttributes(const json& object) {
  const auto it = object.find("attributes");
  if (it == object.end() || !it->is_object()) return std::nullopt;
  Attributes attributes;
  if (const auto enabled = it->find("enabled"); enabled != it->end()) {
    if (!enabled->is_boolean()) return std::nullopt;
    attributes.enabled = enabled->get<bool>();
  }
  for (const char* name : {"nbf", "exp", "created"}) {
    if (it->contains(name) && !it->at(name).is_null() && !it->at(name).is_number_integer()) {
      return std::nullopt;
    }
  }
  attributes.not_before = Moment(*it, "nbf");
  attributes.expires = Moment(*it, "exp");
  attributes.created = Moment(*it, "created").value_or(Clock::Wall{});
  return attributes;
}

// The version in "https://HOST/KIND/NAME/VERSION"; empty when it is not of what was asked for.
// Names are compared as the service does, without regard to case.
std::string VersionIn(string_view id, string_view kind, const SecretPlace& asked) {
  const size_t host = id.find("://");
  const size_t path = host == string_view::npos ? host : id.find('/', host + 3);
  if (path == string_view::npos) return {};
  std::string prefix = "/";
  prefix.append(kind).append("/").append(asked.name).append("/");
  const string_view rest = id.substr(path);
  if (rest.size() < prefix.size() || !SameIgnoringCase(rest.substr(0, prefix.size()), prefix)) {
    return {};
  }
  const string_view version = rest.substr(prefix.size());
  if (!IsKeyVaultVersion(version)) return {};
  if (!asked.version.empty() && !SameIgnoringCase(version, asked.version)) {
    return {};
  }
  return std::string(version);
}

std::string VersionOf(const json& object, const char* member, string_view kind,
                      const SecretPlace& asked) {
  const std::string* id = Text(object, member);
  return id == nullptr ? std::string() : VersionIn(*id, kind, asked);
}

bool TakeCoordinate(const json& object, const char* name, std::string* out) {
  const std::string* text = Text(object, name);
  if (text == nullptr || text->empty() || !broker::Base64UrlDecode(*text)) return false;
  *out = *text;
  return true;
}

std::string Sha256Base64Url(string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return broker::Base64UrlEncode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// The next page of the same list at the same vault, or an error.
Result<std::string> NextTarget(const std::string& link, const std::string& name,
                               const std::string& origin) {
  if (!link.starts_with(origin)) return Bad("nextLink leads elsewhere");
  std::string target = link.substr(origin.size());
  const std::string path = target.substr(0, target.find('?'));
  const std::string wanted = "/secrets/" + name + "/versions";
  const bool plain = std::ranges::all_of(target, [](char c) { return c > ' ' && c <= '~'; });
  if (!plain || !SameIgnoringCase(path, wanted)) {
    return Bad("nextLink leads elsewhere");
  }
  return target;
}

}  // namespace

std::optional<KeyVaultProblem> Unusable(const Attributes& attributes, Clock::Wall now) {
  if (!attributes.enabled) return KeyVaultProblem::kDisabled;
  if (attributes.not_before && now < *attributes.not_before) return KeyVaultProblem::kNotYetValid;
  if (attributes.expires && now >= *attributes.expires) return KeyVaultProblem::kExpired;
  return std::nullopt;
}

Result<SecretBundle> ReadSecretBundle(const Secret& body, const SecretPlace& asked) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  // The value first: nothing may fail while it stands in ordinary memory.
  auto value = TakeText(*object, "value");
  if (!value || value->empty()) return Bad("value");
  SecretBundle bundle{.value = std::move(*value), .version = {}, .content_type = {}};
  bundle.version = VersionOf(*object, "id", "secrets", asked);
  if (bundle.version.empty()) return Bad("id");
  const auto attributes = ReadAttributes(*object);
  if (!attributes) return Bad("attributes");
  bundle.attributes = *attributes;
  if (const std::string* type = Text(*object, "contentType")) bundle.content_type = *type;
  bundle.managed = object->value("managed", json()) == json(true);
  return bundle;
}

Result<VersionPage> ReadVersionPage(const Secret& body, const std::string& name,
                                    const std::string& origin) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const auto list = object->find("value");
  if (list == object->end() || !list->is_array()) return Bad("value");
  VersionPage page;
  for (const json& item : *list) {
    const auto attributes = item.is_object() ? ReadAttributes(item) : std::nullopt;
    if (!attributes) return Bad("attributes");
    std::string version = VersionOf(item, "id", "secrets", {name, {}});
    if (version.empty()) return Bad("id");
    page.versions.push_back({std::move(version), *attributes});
  }
  const auto link = object->find("nextLink");
  if (link == object->end() || link->is_null()) return page;
  if (!link->is_string()) return Bad("nextLink");
  if (link->get_ref<const std::string&>().empty()) return page;
  auto target = NextTarget(link->get_ref<const std::string&>(), name, origin);
  if (!target) return std::unexpected(target.error());
  page.next_target = std::move(*target);
  return page;
}

Result<KeyOperationResult> ReadKeyOperation(const Secret& body, const SecretPlace& asked) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const auto text = TakeText(*object, "value");
  if (!text) return Bad("value");
  auto value = broker::Base64UrlDecode(text->Expose(Exit::kInspectClaims));
  if (!value || value->empty()) return Bad("value");
  KeyOperationResult result{VersionOf(*object, "kid", "keys", asked), std::move(*value)};
  if (result.version.empty()) return Bad("kid");
  return result;
}

Result<PublicKey> ReadKey(const Secret& body, const SecretPlace& asked) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const auto key = object->find("key");
  if (key == object->end() || !key->is_object()) return Bad("key");
  PublicKey read;
  read.version = VersionOf(*key, "kid", "keys", asked);
  if (read.version.empty()) return Bad("kid");
  const std::string* kty = Text(*key, "kty");
  const string_view kind = kty == nullptr ? string_view() : string_view(*kty);
  read.kty = kind.substr(0, kind.find('-'));  // RSA-HSM, EC-HSM
  if (read.kty == "RSA") {
    if (!TakeCoordinate(*key, "n", &read.n) || !TakeCoordinate(*key, "e", &read.e)) return Bad("n");
  } else if (read.kty == "EC") {
    const std::string* curve = Text(*key, "crv");
    if (curve == nullptr || curve->empty()) return Bad("crv");
    read.crv = *curve;
    if (!TakeCoordinate(*key, "x", &read.x) || !TakeCoordinate(*key, "y", &read.y)) return Bad("x");
  } else {
    return Bad("kty");
  }
  const auto attributes = ReadAttributes(*object);
  if (!attributes) return Bad("attributes");
  read.attributes = *attributes;
  return read;
}

Result<CertificateFacts> ReadCertificate(const Secret& body, const SecretPlace& asked) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  CertificateFacts facts;
  facts.version = VersionOf(*object, "id", "certificates", asked);
  if (facts.version.empty()) return Bad("id");
  facts.key_version = VersionOf(*object, "kid", "keys", {asked.name, {}});
  if (facts.key_version.empty()) return Bad("kid");
  const std::string* cer = Text(*object, "cer");
  if (cer == nullptr) return Bad("cer");
  const auto der = broker::Base64Decode(*cer);
  if (!der || der->empty()) return Bad("cer");
  facts.thumbprint = Sha256Base64Url(der->Expose(Exit::kFingerprint));
  facts.certificate = der->Expose(Exit::kFingerprint);
  const auto tags = object->find("tags");
  if (tags != object->end() && tags->is_object()) {
    if (const std::string* label = Text(*tags, kLabelTag)) facts.label = *label;
  }
  const auto policy = object->find("policy");
  if (policy != object->end() && policy->is_object()) facts.policy = policy->dump();
  const auto attributes = ReadAttributes(*object);
  if (!attributes) return Bad("attributes");
  facts.attributes = *attributes;
  return facts;
}

Result<bool> ReadPending(const Secret& body, const std::string& name) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const std::string* id = Text(*object, "id");
  const size_t host = id == nullptr ? string_view::npos : id->find("://");
  const size_t path = host == string_view::npos ? host : id->find('/', host + 3);
  if (path == string_view::npos ||
      !SameIgnoringCase(string_view(*id).substr(path), "/certificates/" + name + "/pending")) {
    return Bad("id");
  }
  const std::string* status = Text(*object, "status");
  if (status == nullptr) return Bad("status");
  return SameIgnoringCase(*status, "inProgress");  // the service writes InProgress, too
}

}  // namespace vault
