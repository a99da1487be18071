// sidecar/broker/admin_why.h: the reason that an operator gives, for the ledger.
#pragma once
#include <expected>
#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/inert_text.h"
#include "broker/reason.h"

namespace sidecar::broker_role {

/// `why` of a route's body; empty: it has none. Refuses kWrongType, kValueOutOfRange (an empty
/// text, or one that people are not to be shown: see broker/base/inert_text.h).
inline std::expected<std::string, broker::Refusal> WhyOf(const nlohmann::json& body) {
  const auto why = body.find("why");
  if (why == body.end()) return std::string();
  if (!why->is_string()) return broker::Refuse(broker::Reason::kWrongType);
  auto text = why->get<std::string>();
  if (!text.empty() && broker::IsInertText(text)) return text;
  return broker::Refuse(broker::Reason::kValueOutOfRange,
                        "why is a text of at most 200 characters without control characters.");
}

}  // namespace sidecar::broker_role
