#include "broker/entra/device_code.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/strict_json.h"

namespace broker::entra {
namespace {

using nlohmann::json;

std::unexpected<Error> Bad(const char* field) {
  return Fail(ErrorCode::kCorrupt, std::string("device code answer: ") + field);
}

bool ReadShown(const json& object, const char* name, std::string* out) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return false;
  *out = it->get<std::string>();
  return !out->empty() && out->size() <= DeviceCode::kMaxShownBytes &&
         std::ranges::all_of(*out, [](char c) { return c > ' ' && c < 0x7f; });
}

bool ReadSeconds(const json& object, const char* name, std::chrono::seconds* out) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_unsigned()) return false;
  const auto value = it->get<uint64_t>();
  if (value == 0 || value > static_cast<uint64_t>(DeviceCode::kMaxLife.count())) return false;
  *out = std::chrono::seconds(static_cast<int64_t>(value));
  return true;
}

}  // namespace

Result<DeviceCode> ReadDeviceCode(const Secret& body) {
  auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed || !parsed->is_object()) return Bad("not an object");
  DeviceCode code;
  const auto it = parsed->find("device_code");
  if (it == parsed->end() || !it->is_string()) return Bad("device_code");
  code.device_code = Secret::TakeFrom(it->get_ref<std::string&>());
  if (code.device_code.empty()) return Bad("device_code");
  if (!ReadShown(*parsed, "user_code", &code.user_code)) return Bad("user_code");
  if (!ReadShown(*parsed, "verification_uri", &code.verification_uri) ||
      !code.verification_uri.starts_with("https://")) {
    return Bad("verification_uri");
  }
  if (!ReadSeconds(*parsed, "expires_in", &code.expires_in)) return Bad("expires_in");
  if (parsed->contains("interval") && !ReadSeconds(*parsed, "interval", &code.interval)) {
    return Bad("interval");
  }
  return code;
}

}  // namespace broker::entra
