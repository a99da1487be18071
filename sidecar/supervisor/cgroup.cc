#include "sidecar/supervisor/cgroup.h"

namespace sidecar::supervisor {
namespace {

std::string_view TakeUntil(std::string_view* text, char end) {
  const size_t at = text->find(end);
  const std::string_view taken = text->substr(0, at);
  text->remove_prefix(at == std::string_view::npos ? text->size() : at + 1);
  return taken;
}

}  // namespace

std::string ParseCgroupPath(std::string_view proc_cgroup) {
  std::string_view unified;
  std::string_view named;
  while (!proc_cgroup.empty()) {
    std::string_view line = TakeUntil(&proc_cgroup, '\n');
    // The path is the rest: a cgroup's name may hold colons, but no line feed.
    const std::string_view hierarchy = TakeUntil(&line, ':');
    const std::string_view controllers = TakeUntil(&line, ':');
    if (!line.starts_with('/')) continue;
    if (hierarchy == "0" && controllers.empty()) unified = line;
    if (controllers == "name=systemd") named = line;
  }
  return std::string(unified.size() > 1 || named.empty() ? unified : named);
}

std::string SystemUnitOf(std::string_view cgroup_path) {
  if (!cgroup_path.starts_with('/')) return {};
  cgroup_path.remove_prefix(1);
  while (!cgroup_path.empty()) {
    std::string_view component = TakeUntil(&cgroup_path, '/');
    // systemd writes "_cpu.service" for a unit whose name the kernel could mistake for a control
    // file.
    if (component.starts_with('_')) component.remove_prefix(1);
    if (component.ends_with(".slice")) continue;
    const bool is_unit = component.ends_with(".service") || component.ends_with(".scope");
    return is_unit ? std::string(component) : std::string();
  }
  return {};
}

}  // namespace sidecar::supervisor
