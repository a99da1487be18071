// sidecar/supervisor/teardown.h: destroying what opens the store, and the store.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "sidecar/supervisor/layout.h"

namespace sidecar::supervisor {

/// How far a teardown has come here. There is no way back from kDestroying on.
enum class TeardownPhase {
  kNone,
  kBegun,       // all agents are stopped, and stay it; what Entra does may be under way
  kDestroying,  // a start finishes it
  kClosed,      // the ledger has its last entry
};

/// teardown.json in the state folder: what survives the store.
struct TeardownNote {
  TeardownPhase phase = TeardownPhase::kNone;
  nlohmann::json report;      // the broker's: who, why, what became of it at Entra
  nlohmann::json destroyed;   // what CarryOut() said of each deed
  nlohmann::json unreadable;  // what TryToOpen() said
  nlohmann::json ledger;      // kClosed: {"seq","leaf"} of the last entry
};

/// kNone without such a file. Errors: kCorrupt, kUnavailable.
broker::Result<TeardownNote> ReadTeardown(const broker::policy::Paths& paths);
/// Durable on return, whole or not at all. For this process's user alone: it names people.
/// Errors: kUnavailable.
broker::Status WriteTeardown(const broker::policy::Paths& paths, const TeardownNote& note);

/// Something to destroy, the keys first: from then on the rest is noise.
struct TeardownDeed {
  std::string what;
  std::string path;     // empty: it is not purser's to destroy
  std::string by_hand;  // what a person does where purser cannot
};
std::vector<TeardownDeed> DeedsOf(const broker::policy::Config& config);

/// Overwrites the file with random bytes, syncs and removes it; done where it is not there. Never
/// through a link. {"what","path","done","detail"}, and "by_hand" where it is not done.
nlohmann::json CarryOut(const TeardownDeed& deed);
/// All of them, in order; one that fails holds up none.
nlohmann::json CarryOutAll(const std::vector<TeardownDeed>& deeds);

/// Tries to open every key that [seal] names, and the store: a sentence for each attempt.
nlohmann::json TryToOpen(const broker::policy::Config& config,
                         const std::string& credentials_directory);

/// What purserd says instead of starting.
std::string TornDownText(const broker::policy::Paths& paths);

}  // namespace sidecar::supervisor
