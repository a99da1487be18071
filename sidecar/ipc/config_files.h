// sidecar/ipc/config_files.h: purser.toml and agents.d as they lie on the disk.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/policy/config.h"

namespace sidecar {

// One file of the configuration: a hundred agents with many rules stay far below.
inline constexpr size_t kMaxConfigFileBytes = size_t{1} << 20;
// Files in agents.d: together with the size, what a sealed memfd may hold.
inline constexpr size_t kMaxConfigFiles = 1000;

/// "agents.d" beside `path`.
std::string AgentsFolder(const std::string& path);
/// `path` first, then agents.d/*.toml beside it in order of name; no agents.d is no fault. Nothing
/// is opened. Errors: kInvalidRequest ("PATH: what is wrong with it").
broker::Result<std::vector<std::string>> ConfigFilePaths(const std::string& path);

/// Reads these files. Who can write one of them is the policy: with `owners` each must belong to
/// one of these users and be writable by nobody else, and so must the folder of `path` and
/// agents.d, unless it is one that Kubernetes mounted. Errors: kNotFound (no such file),
/// kInvalidRequest
/// ("PATH: what is wrong with it").
broker::Result<std::vector<broker::policy::SourceFile>> ReadConfigFiles(
    const std::string& path, std::span<const uint32_t> owners = {});

}  // namespace sidecar
