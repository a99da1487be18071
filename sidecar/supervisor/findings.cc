#include "sidecar/supervisor/findings.h"

#include <string>
#include <utility>

#include "broker/base/strict_json.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail;

// More than there are things to try.
constexpr size_t kMaxFindings = 100;

bool TakeText(const nlohmann::json& object, const char* name, std::string* out) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_string()) return false;
  *out = member->get<std::string>();
  return true;
}

}  // namespace

broker::Result<std::vector<Finding>> ParseFindings(std::string_view text) {
  const auto document = broker::ParseStrictJson(text);
  if (!document || !document->is_array() || document->size() > kMaxFindings) {
    return Fail(ErrorCode::kCorrupt, "findings are no JSON array");
  }
  std::vector<Finding> findings;
  for (const nlohmann::json& item : *document) {
    Finding finding;
    if (!item.is_object() || item.size() != 3 || !TakeText(item, "name", &finding.name) ||
        !TakeText(item, "what", &finding.what) || !TakeText(item, "remedy", &finding.remedy)) {
      return Fail(ErrorCode::kCorrupt, "a finding is no {name, what, remedy}");
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace sidecar::supervisor
