#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/ports/token_cache.h"

/// Finds `cached`; else answers with `next`; with none, mints each time. Remembers keys. Not
/// thread-safe.
class FakeTokenCache final : public broker::TokenCache {
 public:
  broker::SharedToken Find(const broker::TokenKey&, std::chrono::seconds) override {
    return cached;
  }
  broker::MintResult GetOrMint(const broker::TokenKey& key, std::chrono::seconds min_validity,
                               const broker::MintFunction& mint) override {
    keys.push_back(key);
    validities.push_back(min_validity);
    return next ? *next : mint();
  }
  void Evict(const std::string& credential) override { evicted.push_back(credential); }
  void Drop(const broker::TokenKey& key) override { dropped.push_back(key); }
  void Doubt(const broker::TokenKey& key) override { doubted.push_back(key); }

  broker::SharedToken cached;
  std::optional<broker::MintResult> next;
  std::vector<broker::TokenKey> keys;
  std::vector<std::chrono::seconds> validities;
  std::vector<std::string> evicted;
  std::vector<broker::TokenKey> dropped, doubted;
};
