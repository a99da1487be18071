// sidecar/broker/device_answer.h: a device code, as the operator's socket answers with it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/device_grant.h"

namespace sidecar::broker_role {

/// Where the person goes, what is typed there, and for how long and how often to ask about `id`;
/// times in seconds. Pure.
inline nlohmann::json DeviceAnswer(const std::string& id, const broker::DevicePrompt& prompt) {
  return {{"id", id},
          {"user_code", prompt.user_code},
          {"verification_uri", prompt.verification_uri},
          {"expires_in", prompt.expires_in.count()},
          {"interval", prompt.interval.count()}};
}

}  // namespace sidecar::broker_role
