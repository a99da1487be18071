// broker/policy/explain.h: why a request is granted or denied, and what would change it.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "broker/policy/facts.h"
#include "broker/policy/selectors.h"

namespace broker::policy {

/// One rule of the agent, as this request meets it.
struct RuleView {
  std::string name;
  Place place;
  std::string credential;
  bool used = false;  // the grant counts it
  std::string why;    // "grants Mail.Read, not Mail.Send"
};

struct Explanation {
  std::string agent;                // empty: the operator's socket
  std::vector<std::string> scopes;  // as asked for
  bool granted = false;
  std::string reason;                      // a reason code; empty when granted
  std::string verdict;                     // one sentence
  std::string credential;                  // the one that serves it; empty when denied
  std::optional<SelectorMatch> selectors;  // with facts only
  std::vector<RuleView> rules;             // in the order of the file
  std::vector<std::string> changes;        // what would change it, or what else to know
};

/// Pure: what Decide does for this request, step by step. `facts` of a process, when there is one:
/// whether it would get as far as the rules.
Explanation Explain(const Config& config, const std::string& agent,
                    const std::vector<std::string>& scopes, const Facts* facts = nullptr);

/// What would make this selector hold. REQUIRES: it does not.
std::string SelectorAdvice(const SelectorResult& result);

/// A past entry of the ledger, read by today's configuration.
struct PastExplanation {
  std::string headline;              // "entry 41, 2026-11-20T…: token.denied for agent helpdesk"
  std::vector<std::string> notes;    // what was recorded, whether the policy has changed since
  std::optional<Explanation> today;  // where the entry is about a request or a connection
};

/// `entry` is a parsed line of the ledger; every field may be missing or of the wrong type.
PastExplanation ExplainEntry(const Config& config, const nlohmann::json& entry);

// Text for people, ends with a newline; what came from an agent is quoted and inert.
std::string AsText(const Explanation& explanation);
std::string AsText(const PastExplanation& explanation);
nlohmann::ordered_json AsJson(const Explanation& explanation);
nlohmann::ordered_json AsJson(const PastExplanation& explanation);

}  // namespace broker::policy
