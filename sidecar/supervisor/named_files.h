// sidecar/supervisor/named_files.h: files that the broker has read for it again and again.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "broker/policy/config.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// Opens, for reading, what the configuration names and nothing else: the `token_file` of a
/// credential, a file directly in the `key_folder` of one or in the `path` of a mounted vault, and
/// "env:IDENTITY_HEADER" (a memfd with the variable's value) where a credential's source is
/// App Service. Symbolic links are followed: Kubernetes swaps a volume's files by one. A pipe is
/// not waited for; whoever reads the descriptor looks at what it is.
/// Errors: kDenied (not named, or not to be opened by purserd) · kNotFound · kUnavailable.
broker::Result<ipc::Fd> OpenNamedFile(const broker::policy::Config& config,
                                      const std::string& place);

}  // namespace sidecar::supervisor
