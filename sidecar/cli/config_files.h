// sidecar/cli/config_files.h: the files of a configuration, for commands that ask no daemon.
#pragma once
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace sidecar::cli {

/// `path`, then agents.d/*.toml beside it in the order of their names, as purserd reads them.
/// Errors: kNotFound, kUnavailable (no permission), kInvalidRequest (too large, not a regular
/// file); the detail is a sentence that names the file.
broker::Result<std::vector<broker::policy::SourceFile>> ReadConfigFiles(const std::string& path);

}  // namespace sidecar::cli
