// sidecar/supervisor/layout.h: folders, users and executables that a start needs.
#pragma once
#include <array>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/policy/config.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/spawn.h"

namespace sidecar::supervisor {

/// The four executables. The order is the order of start; windows start on first use.
enum class RoleKind { kLedger, kDialer, kBroker, kWindow };
inline constexpr std::array kAllRoles{RoleKind::kLedger, RoleKind::kDialer, RoleKind::kBroker,
                                      RoleKind::kWindow};

/// "ledger", …
std::string_view NameOf(RoleKind kind);

/// What each role runs as. As root: the users purser-ledger and so on; else nothing is changed.
using RoleUsers = std::array<std::optional<RunAs>, kAllRoles.size()>;

/// Looks the four users up when this process is root. Errors: kInvalidRequest, with the commands
/// that make the missing ones.
broker::Result<RoleUsers> FindRoleUsers();

/// The executables, opened for execution only. Errors: kInvalidRequest (missing, or writable by
/// others than the user who starts purserd).
using Executables = std::array<ipc::Fd, kAllRoles.size()>;
broker::Result<Executables> OpenExecutables(const std::string& libexec);

/// Where things are, below [paths].
std::string LedgerDir(const broker::policy::Paths& paths);
std::string StoreDir(const broker::policy::Paths& paths);
std::string StoreFile(const broker::policy::Paths& paths);
std::string AgentSocket(const broker::policy::Paths& paths, const std::string& agent);
std::string AdminSocket(const broker::policy::Paths& paths);

/// Held as long as purserd runs, so that no second one uses the same folders.
struct Locks {
  ipc::Fd state, run;
};

/// Makes the folders of [paths] with their owners and modes, or checks those that exist: never
/// through a link, never one that somebody else could have prepared; then locks both.
/// All auditor groups may read the ledger's folder (auditors.h).
/// Errors: kInvalidRequest (what is wrong and what to do) · kConflict (another one runs).
broker::Result<Locks> PrepareFolders(const broker::policy::Config& config, const RoleUsers& users);

/// Makes one folder below a prepared one, or checks it. Owner absent: this process.
broker::Status PrepareFolder(const std::string& path, const std::optional<RunAs>& owner,
                             mode_t mode);

}  // namespace sidecar::supervisor
