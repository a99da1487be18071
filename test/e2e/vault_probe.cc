// vault-probe: drives the Key Vault adapter against a real server. A test tool, never installed.
//
// Reads one JSON object a line: {"op":"get","name":"x"}; prints one a line. The access token is the
// line before the first; {"op":"token","value":…} replaces it. It prints secrets: that is its job.
#include <curl/curl.h>
#include <sodium.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "vault_adapters/azure_key_vault.h"
#include "vault_adapters/key_vault_keys.h"

namespace {

using broker::Exit, broker::Secret;
using nlohmann::json;

// Straight to the network: purser's own transport goes through its dialer.
class DirectTransport final : public broker::HttpTransport {
 public:
  explicit DirectTransport(std::string ca_file) : ca_file_(std::move(ca_file)) {}

  broker::Result<broker::HttpResponse> Send(const broker::HttpRequest& request) override {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                   &curl_easy_cleanup);
    curl_slist* headers = nullptr;
    const auto add = [&](const std::string& name, std::string_view value) {
      headers = curl_slist_append(headers, (name + ": " + std::string(value)).c_str());
    };
    for (const auto& [name, value] : request.headers) add(name, value);
    for (const auto& [name, value] : request.secret_headers) {
      add(name, value.Expose(Exit::kSendUpstream));
    }
    if (!request.content_type.empty()) add("Content-Type", request.content_type);
    const std::string body(request.body.Expose(Exit::kSendUpstream));
    std::string received;
    curl_easy_setopt(easy.get(), CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_CAINFO, ca_file_.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
    if (!body.empty()) curl_easy_setopt(easy.get(), CURLOPT_COPYPOSTFIELDS, body.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(
        easy.get(), CURLOPT_WRITEFUNCTION, +[](char* bytes, size_t size, size_t count, void* out) {
          static_cast<std::string*>(out)->append(bytes, size * count);
          return size * count;
        });
    const CURLcode code = curl_easy_perform(easy.get());
    curl_slist_free_all(headers);
    if (code != CURLE_OK) {
      return broker::Fail(broker::ErrorCode::kUnavailable, curl_easy_strerror(code));
    }
    return Answer(easy.get(), received);
  }

 private:
  static broker::HttpResponse Answer(CURL* easy, std::string& received) {
    broker::HttpResponse response;
    long status = 0;
    curl_off_t wait = 0;
    curl_header* challenge = nullptr;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    if (wait > 0) response.retry_after = std::chrono::seconds(wait);
    if (curl_easy_header(easy, "WWW-Authenticate", 0, CURLH_HEADER, -1, &challenge) == CURLHE_OK) {
      response.www_authenticate = challenge->value;
    }
    response.status = static_cast<int>(status);
    response.body = Secret::TakeFrom(received);
    return response;
  }
  std::string ca_file_;
};

struct GivenToken final : broker::VaultAuth {
  broker::VaultResult<Secret> Token(const std::string& /*resource*/,
                                    Freshness /*unused*/) override {
    return Secret::CopyOf(value);
  }
  std::string value;
};

struct SystemClock final : broker::Clock {
  Steady Now() const override { return std::chrono::steady_clock::now(); }
  Wall WallNow() const override { return std::chrono::system_clock::now(); }
};

std::string TextOf(const Secret& secret) { return std::string(secret.Expose(Exit::kTest)); }

json Told(const vault::KeyVaultError& error) {
  json told = {{"code", static_cast<int>(error.code)}, {"detail", error.detail}};
  if (error.retry_after) told["retry_after"] = error.retry_after->count();
  return told;
}
json Told(const broker::Error& error) {
  return {{"code", static_cast<int>(error.code)}, {"detail", error.detail}};
}

class Probe {
 public:
  Probe(vault::KeyVaultClient& client, GivenToken& token)
      : token_(token), client_(client), keys_(client, {}) {}

  json Run(const json& line) {
    const std::string op = line.at("op");
    const vault::SecretPlace place{line.value("name", ""), line.value("version", "")};
    if (op == "token") {
      token_.value = line.at("value");
      return {{"done", true}};
    }
    if (op == "get" || op == "get-certificate") return Fetch(place, op == "get-certificate");
    if (op == "replace") return Replace(place, line);
    if (op == "versions") return Versions(place);
    if (op == "sign") return Sign(place, line);
    if (op == "wrap") return Wrap(place, line);
    if (op == "current") return Current(place);
    throw std::runtime_error("unknown op");
  }

 private:
  json Fetch(const vault::SecretPlace& place, bool certificate) {
    const auto kind =
        certificate ? broker::SecretKind::kCertificate : broker::SecretKind::kClientSecret;
    vault::AzureKeyVault vault(client_, {{{"c", kind}, place}});
    const auto got = vault.Fetch({"c", kind});
    if (!got) return Told(got.error());
    return {{"value", TextOf(got->value)}, {"version", got->version}, {"host", got->host}};
  }
  json Replace(const vault::SecretPlace& place, const json& line) {
    const broker::SecretId id{"c", broker::SecretKind::kRefreshToken};
    vault::AzureKeyVault vault(client_, {{id, place}});
    const auto put = vault.Replace(id, line.value("expected", ""),
                                   Secret::CopyOf(line.at("value").get<std::string>()));
    if (!put) return Told(put.error());
    return {{"version", *put}};
  }
  json Versions(const vault::SecretPlace& place) {
    vault::AzureKeyVault vault(client_, {});
    const auto versions = vault.ListVersions(place.name);
    if (!versions) return Told(versions.error());
    json list = json::array();
    for (const auto& version : *versions) list.push_back(version.version);
    return {{"versions", list}};
  }
  json Sign(const vault::SecretPlace& place, const json& line) {
    broker::Signer::Digest digest{};
    const std::string text = line.at("text");
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    const std::string algorithm = line.at("alg");
    const auto made = keys_.Sign(place,
                                 algorithm == "PS256"   ? vault::KeyVaultAlgorithm::kPs256
                                 : algorithm == "RS256" ? vault::KeyVaultAlgorithm::kRs256
                                                        : vault::KeyVaultAlgorithm::kEs256,
                                 digest);
    if (!made) return Told(made.error());
    const auto key = keys_.GetKey({place.name, made->version});
    if (!key) return Told(key.error());
    return {{"signature", broker::Base64UrlEncode(made->bytes)},
            {"version", made->version},
            {"jwk",
             {{"kty", key->kty},
              {"n", key->n},
              {"e", key->e},
              {"crv", key->crv},
              {"x", key->x},
              {"y", key->y}}}};
  }
  json Wrap(const vault::SecretPlace& place, const json& line) {
    const std::string key = line.at("value");
    const auto made = keys_.Wrap(place, Secret::CopyOf(key));
    if (!made) return Told(made.error());
    const auto back = keys_.Unwrap({place.name, made->version}, made->bytes, key.size());
    if (!back) return Told(back.error());
    return {{"wrapped", broker::Base64UrlEncode(made->bytes)},
            {"unwrapped", TextOf(*back)},
            {"version", made->version}};
  }
  json Current(const vault::SecretPlace& place) {
    const auto facts = keys_.GetCertificate(place);
    if (!facts) return Told(facts.error());
    return {{"version", facts->key_version}, {"thumbprint", facts->thumbprint}};
  }

  GivenToken& token_;
  vault::KeyVaultClient& client_;
  vault::KeyVaultKeys keys_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Drives the Key Vault adapter, for tests.");
  vault::KeyVaultOptions options;
  std::string ca_file;
  app.add_option("--url", options.url)->required();
  app.add_option("--resource", options.resource)->required();
  app.add_option("--tenant", options.tenants)->required();
  app.add_option("--ca", ca_file)->required();
  app.add_flag("--custom", options.custom_cloud);
  CLI11_PARSE(app, argc, argv);
  if (sodium_init() < 0) return 1;
  DirectTransport http(ca_file);
  GivenToken token;
  const SystemClock clock;
  std::getline(std::cin, token.value);
  vault::KeyVaultClient client(options, {http, token, clock});
  Probe probe(client, token);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << probe.Run(json::parse(line)).dump() << std::endl;
  }
  return 0;
}
