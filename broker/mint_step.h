// broker/mint_step.h: what the steps of a mint share.
#pragma once
#include <expected>
#include <string>
#include <variant>

#include "broker/entra/upstream_error.h"
#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/token_cache.h"
#include "broker/reason.h"

namespace broker {

/// What one call of Minter::Mint works on. Borrowed for the call.
struct MintTask {
  const policy::Config& config;
  const policy::Credential& credential;
  const TokenKey& key;
  const ledger::Entry& who;
  std::string tenant_guid;
  /// Verified already (UserVerifier), with a credential that needs it; else null.
  const Secret* user_assertion = nullptr;
};

/// Why a step failed: purser's own refusal, from which nothing is learnt about Entra, or what
/// Entra, or the way there, made of a request.
using MintFault = std::variant<Refusal, entra::UpstreamError>;
template <class T>
using MintStep = std::expected<T, MintFault>;

[[nodiscard]] inline std::unexpected<MintFault> Stop(Refusal refusal) {
  return std::unexpected(MintFault(std::move(refusal)));
}
[[nodiscard]] inline std::unexpected<MintFault> Stop(entra::UpstreamError error) {
  return std::unexpected(MintFault(std::move(error)));
}

}  // namespace broker
