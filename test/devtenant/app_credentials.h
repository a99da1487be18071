// test/devtenant/app_credentials.h: the secrets and certificates of an application, as Graph keeps
// them, and the proof that an application shows to change its own.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace devtenant {

struct Registration;
struct Tenant;

/// What has still to pass before the token endpoint knows a credential: so many requests that show
/// it, and a moment of the machine's steady clock in milliseconds.
struct Propagation {
  uint64_t requests = 0;
  int64_t usable_at_ms = 0;
};

/// Whether the token endpoint knows the credential by now; uses up one of its requests.
bool HasArrived(Propagation& propagation);

/// Times in seconds since the epoch; `end` is the first second in which it is no longer good.
struct PasswordCredential {
  std::string key_id, secret, display_name;
  int64_t start = 0, end = 0;
  Propagation propagation;
};

struct KeyCredential {
  std::string key_id, display_name;
  std::string sha1, sha256;  // of the certificate's DER form, base64url: x5t and x5t#S256
  std::string pem;
  int64_t start = 0, end = 0;
  Propagation propagation;
};

/// A secret that is good from now on for Entra's default of two years; one that ended long ago.
PasswordCredential NewPassword(const std::string& secret, int64_t now);
PasswordCredential ExpiredPassword(const std::string& secret);
/// Throws std::runtime_error for text that holds no PEM certificate.
KeyCredential NewKey(const std::string& pem);

/// As Graph shows them. A secret's text is in the answer to addPassword alone.
nlohmann::json PasswordObject(const PasswordCredential& password);
nlohmann::json KeyObject(const KeyCredential& key);

/// The four actions of an application, with the request's body. Throw GraphError:
/// 401 Authentication_MissingOrMalformed for a proof that is not RS256 by a certificate of the
/// application that is good now, or whose audience, issuer (the application's object id) or times
/// (at most ten minutes) are others · 400 Request_BadRequest for a body that is not theirs.
nlohmann::json AddPassword(Tenant& tenant, Registration& application, const nlohmann::json& body);
void RemovePassword(Registration& application, const nlohmann::json& body);
nlohmann::json AddKey(Tenant& tenant, Registration& application, const nlohmann::json& body);
void RemoveKey(const Tenant& tenant, Registration& application, const nlohmann::json& body);

}  // namespace devtenant
