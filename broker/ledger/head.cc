#include "broker/ledger/head.h"

#include <nlohmann/json.hpp>

#include "broker/base/strict_json.h"
#include "broker/ledger/segment_name.h"

namespace broker::ledger {
namespace {

using nlohmann::json;

bool ReadHead(const json& from, Head* head) {
  if (!from.is_object()) return false;
  const bool archives = from.contains("archived") || from.contains("archive_intended");
  const auto closed = from.find("closed");
  head->state.closed = closed != from.end();  // said by its being there
  if (head->state.closed && *closed != json(true)) return false;
  if (from.size() != 8U + (archives ? 2 : 0) + (head->state.closed ? 1 : 0)) return false;
  const auto number = [&from](const char* key, uint64_t* to) {
    const auto it = from.find(key);
    if (it == from.end() || !it->is_number_unsigned()) return false;
    *to = it->get<uint64_t>();
    return true;
  };
  State& state = head->state;
  if (!number("seq", &state.seq) || !number("offset", &head->offset) ||
      !number("store_intended", &state.store_intended) ||
      !number("store_confirmed", &state.store_confirmed)) {
    return false;
  }
  // Absent before the first archive, and in heads of earlier versions.
  if (archives && (!number("archive_intended", &state.archive_intended) ||
                   !number("archived", &state.archived))) {
    return false;
  }
  const auto all = from.find("all_killed"), killed = from.find("killed"), leaf = from.find("leaf"),
             segment = from.find("segment");
  if (all == from.end() || !all->is_boolean() || killed == from.end() || !killed->is_array() ||
      leaf == from.end() || !leaf->is_string() || segment == from.end() || !segment->is_string()) {
    return false;
  }
  state.all_killed = all->get<bool>();
  for (const json& agent : *killed) {
    if (!agent.is_string()) return false;
    state.killed.insert(agent.get<std::string>());
  }
  head->segment = segment->get<std::string>();
  const auto parsed = ParseLeafHex(leaf->get_ref<const std::string&>());
  if (parsed) state.leaf = *parsed;
  return parsed && ParseSegmentName(head->segment);
}

}  // namespace

std::string FormatHead(const Head& head) {
  std::string line = R"({"all_killed":)";
  line += head.state.all_killed ? "true" : "false";
  if (head.state.archive_intended > 0) {
    line += R"(,"archive_intended":)" + std::to_string(head.state.archive_intended);
    line += R"(,"archived":)" + std::to_string(head.state.archived);
  }
  if (head.state.closed) line += R"(,"closed":true)";
  line += R"(,"killed":[)";
  for (const std::string& agent : head.state.killed) {
    if (line.back() != '[') line += ',';
    line += '"' + agent + '"';  // as in the line: no quote, no backslash, no control character
  }
  line += R"(],"leaf":")" + LeafHex(head.state.leaf);
  line += R"(","offset":)" + std::to_string(head.offset);
  line += R"(,"segment":")" + head.segment;
  line += R"(","seq":)" + std::to_string(head.state.seq);
  line += R"(,"store_confirmed":)" + std::to_string(head.state.store_confirmed);
  line += R"(,"store_intended":)" + std::to_string(head.state.store_intended);
  line += '}';
  if (line.size() + 1 < kHeadBytes) line.resize(kHeadBytes - 1, ' ');
  line += '\n';
  return line;
}

Result<Head> ParseHead(std::string_view file) {
  const auto parsed = ParseStrictJson(file.substr(0, file.find('\n')));
  Head head;
  if (!parsed || file.find('\n') == std::string_view::npos || !ReadHead(*parsed, &head)) {
    return Fail(ErrorCode::kCorrupt, "the head file is damaged");
  }
  return head;
}

}  // namespace broker::ledger
