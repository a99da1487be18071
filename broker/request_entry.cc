#include "broker/request_entry.h"

#include <utility>

#include "broker/caller_record.h"
#include "broker/policy/scopes.h"

namespace broker {

using ledger::Entry;

Entry EntryFor(const std::string& agent, const policy::Facts& facts, const TokenRequest& request,
               const std::string& request_id, const std::string& policy_sha256) {
  Entry entry;
  entry.agent = agent;
  entry.caller = RecordOf(facts);
  entry.claimed = request.context;
  entry.request_id = request_id;
  entry.trace = request.trace;
  entry.scopes = request.scopes;
  entry.policy_sha256 = policy_sha256;
  return entry;
}

void DescribeGrant(const policy::Grant& grant, Entry* entry) {
  entry->target_kind = "resource";
  entry->target_resource = grant.scopes.resource;
  entry->scopes = grant.scopes.names;
  entry->credential_name = grant.credential->name;
  entry->credential_kind = grant.credential->kind;
  entry->policy_rule = policy::JoinNames(NamesOf(grant.rules), ",");
  std::vector<std::string> others;
  others.reserve(grant.passed_over.size());
  for (const policy::Credential* other : grant.passed_over) others.push_back(other->name);
  if (!others.empty()) entry->change["passed_over"] = policy::JoinNames(others, ",");
}

void DescribeRelease(const AccessToken& token, Entry* entry) {
  entry->type = ledger::EntryType::kTokenIssued;
  entry->outcome = ledger::Outcome::kSuccess;
  entry->user_oid = token.user_oid;
  entry->credential_version = token.credential_version;
  entry->token_fp = token.fingerprint;
  entry->token_uti = token.uti;
  entry->token_exp = token.exp_unix;
}

void TakeBack(Entry* entry) {
  entry->token_fp.clear();
  entry->token_uti.clear();
  entry->token_exp = 0;
}

Entry WithoutClaims(Entry entry) {
  entry.scopes.clear();
  entry.claimed = {};
  entry.trace.clear();
  entry.request_id.clear();
  return entry;
}

std::vector<std::string> NamesOf(const std::vector<const policy::Rule*>& rules) {
  std::vector<std::string> names;
  names.reserve(rules.size());
  for (const policy::Rule* rule : rules) names.push_back(rule->name);
  return names;
}

}  // namespace broker
