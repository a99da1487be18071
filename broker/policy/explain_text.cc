#include "broker/policy/explain.h"
#include "broker/policy/inert.h"

namespace broker::policy {
namespace {

using Json = nlohmann::ordered_json;

const char* NameOf(SelectorOutcome outcome) {
  switch (outcome) {
    case SelectorOutcome::kHeld:
      return "held";
    case SelectorOutcome::kDiffers:
      return "differs";
    case SelectorOutcome::kFactMissing:
      return "unknown";
  }
  return "unknown";
}

std::string At(const Place& place) {
  return place.file.empty() ? "" : " (" + place.file + ":" + std::to_string(place.line) + ")";
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

constexpr size_t kColumn = 14;  // "systemd_unit" and two blanks

std::string SelectorLines(const SelectorMatch& match) {
  std::string text = "selectors\n";
  for (const SelectorResult& result : match.results) {
    text += "  " + Padded(result.selector, kColumn) + Padded(NameOf(result.outcome), 9) +
            "wanted " + result.wanted + ", found " +
            (result.found.empty() ? "nothing" : Inert(result.found)) + "\n";
  }
  return text;
}

std::string RuleLines(const std::vector<RuleView>& rules) {
  if (rules.empty()) return "";
  std::string text = "rules\n";
  for (const RuleView& rule : rules) {
    text += std::string(rule.used ? "  * " : "    ") + rule.name + At(rule.place) + ": " +
            rule.why + ", from " + rule.credential + "\n";
  }
  return text;
}

std::string Bullets(const std::string& title, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = title + "\n";
  for (const std::string& line : lines) text += "  - " + line + "\n";
  return text;
}

}  // namespace

std::string AsText(const Explanation& explanation) {
  const bool operators = explanation.agent.empty() && explanation.scopes.empty();
  std::string text = operators ? "operator's socket" : "agent " + Inert(explanation.agent);
  if (!explanation.scopes.empty()) {
    text += " asks for";
    for (const std::string& scope : explanation.scopes) text += " " + Inert(scope);
  }
  text += "\n" + explanation.verdict + "\n";
  if (explanation.selectors) text += SelectorLines(*explanation.selectors);
  text += RuleLines(explanation.rules);
  return text + Bullets(explanation.granted ? "also" : "what would change it", explanation.changes);
}

std::string AsText(const PastExplanation& past) {
  std::string text = past.headline + "\n";
  for (const std::string& note : past.notes) text += "  " + note + "\n";
  return past.today ? text + "today: " + AsText(*past.today) : text;
}

nlohmann::ordered_json AsJson(const Explanation& explanation) {
  Json object = {{"agent", explanation.agent},     {"scopes", explanation.scopes},
                 {"granted", explanation.granted}, {"reason", explanation.reason},
                 {"verdict", explanation.verdict}, {"credential", explanation.credential},
                 {"rules", Json::array()},         {"changes", explanation.changes}};
  for (const RuleView& rule : explanation.rules) {
    object["rules"].push_back({{"name", rule.name},
                               {"file", rule.place.file},
                               {"line", rule.place.line},
                               {"credential", rule.credential},
                               {"used", rule.used},
                               {"why", rule.why}});
  }
  if (!explanation.selectors) return object;
  object["selectors"] = Json::array();
  for (const SelectorResult& result : explanation.selectors->results) {
    object["selectors"].push_back({{"selector", result.selector},
                                   {"wanted", result.wanted},
                                   {"found", result.found},
                                   {"outcome", NameOf(result.outcome)}});
  }
  return object;
}

nlohmann::ordered_json AsJson(const PastExplanation& past) {
  Json object = {{"headline", past.headline}, {"notes", past.notes}};
  if (past.today) object["today"] = AsJson(*past.today);
  return object;
}

}  // namespace broker::policy
