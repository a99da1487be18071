#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/ledger/line_scanner.h"
#include "broker/ledger/segment_name.h"
#include "sidecar/ipc/ledger_client.h"
#include "sidecar/ledger/role.h"
#include "test/fakes/captured_log.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_random.h"

/// A folder that is gone at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& below = "/tmp") {
    std::string shape = below + "/purser-ledger-XXXXXX";
    path_ = mkdtemp(shape.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// Names of the segments in `folder`, in order.
inline std::vector<std::string> SegmentsIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (broker::ledger::ParseSegmentName(file.path().filename().string())) {
      names.push_back(file.path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

/// All lines of all segments, in order, without newlines.
inline std::vector<std::string> LinesIn(const std::string& folder) {
  std::vector<std::string> lines;
  for (const std::string& name : SegmentsIn(folder)) {
    std::ifstream in(folder + "/" + name);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
  }
  return lines;
}

inline broker::ledger::ScannedLine Scanned(const std::string& line) {
  broker::ledger::ScannedLine scanned;
  broker::ledger::ScanLine(line, &scanned);
  return scanned;
}

inline broker::ledger::Entry Issued(const std::string& agent) {
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kTokenIssued,
                              .outcome = broker::ledger::Outcome::kSuccess,
                              .agent = agent};
  entry.caller.emplace();
  entry.caller->uid = 1001;
  entry.caller->pid = 77;
  entry.user_oid = "5f3c0a7e-0000-4000-8000-000000000001";
  entry.claimed.purpose = "triage \"urgent\" mail";
  entry.scopes = {"Mail.Read"};
  entry.credential_name = "aid-mail";
  entry.credential_kind = "refresh-token";
  entry.token_uti = "uti-1";
  entry.token_exp = 1'795'003'600;
  entry.policy_rule = "read-mail";
  return entry;
}

inline broker::ledger::Entry Denied(const std::string& agent, const std::string& reason) {
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kTokenDenied,
                              .outcome = broker::ledger::Outcome::kFailure,
                              .reason = reason,
                              .agent = agent};
  entry.caller.emplace();
  entry.caller->uid = 1001;
  return entry;
}

inline broker::ledger::Entry Kill(const std::string& agent) {
  return {.type = broker::ledger::EntryType::kKillEngaged,
          .outcome = broker::ledger::Outcome::kSuccess,
          .agent = agent};
}

inline broker::ledger::Entry Stopped() {
  return {.type = broker::ledger::EntryType::kDaemonStopped,
          .outcome = broker::ledger::Outcome::kSuccess};
}
