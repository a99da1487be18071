// sidecar/supervisor/auditors.h: auditors read the ledger's files, without asking purserd.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "broker/base/result.h"

namespace sidecar::supervisor {

/// Lets every one of these groups read the ledger's folder, the files that are in it and those that
/// will be, and no other group but the folder's own. Who is not in the list any more cannot enter
/// the folder. REQUIRES: the folder has its owner and mode.
/// Errors: kInvalidRequest (a file system without access control lists, and more than the one group
/// that can have the folder without them; the text says what to do).
broker::Status PermitAuditors(const std::string& folder, const std::vector<uint32_t>& gids);

}  // namespace sidecar::supervisor
