// test/devtenant/jwt.h: JSON Web Tokens (RFC 7515, RFC 7518), signed and verified.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "test/devtenant/keys.h"

namespace devtenant {

/// A compact JWT signed with RS256; `header` gets alg and typ.
std::string SignRs256(const Key& key, nlohmann::json header, const nlohmann::json& claims);

struct ParsedJwt {
  nlohmann::json header;
  nlohmann::json claims;
  std::string signed_part;
  std::string signature;
};

/// The parts of a compact JWT, not verified; nothing when it is not one.
std::optional<ParsedJwt> ParseJwt(std::string_view text);

/// True when the signature is `key`'s, made as the header's alg says: PS256 or RS256, no other.
bool VerifyJwt(const ParsedJwt& jwt, EVP_PKEY* key);

/// The public half of an RSA key as a JWK (RFC 7517).
nlohmann::json PublicJwk(const Key& key, const std::string& key_id);

}  // namespace devtenant
