// test/sidecar/hardening/attempts.h: what somebody who has taken over a role would try.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// What the attempts are aimed at.
struct Target {
  pid_t victim = 0;         // a process of the same user that sleeps
  void* address = nullptr;  // of eight bytes that it can read and write
  std::string file;         // in a folder that is none of the role's business
  std::string inet_port;    // where somebody listens on 127.0.0.1
  std::string unix_socket;  // likewise
  std::string own_file;     // ledger: in its own folder; else the same as `file`
};

struct Attempt {
  std::string_view name;  // completes "a window cannot …"
  /// True when it worked; else errno says why not.
  bool (*run)(const Target&);
  /// Whether an unprivileged process that is not hardened succeeds: shows that the attempt is real.
  bool works_unhardened;
};

std::span<const Attempt> AllAttempts();

/// What a role must still be able to do, or its filter is too narrow.
struct Duty {
  std::string_view roles;  // that have it
  std::string_view name;   // completes "… can …"
  bool (*run)(const Target&);
};

std::span<const Duty> AllDuties();
