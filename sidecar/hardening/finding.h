// sidecar/hardening/finding.h: what a role found to be weaker than HARDENING.md says.
#pragma once
#include <string>
#include <vector>

namespace sidecar::hardening {

/// One thing that should not have been possible and was. With `[hardening] minimum = "strict"` a
/// single finding ends the start; with "weak" it shows in whoami, doctor and daemon.started.
struct Finding {
  std::string name;    // stable, for machines: "broker_opens_off_limits"
  std::string what;    // for people: "the broker can open /var/lib/purser/ledger"
  std::string remedy;  // what to do about it
  bool operator==(const Finding&) const = default;
};
using Findings = std::vector<Finding>;

/// The text of kStarted: a JSON array of {"name","what","remedy"}; "[]" when there is none.
std::string ToJson(const Findings& findings);

}  // namespace sidecar::hardening
