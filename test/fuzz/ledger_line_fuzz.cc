// A line that the scanner accepts is canonical: it parses as JSON, writes back to the same bytes,
// and its members can be walked.
#include <sodium.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "broker/base/strict_json.h"
#include "broker/ledger/head.h"
#include "broker/ledger/line_shape.h"
#include "broker/ledger/segment_name.h"
#include "broker/ledger/verifier.h"
#include "sidecar/ledger/audit_page.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckLine(std::string_view line) {
  broker::ledger::ScannedLine scanned;
  if (!broker::ledger::ScanLine(line, &scanned)) return;
  broker::ledger::ScannedLine by_shape;
  const bool matches = broker::ledger::LineShape(line, scanned).Match(line, &by_shape);
  Require(!matches || (by_shape.seq == scanned.seq && by_shape.prev == scanned.prev));
  const auto parsed = broker::ParseStrictJson(line);
  Require(parsed.has_value());
  // nlohmann sorts keys and writes without spaces: for this subset that is RFC 8785.
  Require(parsed->dump() == line);
  Require((*parsed)["seq"] == scanned.seq);
  const std::string visible = sidecar::ledger::VisibleToAgent(line);
  const auto shown = broker::ParseStrictJson(visible);
  Require(shown && shown->is_object() && !shown->contains("claimed") && !shown->contains("user"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool ready = sodium_init() >= 0;
  Require(ready);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckLine(bytes);
  [[maybe_unused]] const auto name = broker::ledger::ParseSegmentName(bytes);
  if (const auto head = broker::ledger::ParseHead(bytes)) {
    Require(broker::ledger::ParseHead(broker::ledger::FormatHead(*head)) == *head);
  }
  broker::ledger::Verifier verifier({});
  verifier.BeginSegment("2026-11-20.000000000001.jsonl");
  const size_t end = bytes.rfind('\n') + 1;
  verifier.Lines(bytes.substr(0, end));
  verifier.Rest(bytes.substr(end));
  [[maybe_unused]] const auto report = verifier.Finish();
  return 0;
}
