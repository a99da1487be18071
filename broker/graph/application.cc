#include "broker/graph/application.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/graph/graph_answer.h"

namespace broker::graph {
namespace {

using nlohmann::json;

constexpr size_t kSha1Bytes = 20;
constexpr size_t kMaxId = 64;             // a GUID has 36 characters
constexpr size_t kMaxSecretText = 1024;   // Entra's have 40
constexpr size_t kMaxCredentials = 1024;  // an application holds far fewer

std::string UrlOf(const ApplicationAddress& at, std::string_view action) {
  std::string url = at.graph + "/v1.0/applications(appId='" + at.app_id + "')";
  if (at.blueprint) url += "/microsoft.graph.agentIdentityBlueprint";
  return url.append(action);
}

HttpRequest Post(const ApplicationAddress& at, std::string_view action, Secret body) {
  HttpRequest request;
  request.method = "POST";
  request.url = UrlOf(at, action);
  request.headers.emplace_back("Accept", "application/json");
  request.content_type = "application/json";
  request.body = std::move(body);
  return request;
}

// The proof lets whoever has it change the keys for ten minutes: it stays in the arena.
Secret WithProof(const json& body, const Secret& proof) {
  std::string text = body.dump();
  text.pop_back();
  Secret whole = Secret::CopyOf(text);
  whole.Append(R"(,"proof":")");
  whole.Append(proof);
  whole.Append("\"}");
  return whole;
}

std::string Iso8601(Clock::Wall time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

bool IsId(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The portal writes the thumbprint in hex, clients of the API in base64; other labels are none.
std::string Sha1Of(const std::string& label) {
  std::string bytes;
  if (label.size() == 2 * kSha1Bytes) {
    for (size_t i = 0; i < label.size(); i += 2) {
      const int high = HexDigit(label[i]);
      const int low = HexDigit(label[i + 1]);
      if (high < 0 || low < 0) return {};
      bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
  }
  const auto decoded = Base64Decode(label);
  const bool fits = decoded && decoded->size() == kSha1Bytes;
  return fits ? std::string(decoded->Expose(Exit::kInspectClaims)) : std::string();
}

Result<std::vector<json>> ListOf(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array() || found->size() > kMaxCredentials) {
    return Bad(name);
  }
  std::vector<json> list;
  for (const json& one : *found) {
    if (!one.is_object() || !IsId(TextOf(one, "keyId"))) return Bad("keyId");
    list.push_back(one);
  }
  return list;
}

}  // namespace

HttpRequest ReadApplication(const ApplicationAddress& at) {
  HttpRequest request;
  request.method = "GET";
  request.url = UrlOf(at, "?$select=id,appId,keyCredentials,passwordCredentials");
  request.headers.emplace_back("Accept", "application/json");
  return request;
}

HttpRequest AddKey(const ApplicationAddress& at, const NewCredential& about, std::string_view der,
                   const Secret& proof) {
  const json body = {{"keyCredential",
                      {{"type", "AsymmetricX509Cert"},
                       {"usage", "Verify"},
                       {"displayName", about.display_name},
                       {"key", Base64Encode(der)}}},
                     {"passwordCredential", nullptr}};
  return Post(at, "/addKey", WithProof(body, proof));
}

HttpRequest RemoveKey(const ApplicationAddress& at, std::string_view key_id, const Secret& proof) {
  return Post(at, "/removeKey", WithProof({{"keyId", key_id}}, proof));
}

HttpRequest AddPassword(const ApplicationAddress& at, const NewCredential& about) {
  const json body = {{"passwordCredential",
                      {{"displayName", about.display_name}, {"endDateTime", Iso8601(about.ends)}}}};
  return Post(at, "/addPassword", Secret::CopyOf(body.dump()));
}

HttpRequest RemovePassword(const ApplicationAddress& at, std::string_view key_id) {
  return Post(at, "/removePassword", Secret::CopyOf(json{{"keyId", key_id}}.dump()));
}

std::string PermissionToRead(const ApplicationAddress& at) {
  return at.blueprint ? "AgentIdentityBlueprint.Read.All"
                      : "Application.Read.All, or Application.ReadWrite.OwnedBy with ownership";
}

std::string PermissionToChange(const ApplicationAddress& at) {
  return at.blueprint ? "AgentIdentityBlueprint.AddRemoveCreds.All"
                      : "Application.ReadWrite.OwnedBy with ownership, or "
                        "Application.ReadWrite.All";
}

Result<Application> ReadApplicationAnswer(const Secret& body) {
  const auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  Application application;
  application.object_id = TextOf(*object, "id");
  if (!IsId(application.object_id)) return Bad("id");
  const auto keys = ListOf(*object, "keyCredentials");
  if (!keys) return std::unexpected(keys.error());
  for (const json& key : *keys) {
    application.keys.push_back({TextOf(key, "keyId"), Sha1Of(TextOf(key, "customKeyIdentifier")),
                                TextOf(key, "displayName"), TextOf(key, "endDateTime")});
  }
  const auto passwords = ListOf(*object, "passwordCredentials");
  if (!passwords) return std::unexpected(passwords.error());
  for (const json& one : *passwords) {
    application.passwords.push_back({TextOf(one, "keyId"), TextOf(one, "hint"),
                                     TextOf(one, "displayName"), TextOf(one, "endDateTime")});
  }
  return application;
}

Result<std::string> ReadAddedKey(const Secret& body) {
  const auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  std::string key_id = TextOf(*object, "keyId");
  if (!IsId(key_id)) return Bad("keyId");
  return key_id;
}

Result<AddedPassword> ReadAddedPassword(const Secret& body) {
  auto object = ParseObject(body);
  if (!object) return std::unexpected(object.error());
  const auto text = object->find("secretText");
  if (text == object->end() || !text->is_string()) return Bad("secretText");
  AddedPassword added;
  added.text = Secret::TakeFrom(text->get_ref<std::string&>());
  added.key_id = TextOf(*object, "keyId");
  if (added.text.empty() || added.text.size() > kMaxSecretText) return Bad("secretText");
  if (!IsId(added.key_id)) return Bad("keyId");
  return added;
}

}  // namespace broker::graph
