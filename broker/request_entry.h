// broker/request_entry.h: what the ledger is told of a token request.
#pragma once
#include <string>
#include <vector>

#include "broker/ledger/entry.h"
#include "broker/policy/decide.h"
#include "broker/policy/facts.h"
#include "broker/ports/token_cache.h"
#include "broker/token_request.h"

namespace broker {

/// Who asks, for what, and what is claimed; without a type yet.
ledger::Entry EntryFor(const std::string& agent, const policy::Facts& facts,
                       const TokenRequest& request, const std::string& request_id,
                       const std::string& policy_sha256);

/// By which rules and credential, and which credentials were passed over.
void DescribeGrant(const policy::Grant& grant, ledger::Entry* entry);

/// Makes it the entry of that token's release.
void DescribeRelease(const AccessToken& token, ledger::Entry* entry);

/// Undoes what names the token: what was to be released and is not, nobody has.
void TakeBack(ledger::Entry* entry);

/// Without all that an agent chose. What no line can hold was sent to leave no trace: who was
/// refused, and why, stands all the same.
ledger::Entry WithoutClaims(ledger::Entry entry);

/// In their order.
std::vector<std::string> NamesOf(const std::vector<const policy::Rule*>& rules);

}  // namespace broker
