// sidecar/cli/audit_command.h: `purser audit tail|show|search|verify`, on files, without the
// daemon.
#pragma once
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "sidecar/cli/terminal.h"

namespace sidecar::cli {

/// Which entries; an empty field lets all pass. Texts are compared whole.
struct AuditFilter {
  std::string agent, type, outcome, reason, rule, credential, uti, request;
  std::string person;  // object id of who is proven in the entry
  // The beginning of an RFC 3339 time in UTC: "2026-11-20", "2026-11-20T08:15". Both inclusive.
  std::string since, until;
};

struct AuditTailOptions {
  std::string folder;
  uint64_t count = 10;  // -n
  AuditFilter filter;
  bool json = false;    // the lines as they are
  bool follow = false;  // -f
  /// With follow: called when there is nothing new; waits a little and says whether to go on.
  std::function<bool()> wait;
};
/// All four look into the archive, too. 0 done; 1 could not read, or nothing found where one entry
/// was asked for; 2 usage. What was wrong goes to `err`.
int AuditTail(const AuditTailOptions& options, std::ostream& out, std::ostream& err);

struct AuditShowOptions {
  std::string folder;
  uint64_t seq = 0;
  bool json = false;
  std::string archive = {};  // empty: the one below `folder`
};
int AuditShow(const AuditShowOptions& options, std::ostream& out, std::ostream& err);

struct AuditSearchOptions {
  std::string folder;
  AuditFilter filter;
  uint64_t limit = 0;  // 0: all
  bool json = false;
  std::string archive = {};  // as above
};
int AuditSearch(const AuditSearchOptions& options, std::ostream& out, std::ostream& err);

struct AuditVerifyOptions {
  std::string folder;
  std::string head;  // --head SEQ:LEAF; empty: none
  bool json = false;
  std::string archive = {};  // as above
};
/// Also 3: tampering found; `out` then names the first bad entry and the kind of damage.
int AuditVerify(const AuditVerifyOptions& options, std::ostream& out, std::ostream& err);

/// The line of entry `seq`, without its newline; empty when the ledger has none. For `explain`.
/// Errors: kUnavailable.
broker::Result<std::string> FindAuditLine(const std::string& folder, uint64_t seq,
                                          const std::string& archive = {});

}  // namespace sidecar::cli
