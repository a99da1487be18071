// broker/entra/discovery.h: which tenant a domain name stands for.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker::entra {

/// 8-4-4-4-12 hexadecimal digits.
bool IsGuid(std::string_view text);
/// ASCII case aside: GUIDs are written in either.
bool SameGuid(std::string_view a, std::string_view b);

/// The tenant's GUID from a discovery document (OpenID Connect Discovery 1.0 §4.2), whose `issuer`
/// is "https://…/<guid>/v2.0". Errors: kCorrupt.
Result<std::string> ReadTenantGuid(const Secret& body);

}  // namespace broker::entra
