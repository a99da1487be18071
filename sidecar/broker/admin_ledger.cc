// Closed segments of the ledger, to its archive.
#include <algorithm>

#include "broker/base/strict_json.h"
#include "sidecar/broker/admin_service.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse;
using nlohmann::json;
using Outcome = AdminService::Outcome;

// Segments of one request: a month of them, so that it ends in time; the answer says what is left.
constexpr int kMostAtOnce = 31;

bool IsDate(const std::string& text) {
  constexpr std::string_view kShape = "0000-00-00";
  return text.size() == kShape.size() && std::ranges::equal(text, kShape, [](char c, char shape) {
           return shape == '0' ? c >= '0' && c <= '9' : c == shape;
         });
}

}  // namespace

Outcome AdminService::ArchiveLedger(const Call& call) {
  const json& before = call.body.at("before");
  const json dry_run = call.body.value("dry_run", json(false));
  if (!before.is_string() || !dry_run.is_boolean()) return Refuse(Reason::kWrongType);
  if (!IsDate(before.get_ref<const std::string&>())) {
    return Refuse(Reason::kValueOutOfRange, "before is a day (UTC) such as 2026-10-01.");
  }
  const std::string order = json{{"before", before}, {"dry_run", dry_run}}.dump();
  json moved = json::array();
  for (int i = 0; i < kMostAtOnce; ++i) {
    const auto text = ports_.archive_ledger(order);
    if (!text) return std::unexpected(RefusalOf(text.error(), Reason::kLedgerUnavailable));
    auto answer = broker::ParseStrictJson(*text);
    if (!answer || !answer->is_object()) return Refuse(Reason::kInternal);
    if (answer->contains("error")) {
      const json& why = answer->at("error");
      return Refuse(
          Reason::kLedgerUnavailable,
          (moved.empty() ? "Nothing was moved: "
                         : std::to_string(moved.size()) + " segments were moved, then: ") +
              (why.is_string() ? why.get<std::string>() : std::string("no answer")) + ".");
    }
    if (dry_run.get<bool>()) return *answer;
    if (answer->contains("moved")) moved.push_back(std::move(answer->at("moved")));
    if (answer->at("left") == 0 || i + 1 == kMostAtOnce) {
      return json{{"moved", std::move(moved)}, {"left", answer->at("left")}};
    }
  }
  return Refuse(Reason::kInternal);
}

}  // namespace sidecar::broker_role
