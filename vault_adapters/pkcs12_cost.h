// vault_adapters/pkcs12_cost.h: how long a PKCS#12 file would take to open.
#pragma once
#include <openssl/pkcs12.h>

#include <cstdint>

namespace vault {

// Each way to derive a key repeats a hash as often as the file says, up to 2^31 times: minutes of a
// thread, for whoever may replace a secret. Files have some thousand; this many take a second.
inline constexpr int64_t kMaxPkcs12Iterations = 1'000'000;

/// Whether the iterations of all that PKCS12_parse would derive come to no more than that. Derives
/// itself what it must to see the rest, while they do. False as well for what it cannot judge: a
/// derivation without iterations (scrypt), and safes in safes deeper than files have them.
/// `file` is without a password.
bool OpensSoon(const PKCS12* file);

}  // namespace vault
