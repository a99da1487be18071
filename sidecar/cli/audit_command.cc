#include "sidecar/cli/audit_command.h"

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <ostream>

#include "broker/base/strict_json.h"
#include "broker/ledger/entry_names.h"
#include "broker/ledger/line_scanner.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/cli/audit_view.h"
#include "sidecar/cli/complaint.h"
#include "sidecar/cli/ledger_files.h"

namespace sidecar::cli {
namespace {

using broker::Result;
using broker::ledger::ScannedLine, broker::ledger::ScanLine;
using nlohmann::json;

bool IsTimePrefix(const std::string& text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000000Z";
  if (text.size() > kShape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
  }
  return true;
}

// What is wrong with the filter; empty: nothing.
std::string FaultOf(const AuditFilter& filter) {
  for (const std::string* time : {&filter.since, &filter.until}) {
    if (!IsTimePrefix(*time)) return "write a time like 2026-11-20 or 2026-11-20T08:15 (UTC)";
  }
  if (!filter.type.empty() && !broker::ledger::FindEntryType(filter.type)) {
    return "no entries are of type \"" + filter.type +
           "\"; there are for instance token.issued, "
           "token.denied, credential.access";
  }
  return {};
}

// `member` of an object inside the entry, or of the entry itself.
bool TextIs(const json& entry, const char* pointer, const std::string& wanted) {
  const json::json_pointer where(pointer);
  return entry.contains(where) && entry.at(where) == json(wanted);
}

bool Passes(std::string_view line, const AuditFilter& filter) {
  ScannedLine scanned;
  if (!ScanLine(line, &scanned)) return false;
  const auto is = [](const std::string& wanted, std::string_view found) {
    return wanted.empty() || wanted == found;
  };
  if (!is(filter.agent, scanned.agent) || !is(filter.type, scanned.type) ||
      !is(filter.outcome, scanned.outcome)) {
    return false;
  }
  if (!filter.since.empty() && scanned.time.substr(0, filter.since.size()) < filter.since) {
    return false;
  }
  if (!filter.until.empty() && scanned.time.substr(0, filter.until.size()) > filter.until) {
    return false;
  }
  const std::pair<const std::string&, const char*> rare[] = {
      {filter.reason, "/reason"},
      {filter.rule, "/policy/rule"},
      {filter.credential, "/credential/name"},
      {filter.uti, "/token/uti"},
      {filter.request, "/request/id"},
      {filter.person, "/user/oid"},
  };
  // Most lines do not hold the text anywhere: those are not parsed.
  for (const auto& [wanted, pointer] : rare) {
    if (wanted.empty()) continue;
    if (line.find(wanted) == std::string_view::npos) return false;
    const auto entry = broker::ParseStrictJson(line);
    if (!entry || !TextIs(*entry, pointer, wanted)) return false;
  }
  return true;
}

void Print(std::string_view line, bool as_json, std::ostream& out) {
  const auto entry = broker::ParseStrictJson(line);
  if (as_json || !entry) {
    out << line << "\n";
  } else {
    out << AuditRow(*entry) << "\n";
  }
}

template <class Visit>
bool ForEachLine(std::string_view lines, Visit visit) {
  while (!lines.empty()) {
    const size_t length = lines.find('\n');
    if (!visit(lines.substr(0, length))) return false;
    lines.remove_prefix(length + 1);
  }
  return true;
}

// Prints what is appended from now on. `segment` and `offset` are where reading stopped.
int Follow(const AuditTailOptions& options, std::string segment, uint64_t offset,
           const Output& to) {
  while (true) {
    const auto segments = ListSegments(options.folder);
    if (!segments) return Complain(to, segments.error().detail);
    for (const std::string& name : *segments) {
      if (name < segment) continue;
      if (name != segment) offset = 0;
      segment = name;
      const auto rest =
          ReadLines(options.folder + "/" + name, &offset, [&](std::string_view lines) {
            return ForEachLine(lines, [&](std::string_view line) {
              if (Passes(line, options.filter)) Print(line, options.json, to.out);
              return true;
            });
          });
      if (!rest) return Complain(to, rest.error().detail);
    }
    to.out.flush();
    if (!options.wait || !options.wait()) return kExitDone;
  }
}

// The end of the last whole line, where following begins.
Result<uint64_t> EndOf(const std::string& path) {
  uint64_t offset = 0;
  const auto rest = ReadLines(path, &offset, [](std::string_view) { return true; });
  if (!rest) return std::unexpected(rest.error());
  return offset;
}

}  // namespace

int AuditTail(const AuditTailOptions& options, std::ostream& out, std::ostream& err) {
  if (const std::string fault = FaultOf(options.filter); !fault.empty()) {
    return Complain({out, err, options.json}, fault, kExitUsage);
  }
  const auto segments = ListAllSegments(options.folder, {});
  if (!segments) return Complain({out, err, options.json}, segments.error().detail);
  uint64_t offset = 0;  // taken before the lines are read: what comes meanwhile is not missed
  if (options.follow && !segments->empty()) {
    const auto end = EndOf(segments->back().path);
    if (!end) return Complain({out, err, options.json}, end.error().detail);
    offset = *end;
  }
  std::deque<std::string> lines;
  for (auto file = segments->rbegin(); file != segments->rend(); ++file) {
    if (lines.size() >= options.count) break;
    const auto read = ReadLinesBackwards(file->path, [&](std::string_view line) {
      if (Passes(line, options.filter)) lines.emplace_front(line);
      return lines.size() < options.count;
    });
    if (!read) return Complain({out, err, options.json}, read.error().detail);
  }
  if (!options.json) out << AuditRowHeader() << "\n";
  for (const std::string& line : lines) Print(line, options.json, out);
  if (!options.follow) return kExitDone;
  return Follow(options, segments->empty() ? std::string() : segments->back().name, offset,
                {out, err, options.json});
}

Result<std::string> FindAuditLine(const std::string& folder, uint64_t seq,
                                  const std::string& archive) {
  const auto segments = ListAllSegments(folder, archive);
  if (!segments) return std::unexpected(segments.error());
  // The last segment that begins at or before it.
  auto segment = std::ranges::find_if(*segments, [seq](const SegmentFile& file) {
    return broker::ledger::ParseSegmentName(file.name)->first_seq > seq;
  });
  if (segment == segments->begin()) return std::string();
  --segment;
  std::string found;
  uint64_t offset = 0;
  const auto rest = ReadLines(segment->path, &offset, [&](std::string_view lines) {
    return ForEachLine(lines, [&](std::string_view line) {
      ScannedLine scanned;
      if (ScanLine(line, &scanned) && scanned.seq == seq) found = line;
      return found.empty();
    });
  });
  if (!rest) return std::unexpected(rest.error());
  return found;
}

int AuditShow(const AuditShowOptions& options, std::ostream& out, std::ostream& err) {
  const auto line = FindAuditLine(options.folder, options.seq, options.archive);
  if (!line) return Complain({out, err, options.json}, line.error().detail);
  if (line->empty())
    return Complain({out, err, options.json}, "no entry " + std::to_string(options.seq));
  const auto entry = broker::ParseStrictJson(*line);
  if (options.json || !entry) {
    out << *line << "\n";
  } else {
    out << AuditDetails(*entry);
  }
  return kExitDone;
}

int AuditSearch(const AuditSearchOptions& options, std::ostream& out, std::ostream& err) {
  if (const std::string fault = FaultOf(options.filter); !fault.empty()) {
    return Complain({out, err, options.json}, fault, kExitUsage);
  }
  const auto segments = ListAllSegments(options.folder, options.archive);
  if (!segments) return Complain({out, err, options.json}, segments.error().detail);
  uint64_t found = 0;
  for (const SegmentFile& file : *segments) {
    uint64_t offset = 0;
    const auto rest = ReadLines(file.path, &offset, [&](std::string_view lines) {
      return ForEachLine(lines, [&](std::string_view line) {
        if (!Passes(line, options.filter)) return true;
        if (found == 0 && !options.json) out << AuditRowHeader() << "\n";
        Print(line, options.json, out);
        return ++found != options.limit;
      });
    });
    if (!rest) return Complain({out, err, options.json}, rest.error().detail);
    if (options.limit != 0 && found >= options.limit) break;
  }
  if (found == 0 && !options.json) out << "no entry matches\n";
  return kExitDone;
}

}  // namespace sidecar::cli
