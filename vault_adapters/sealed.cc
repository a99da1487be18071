#include "vault_adapters/sealed.h"

#include <charconv>
#include <utility>

namespace vault {

using broker::ErrorCode, broker::Fail;

broker::VaultResult<broker::VaultSecret> Sealed::Fetch(const broker::SecretId& id) {
  auto stored = store_.Get(id);
  if (!stored) return std::unexpected(stored.error());
  // What was destroyed is there no more.
  if (stored->value.empty()) return Fail(ErrorCode::kNotFound, id.name + ": destroyed");
  return broker::VaultSecret{std::move(stored->value), std::to_string(stored->version)};
}

broker::VaultResult<std::string> Sealed::Replace(const broker::SecretId& id,
                                                 const std::string& expected_version,
                                                 const broker::Secret& value) {
  uint64_t expected = 0;
  const char* const end = expected_version.data() + expected_version.size();
  const auto [stopped, fault] = std::from_chars(expected_version.data(), end, expected);
  if (fault != std::errc{} || stopped != end || std::to_string(expected) != expected_version)
    return Fail(ErrorCode::kInvalidRequest, "version of a stored secret: a decimal number");
  const auto version = store_.Put(id, value, expected);
  if (!version) return std::unexpected(version.error());
  return std::to_string(*version);
}

}  // namespace vault
