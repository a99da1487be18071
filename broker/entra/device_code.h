// broker/entra/device_code.h: the first answer of the device authorization grant (RFC 8628 §3.2).
#pragma once
#include <chrono>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

struct DeviceCode {
  // RFC 8628 §3.2: where the server names none.
  static constexpr std::chrono::seconds kDefaultInterval{5};
  // Entra gives a quarter of an hour; a day is nonsense.
  static constexpr std::chrono::seconds kMaxLife{24 * 3600};
  static constexpr size_t kMaxShownBytes = 256;

  Secret device_code;
  std::string user_code;         // shown to a person: printable ASCII
  std::string verification_uri;  // https, shown to a person
  std::chrono::seconds expires_in{0};
  std::chrono::seconds interval{kDefaultInterval};
};

/// Errors: kCorrupt; the detail names the field. What a person will be shown is refused unless it
/// is short printable ASCII: it comes from outside and goes to a terminal.
Result<DeviceCode> ReadDeviceCode(const Secret& body);

}  // namespace broker::entra
