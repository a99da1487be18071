#include "broker/entra/discovery.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/strict_json.h"

namespace broker::entra {
namespace {

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Of a digit or a hyphen: bit 5 is set in all of them, and in small letters.
char LowerHex(char c) { return static_cast<char>(c | 0x20); }

}  // namespace

bool IsGuid(std::string_view text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(
      text, kShape, [](char c, char shape) { return shape == 'x' ? IsHexDigit(c) : c == shape; });
}

bool SameGuid(std::string_view a, std::string_view b) {
  return IsGuid(a) && IsGuid(b) && std::ranges::equal(a, b, {}, LowerHex, LowerHex);
}

Result<std::string> ReadTenantGuid(const Secret& body) {
  const auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed || !parsed->is_object()) return Fail(ErrorCode::kCorrupt, "discovery: not an object");
  const auto it = parsed->find("issuer");
  if (it == parsed->end() || !it->is_string())
    return Fail(ErrorCode::kCorrupt, "discovery: issuer");
  constexpr std::string_view kEnd = "/v2.0";
  std::string_view issuer = it->get_ref<const std::string&>();
  if (!issuer.starts_with("https://") || !issuer.ends_with(kEnd)) {
    return Fail(ErrorCode::kCorrupt, "discovery: issuer");
  }
  issuer.remove_suffix(kEnd.size());
  const std::string_view tenant = issuer.substr(issuer.rfind('/') + 1);
  if (!IsGuid(tenant)) return Fail(ErrorCode::kCorrupt, "discovery: issuer names no tenant");
  return std::string(tenant);
}

}  // namespace broker::entra
