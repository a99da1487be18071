// sidecar/cli/session_file.h: what shows, on later commands, that a person has signed in.
#pragma once
#include <string>

#include "broker/base/result.h"

namespace sidecar::cli {

/// One file of the user, mode 0600, for one operator's socket at a time: what one daemon gave out
/// is sent to no other one. A std::string holds it, not an arena that may be too small to lock: a
/// stop must not fail for it. Not thread-safe.
class SessionFile {
 public:
  /// `path` empty: PURSER_SESSION_FILE, else .purser-session in the user's home, as the user
  /// database has it.
  explicit SessionFile(std::string path = {});

  /// The session of that socket; empty: there is none, or others could have written or read it.
  [[nodiscard]] std::string Read(const std::string& socket_path) const;
  /// Replaces what is there. Errors: kUnavailable.
  [[nodiscard]] broker::Status Write(const std::string& socket_path,
                                     const std::string& session) const;
  /// Removes it, if it is there.
  void Remove() const;

 private:
  std::string path_;  // empty: this user has no home
};

}  // namespace sidecar::cli
