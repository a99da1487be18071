#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

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
};

// The head file is read before the segments: these can then only be further than it.
Result<Verified> VerifyOnce(const std::string& folder,
                            const std::optional<Expectations::Anchor>& anchor) {
  auto expectations = ReadExpectations(folder);
  if (!expectations) return std::unexpected(expectations.error());
  expectations->anchor = anchor;
  const auto segments = ListSegments(folder);
  if (!segments) return std::unexpected(segments.error());
  broker::ledger::Verifier verifier(std::move(*expectations));
  for (const std::string& name : *segments) {
    verifier.BeginSegment(name);
    uint64_t offset = 0;
    const std::string path = std::string(folder).append("/").append(name);
    const auto rest = ReadLines(path, &offset, [&](std::string_view lines) {
      verifier.Lines(lines);
      return true;
    });
    if (!rest) return std::unexpected(rest.error());
    verifier.Rest(*rest);
  }
  return Verified{verifier.Finish(), segments->size()};
}

// A write that is under way looks like a torn one; a moment later it does not.
Result<Verified> VerifyFolder(const std::string& folder,
                              const std::optional<Expectations::Anchor>& anchor) {
  constexpr int kAttempts = 3;
  constexpr std::chrono::milliseconds kPause{50};
  for (int attempt = 1;; ++attempt) {
    auto verified = VerifyOnce(folder, anchor);
    const bool torn = verified && verified->report.findings.size() == 1 &&
                      verified->report.findings[0].damage == Damage::kTornTail;
    if (!torn || attempt == kAttempts) return verified;
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
  const auto verified = VerifyFolder(options.folder, anchor);
  if (!verified) return Complain({out, err, options.json}, verified.error().detail);
  options.json ? PrintJson(*verified, out) : PrintText(*verified, out);
  return verified->report.tampered() ? kExitTampering : kExitDone;
}

}  // namespace sidecar::cli
