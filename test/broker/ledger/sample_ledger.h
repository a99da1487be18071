#pragma once
#include <string>
#include <vector>

#include "broker/ledger/entry_names.h"
#include "broker/ledger/head.h"
#include "broker/ledger/line_scanner.h"
#include "broker/ledger/line_writer.h"
#include "broker/ledger/segment_name.h"
#include "broker/ledger/verifier.h"

/// A ledger in memory: entries of every type with every field, in two segments, and its head.
struct SampleLedger {
  struct File {
    std::string name;
    std::vector<std::string> lines;  // without newlines

    [[nodiscard]] std::string Bytes() const {
      std::string bytes;
      for (const std::string& line : lines) bytes += line + '\n';
      return bytes;
    }
  };
  std::vector<File> files;
  broker::ledger::Head head;

  /// `per_type` entries of each type.
  static SampleLedger Make(int per_type = 2);
  [[nodiscard]] broker::ledger::Expectations Expect() const {
    return {.head_file = broker::ledger::Expectations::HeadFile::kRead, .head = head};
  }
};

inline broker::ledger::Entry SampleEntry(broker::ledger::EntryType type, int i) {
  using namespace broker::ledger;
  Entry e{.type = type, .outcome = Outcome::kSuccess, .agent = "agent-" + std::to_string(i % 3)};
  e.caller = CallerRecord{.uid = 1001,
                          .gid = 100,
                          .pid = 4711,
                          .exe_sha256 = std::string(64, 'a'),
                          .unit = "helpdesk.service",
                          .loginuid = 1000};
  e.reason = i % 2 == 0 ? "" : "no_rule";
  e.user_oid = "5f3c0a7e-0000-4000-8000-00000000000" + std::to_string(i % 10);
  e.claimed = {"sort \"mail\"", "back\\slash", "Jörg \xf0\x9f\x98\x80"};
  e.request_id = "request-" + std::to_string(i);
  e.trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  e.target_kind = "user";
  e.target_id = "target";
  e.target_resource = "https://graph.microsoft.com";
  e.scopes = {"Mail.Read", "User.Read"};
  e.credential_name = "aid-mail";
  e.credential_kind = "refresh-token";
  e.credential_version = "3";
  e.token_fp = "fp";
  e.token_uti = "uti-" + std::to_string(i);
  e.token_exp = 1'795'000'000 + i;
  e.policy_sha256 = std::string(64, 'b');
  e.policy_rule = "read-mail";
  e.upstream_host = "login.microsoftonline.com:443";
  e.upstream_status = 200;
  e.upstream_ms = i;
  e.change = {{"generation", int64_t{i}}, {"note", std::string("text")}};
  return e;
}

inline SampleLedger SampleLedger::Make(int per_type) {
  using namespace broker::ledger;
  SampleLedger sample;
  State state;
  const auto start = std::chrono::system_clock::time_point(std::chrono::seconds(1'795'000'000));
  const int count = per_type * static_cast<int>(broker::ledger::kLastEntryType);
  for (int i = 0; i < count; ++i) {
    if (i == 0 || i == count / 2) {
      const auto day = start + std::chrono::days(i == 0 ? 0 : 1);
      sample.files.push_back({FormatSegmentName({DateOf(day), state.seq + 1}), {}});
    }
    const auto type = static_cast<EntryType>(i / per_type + 1);
    Place place{.seq = state.seq + 1,
                .time = start + std::chrono::seconds(i),
                .prev = state.leaf,
                .log = "helpdesk-zrh",
                .tenant = "contoso.example",
                .boot = "boot-1"};
    place.nonce.fill(static_cast<uint8_t>(i));
    std::string line;
    if (!AppendLine(SampleEntry(type, i), place, &line)) return {};
    ScannedLine scanned;
    ScanLine(line, &scanned);
    sample.head.offset = sample.files.back().Bytes().size();
    sample.head.segment = sample.files.back().name;
    Fold(scanned, LeafHash(line), &state);
    sample.files.back().lines.push_back(std::move(line));
  }
  sample.head.state = state;
  return sample;
}

/// Verifies files given as bytes.
inline broker::ledger::Report VerifyBytes(
    const std::vector<std::pair<std::string, std::string>>& files,
    broker::ledger::Expectations expectations) {
  broker::ledger::Verifier verifier(std::move(expectations));
  for (const auto& [name, bytes] : files) {
    verifier.BeginSegment(name);
    const size_t end = bytes.rfind('\n') + 1;  // npos + 1 is 0
    verifier.Lines(std::string_view(bytes).substr(0, end));
    verifier.Rest(std::string_view(bytes).substr(end));
  }
  return verifier.Finish();
}

inline broker::ledger::Report Verify(const SampleLedger& sample,
                                     broker::ledger::Expectations expectations) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& file : sample.files) files.emplace_back(file.name, file.Bytes());
  return VerifyBytes(files, std::move(expectations));
}
