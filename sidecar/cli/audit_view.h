// sidecar/cli/audit_view.h: a ledger line for people to read.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace sidecar::cli {

/// One row: seq, time, type, agent, outcome, and what matters most for that type. What the agent
/// claims is quoted and marked.
std::string AuditRow(const nlohmann::json& entry);
/// The header over such rows.
std::string AuditRowHeader();

/// Every field on a line of its own, what is claimed apart from what is proven.
std::string AuditDetails(const nlohmann::json& entry);

/// `text` in quotes and inert: quotes, backslashes, and characters that direct a terminal or turn
/// the reading direction are escaped (RFC 8259 style).
std::string InertText(std::string_view text);

}  // namespace sidecar::cli
