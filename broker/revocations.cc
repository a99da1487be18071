#include "broker/revocations.h"

namespace broker {
namespace {

// The configuration's parser refuses circles; this ends in one, too.
constexpr int kLongestChain = 8;

template <typename Visit>
void ForEachProof(const policy::Config& config, const policy::Credential& credential,
                  const Visit& visit) {
  const policy::Credential* current = &credential;
  for (int depth = 0; depth < kLongestChain && visit(current->name); ++depth) {
    const auto proof = config.credentials.find(current->proof);
    if (current->proof.empty() || proof == config.credentials.end()) return;
    current = &proof->second;
  }
}

}  // namespace

void Revocations::Adopt(const std::set<std::string>& names) {
  const std::scoped_lock lock(mutex_);
  names_.insert(names.begin(), names.end());
  any_ = !names_.empty();
}

void Revocations::Add(const std::string& name) { Adopt({name}); }

void Revocations::Lift(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  names_.erase(name);
  any_ = !names_.empty();
}

bool Revocations::Has(const std::string& name) const {
  if (!any_) return false;
  const std::scoped_lock lock(mutex_);
  return names_.contains(name);
}

std::set<std::string> Revocations::all() const {
  const std::scoped_lock lock(mutex_);
  return names_;
}

std::optional<std::string> Revocations::Find(const policy::Config& config,
                                             const policy::Credential& credential) const {
  if (!any_) return std::nullopt;
  std::optional<std::string> found;
  ForEachProof(config, credential, [&](const std::string& name) {
    if (Has(name)) found = name;
    return !found;
  });
  return found;
}

std::set<std::string> WithDependents(const policy::Config& config, const std::string& credential) {
  std::set<std::string> names = {credential};
  for (const auto& [name, other] : config.credentials) {
    ForEachProof(config, other, [&](const std::string& proof) {
      if (proof == credential) names.insert(name);
      return true;
    });
  }
  return names;
}

}  // namespace broker
