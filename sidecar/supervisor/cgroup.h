// sidecar/supervisor/cgroup.h: reading /proc/<pid>/cgroup and what systemd wrote into it.
#pragma once
#include <string>
#include <string_view>

namespace sidecar::supervisor {

/// The path of cgroups(7)'s "0::" line, or of the "name=systemd" one where the unified hierarchy is
/// not in use (it then says "/"). Empty for anything that is not such a file.
std::string ParseCgroupPath(std::string_view proc_cgroup);

/// The system unit that owns the full path: the first component that is no slice, if it is a
/// service or a scope. What a user's own manager puts below `user@1000.service` belongs to that
/// unit: anybody can have a `helpdesk.service` there. Empty if there is none.
std::string SystemUnitOf(std::string_view cgroup_path);

}  // namespace sidecar::supervisor
