#pragma once
#include <nlohmann/json.hpp>
#include <sstream>

#include "sidecar/cli/audit_command.h"
#include "test/fakes/faulty_disk.h"
#include "test/sidecar/ledger/ledger_fixture.h"

/// A writer over a disk that fails on demand, without the process around it.
struct WriterOnDisk {
  explicit WriterOnDisk(const std::string& folder)
      : disk(folder),
        segments(disk, sidecar::ledger::Segments::kDefaultReserveBytes),
        writer(segments, {"test-log", "contoso.example", "boot-1"}, {clock, random, log.log()}) {}

  /// One entry, alone in its batch.
  sidecar::ledger::Answer Append(
      const broker::ledger::Entry& entry,
      sidecar::ledger::Origin origin = sidecar::ledger::Origin::kBroker) {
    writer.Add({0, 1}, origin, entry);
    sidecar::ledger::Answer answer = writer.Commit().at(0);
    writer.SaveHead();
    return answer;
  }
  bool Accepts(const broker::ledger::Entry& entry,
               sidecar::ledger::Origin origin = sidecar::ledger::Origin::kBroker) {
    return !Append(entry, origin).error;
  }

  FaultyDisk disk;
  sidecar::ledger::Segments segments;
  FakeClock clock;
  FakeRandom random;
  CapturedLog log;
  sidecar::ledger::Writer writer;
};

/// Exit code of `purser audit verify` on the folder.
inline int VerifyFolder(const std::string& folder) {
  std::ostringstream out, err;
  const int code = sidecar::cli::AuditVerify({.folder = folder}, out, err);
  if (code != 0) std::fputs((out.str() + err.str()).c_str(), stderr);
  return code;
}

/// change{} of the entries of type ledger.recovered, with their reason.
inline std::vector<nlohmann::json> RecoveredIn(const std::string& folder) {
  std::vector<nlohmann::json> found;
  for (const std::string& line : LinesIn(folder)) {
    if (Scanned(line).type != "ledger.recovered") continue;
    const auto entry = nlohmann::json::parse(line);
    nlohmann::json change = entry.value("change", nlohmann::json::object());
    change["reason"] = entry["reason"];
    found.push_back(change);
  }
  return found;
}
