#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "broker/ledger/segment_name.h"
#include "broker/ledger/verifier.h"
#include "sidecar/cli/audit_command.h"
#include "sidecar/cli/complaint.h"
#include "sidecar/cli/ledger_files.h"

namespace sidecar::cli {
namespace {

using broker::Result;
using broker::ledger::Damage, broker::ledger::DamageName, broker::ledger::Expectations,
    broker::ledger::Finding, broker::ledger::LeafHex, broker::ledger::Report;
using nlohmann::json;

std::optional<Expectations::Anchor> ParseAnchor(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Expectations::Anchor anchor{};
  const std::string number(text.substr(0, colon));
  const char* const end = number.data() + number.size();
  const auto read = std::from_chars(number.data(), end, anchor.seq);
  const auto leaf = broker::ledger::ParseLeafHex(text.substr(colon + 1));
  if (read.ec != std::errc() || read.ptr != end || anchor.seq == 0 || !leaf) {
    return std::nullopt;
  }
  anchor.leaf = *leaf;
  return anchor;
}

struct Verified {
  Report report;
  size_t segments = 0;
  uint64_t from = 1;  // the first entry that was verified
};

// What the ledger recorded of a state when it archived what led to it. Of a line's bytes: quotes in
// a text are escaped there.
std::string RecordOf(const broker::ledger::Head& base) {
  return R"("state_sha256":")" + broker::ledger::Sha256Hex(FormatHead(base)) + '"';
}

// Where to begin: at entry 1, or behind what was archived. An archive of which the beginning is
// missing, too, begins where its own folder says.
std::optional<broker::ledger::Head> FindBase(const AuditVerifyOptions& options,
                                             std::vector<SegmentFile>* segments) {
  const auto begins = [](const SegmentFile& file) {
    return broker::ledger::ParseSegmentName(file.name)->first_seq == 1;
  };
  if (segments->empty() || begins(segments->front())) return std::nullopt;
  const std::string& first = segments->front().path;
  auto base = ReadEndBefore(first.substr(0, first.rfind('/')), segments->front().name);
  if (base) return base;
  std::erase_if(*segments, [&](const SegmentFile& file) {
    return file.path != options.folder + "/" + file.name;
  });
  if (segments->empty()) return std::nullopt;
  return ReadEndBefore(options.folder, segments->front().name);
}

// The head file is read before the segments: these can then only be further than it.
Result<Verified> VerifyOnce(const AuditVerifyOptions& options,
                            const std::optional<Expectations::Anchor>& anchor) {
  auto expectations = ReadExpectations(options.folder);
  if (!expectations) return std::unexpected(expectations.error());
  expectations->anchor = anchor;
  auto segments = ListAllSegments(options.folder, options.archive);
  if (!segments) return std::unexpected(segments.error());
  const auto base = expectations->base = FindBase(options, &*segments);
  if (base && anchor && anchor->seq <= base->state.seq) {
    return broker::Fail(broker::ErrorCode::kInvalidRequest,
                        "entry " + std::to_string(anchor->seq) +
                            " is archived: name the folder that has it with --archive");
  }
  const std::string record = base ? RecordOf(*base) : std::string();
  bool recorded = !base;
  broker::ledger::Verifier verifier(std::move(*expectations));
  for (const SegmentFile& file : *segments) {
    verifier.BeginSegment(file.name);
    uint64_t offset = 0;
    const auto rest = ReadLines(file.path, &offset, [&](std::string_view lines) {
      recorded = recorded || lines.find(record) != std::string_view::npos;
      verifier.Lines(lines);
      return true;
    });
    if (!rest) return std::unexpected(rest.error());
    verifier.Rest(*rest);
  }
  Verified verified{verifier.Finish(), segments->size(), base ? base->state.seq + 1 : 1};
  if (!recorded) {
    verified.report.findings.push_back(
        {Damage::kCutMiddle, segments->front().name, 1, verified.from,
         "is the first, and no entry says that those before it were archived as they were kept"});
  }
  return verified;
}

// A write that is under way looks like a torn one, and a segment may be moved to the archive; a
// moment later it is done.
Result<Verified> VerifyFolder(const AuditVerifyOptions& options,
                              const std::optional<Expectations::Anchor>& anchor) {
  constexpr int kAttempts = 3;
  constexpr std::chrono::milliseconds kPause{50};
  for (int attempt = 1;; ++attempt) {
    auto verified = VerifyOnce(options, anchor);
    const bool torn = verified && verified->report.findings.size() == 1 &&
                      verified->report.findings[0].damage == Damage::kTornTail;
    const bool moved = !verified && verified.error().code == broker::ErrorCode::kUnavailable;
    if ((!torn && !moved) || attempt == kAttempts) return verified;
    std::this_thread::sleep_for(kPause);
  }
}

std::string Sentence(const Finding& finding) {
  std::string place = finding.file;
  if (finding.line != 0) place += " line " + std::to_string(finding.line);
  std::string subject = finding.seq == 0 ? "" : "entry " + std::to_string(finding.seq) + " ";
  if (finding.damage == Damage::kHeadDamaged || finding.damage == Damage::kHeadMissing)
    subject = "";
  return place + (place.empty() ? "" : ": ") + subject + finding.text + " (" +
         std::string(DamageName(finding.damage)) + ")";
}

// Those that were read before anything was wrong: an entry that only its successor gives away was
// read as good at first.
uint64_t GoodEntries(const Report& report) {
  uint64_t good = report.entries;
  for (const Finding& finding : report.findings) {
    if (finding.damage == Damage::kTornTail || finding.seq == 0) continue;
    if (finding.seq > report.state.seq) continue;
    good = std::min(good,
                    report.entries - std::min(report.entries, report.state.seq - finding.seq + 1));
  }
  return good;
}

void PrintText(const Verified& verified, std::ostream& out) {
  const Report& report = verified.report;
  for (const Finding& finding : report.findings) {
    const bool torn = finding.damage == Damage::kTornTail;
    out << (torn ? "note: " : "TAMPERED: ") << Sentence(finding) << "\n";
  }
  out << GoodEntries(report) << (report.tampered() ? " good entries before it" : " entries") << ", "
      << verified.segments << (verified.segments == 1 ? " segment" : " segments") << "\n";
  if (report.tampered()) return;  // nothing vouches for a head
  if (verified.from > 1) {
    out << "note: verified from entry " << verified.from << " on; those before it are archived: "
        << "--archive DIR verifies them, too\n";
  }
  out << "head " << report.state.seq << ":" << LeafHex(report.state.leaf) << "\n";
  out << "whole: every entry is what it was when it was written\n";
}

void PrintJson(const Verified& verified, std::ostream& out) {
  const Report& report = verified.report;
  json findings = json::array();
  for (const Finding& finding : report.findings) {
    findings.push_back({{"damage", DamageName(finding.damage)},
                        {"file", finding.file},
                        {"line", finding.line},
                        {"seq", finding.seq},
                        {"text", finding.text}});
  }
  json answer{{"entries", GoodEntries(report)},
              {"segments", verified.segments},
              {"from", verified.from},
              {"tampered", report.tampered()},
              {"findings", findings}};
  if (!report.tampered()) {
    answer["head"] = {{"seq", report.state.seq}, {"leaf", LeafHex(report.state.leaf)}};
  }
  out << answer.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
}

}  // namespace

int AuditVerify(const AuditVerifyOptions& options, std::ostream& out, std::ostream& err) {
  std::optional<Expectations::Anchor> anchor;
  if (!options.head.empty()) {
    anchor = ParseAnchor(options.head);
    if (!anchor) {
      return Complain({out, err, options.json},
                      "write --head SEQ:LEAF as the log has them, for instance --head 41:" +
                          std::string(64, 'e'),
                      kExitUsage);
    }
  }
  const auto verified = VerifyFolder(options, anchor);
  if (!verified) return Complain({out, err, options.json}, verified.error().detail);
  options.json ? PrintJson(*verified, out) : PrintText(*verified, out);
  return verified->report.tampered() ? kExitTampering : kExitDone;
}

}  // namespace sidecar::cli
