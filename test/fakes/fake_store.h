#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "broker/ports/sealed_store.h"
#include "broker/ports/vault.h"

/// A SealedStore in memory. Thread-safe.
class FakeStore final : public broker::SealedStore {
 public:
  broker::Result<broker::StoredSecret> Get(const broker::SecretId& id) override {
    const std::scoped_lock lock(mutex_);
    if (fail_with) return broker::Fail(*fail_with, "fake");
    if (fails_of == id) return broker::Fail(broker::ErrorCode::kUnavailable, "fake");
    const auto it = rows_.find(id);
    if (it == rows_.end()) return broker::Fail(broker::ErrorCode::kNotFound, "fake");
    return broker::StoredSecret{broker::Secret::CopyOf(it->second.first), it->second.second};
  }
  broker::Result<uint64_t> Put(const broker::SecretId& id, const broker::Secret& value,
                               std::optional<uint64_t> expected) override {
    if (on_put) on_put(id);
    const std::scoped_lock lock(mutex_);
    if (fail_with) return broker::Fail(*fail_with, "fake");
    auto& [text, version] = rows_[id];
    if (expected && *expected != version) return broker::Fail(broker::ErrorCode::kConflict, "fake");
    text = std::string(value.Expose(broker::Exit::kTest));
    return ++version;
  }
  broker::Result<std::vector<broker::StoredSecretInfo>> List() override {
    const std::scoped_lock lock(mutex_);
    std::vector<broker::StoredSecretInfo> all;
    all.reserve(rows_.size());
    for (const auto& [id, row] : rows_) all.push_back({id, row.second});
    return all;
  }
  std::optional<broker::ErrorCode> fail_with;
  std::optional<broker::SecretId> fails_of;                // reading this one alone
  std::function<void(const broker::SecretId& id)> on_put;  // before it

 private:
  std::mutex mutex_;
  std::map<broker::SecretId, std::pair<std::string, uint64_t>> rows_;
};

/// A Vault in memory. Thread-safe.
class FakeVault final : public broker::Vault {
 public:
  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override {
    if (refuse_with) return std::unexpected(*refuse_with);
    auto got = store.Get(id);
    if (!got) return std::unexpected(got.error());
    // As vault::Sealed: what was destroyed is there no more.
    if (got->value.empty()) return broker::Fail(broker::ErrorCode::kNotFound, "destroyed");
    return broker::VaultSecret{std::move(got->value), std::to_string(got->version)};
  }
  broker::VaultResult<std::string> Replace(const broker::SecretId& id, const std::string& expected,
                                           const broker::Secret& value) override {
    if (before_replace) before_replace();
    if (refuse_replace_with) return std::unexpected(*refuse_replace_with);
    const auto put = store.Put(id, value, expected.empty() ? 0 : std::stoull(expected));
    if (!put) return std::unexpected(put.error());
    return std::to_string(*put);
  }
  void Invalidate(const broker::SecretId& id, const std::string& version) override {
    invalidated.emplace_back(id, version);
  }
  FakeStore store;
  std::function<void()> before_replace;  // what others do between a Fetch and this Replace
  std::optional<broker::VaultError> refuse_with, refuse_replace_with;
  std::vector<std::pair<broker::SecretId, std::string>> invalidated;  // oldest first
};
