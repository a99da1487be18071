#include "sidecar/supervisor/reload.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "broker/policy/diff.h"
#include "sidecar/supervisor/reload_rules.h"

namespace sidecar::supervisor {
namespace {

constexpr std::array kPreparing{RoleKind::kBroker, RoleKind::kDialer};

}  // namespace

std::string ToJson(const ReloadOutcome& outcome) {
  const nlohmann::ordered_json report{{"ok", outcome.errors.empty()},
                                      {"dry_run", outcome.dry_run},
                                      {"errors", outcome.errors},
                                      {"old_sha256", outcome.old_sha256},
                                      {"new_sha256", outcome.new_sha256},
                                      {"gained", outcome.gained},
                                      {"lost", outcome.lost}};
  // Names from a configuration file may be any bytes; plain dump() would throw.
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Reload::Begin(const SharedConfig& current, bool dry_run, Done done) {
  if (running_) {
    ReloadOutcome busy{.dry_run = dry_run, .errors = {"another reload is under way; try again"}};
    return done(busy, nullptr);
  }
  running_ = true;
  done_ = std::move(done);
  outcome_ = {.dry_run = dry_run, .old_sha256 = current->config.sha256};
  auto next = parts_.load();
  if (!next) return Abort(std::move(next.error()));
  next_ = std::move(*next);
  outcome_.new_sha256 = next_->config.sha256;
  std::string fixed = WhyRestartIsNeeded(current->config, next_->config);
  if (!fixed.empty()) return Abort({std::move(fixed)});
  auto rights = broker::policy::CompareRights(current->config, next_->config);
  outcome_.gained = std::move(rights.gained);
  outcome_.lost = std::move(rights.lost);
  if (dry_run) return Finish(nullptr);
  Prepare();
}

void Reload::Prepare() {
  for (const RoleKind kind : kPreparing) {
    if (!parts_.core.Ready(kind)) {
      return Abort({"the " + std::string(NameOf(kind)) + " is restarting; try again"});
    }
  }
  auto added = OpenListeners(next_->config, parts_.door.listeners());
  if (!added) return Abort({added.error().detail});
  added_ = std::move(*added);
  patience_ = parts_.loop.After(kPatience, [this] { Abort({"a role did not answer in time"}); });
  waiting_.insert(kPreparing.begin(), kPreparing.end());
  asked_ = true;
  for (const RoleKind kind : kPreparing) parts_.core.Configure(kind, *next_);
}

void Reload::OnConfigured(RoleKind kind, const std::string& fault) {
  if (!running_ || waiting_.erase(kind) == 0) return;  // the late answer of a reload given up
  if (!fault.empty()) return Abort({std::string(NameOf(kind)) + ": " + fault});
  if (waiting_.empty()) Commit();
}

void Reload::OnDied(RoleKind kind) {
  if (running_) Abort({"the " + std::string(NameOf(kind)) + " died meanwhile; try again"});
}

void Reload::Commit() {
  parts_.core.Adopt(next_);
  for (const RoleKind kind : kPreparing) {
    if (RoleProcess* role = parts_.core.Get(kind)) role->Tell(ipc::MessageType::kCommitConfig);
  }
  parts_.door.Adopt(next_, std::exchange(added_, {}));
  Finish(next_);
}

void Reload::Abort(std::vector<std::string> errors) {
  outcome_.errors = std::move(errors);
  if (asked_) {
    for (const RoleKind kind : kPreparing) {
      if (RoleProcess* role = parts_.core.Get(kind)) role->Tell(ipc::MessageType::kAbortConfig);
    }
  }
  Finish(nullptr);
}

void Reload::Finish(SharedConfig committed) {
  running_ = false;
  asked_ = false;
  waiting_.clear();
  patience_.Reset();
  added_.clear();
  next_.reset();
  std::exchange(done_, nullptr)(outcome_, std::move(committed));
}

}  // namespace sidecar::supervisor
