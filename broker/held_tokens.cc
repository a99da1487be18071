#include "broker/held_tokens.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "broker/base/strict_json.h"
#include "broker/base/unix_time.h"

namespace broker {
namespace {

using nlohmann::json;

// Of a keyed hash: enough to tell a thousand tokens apart, and short in the store.
constexpr size_t kDigits = 16;
// Of one token in the kept text, its account's name not counted.
constexpr size_t kRowBytes = kDigits + 24;

std::string Short(const std::string& fingerprint) { return fingerprint.substr(0, kDigits); }

}  // namespace

bool HeldTokens::Has(const std::string& account, const std::string& fingerprint,
                     int64_t now) const {
  const auto tokens = by_account_.find(account);
  if (tokens == by_account_.end()) return false;
  const auto token = tokens->second.find(Short(fingerprint));
  return token != tokens->second.end() && token->second > now;
}

uint32_t HeldTokens::Alive(const std::string& account, int64_t now) const {
  const auto tokens = by_account_.find(account);
  if (tokens == by_account_.end()) return 0;
  return static_cast<uint32_t>(std::ranges::count_if(
      tokens->second, [now](const auto& token) { return token.second > now; }));
}

std::optional<int64_t> HeldTokens::FirstEnd(const std::string& account, int64_t now) const {
  std::optional<int64_t> first;
  const auto tokens = by_account_.find(account);
  if (tokens == by_account_.end()) return first;
  for (const auto& [fingerprint, exp] : tokens->second) {
    if (exp > now && (!first || exp < *first)) first = exp;
  }
  return first;
}

void HeldTokens::Add(const std::string& account, const std::string& fingerprint, int64_t exp,
                     int64_t now) {
  Tokens& tokens = by_account_[account];
  std::erase_if(tokens, [now](const auto& token) { return token.second <= now; });
  tokens[Short(fingerprint)] = exp;
}

std::string HeldTokens::Kept(int64_t now) const {
  std::vector<std::pair<int64_t, std::pair<std::string, std::string>>> alive;
  for (const auto& [account, tokens] : by_account_) {
    for (const auto& [fingerprint, exp] : tokens) {
      if (exp > now) alive.push_back({exp, {account, fingerprint}});
    }
  }
  std::ranges::sort(alive, std::greater());
  json kept = json::object();
  size_t bytes = 0;
  for (const auto& [exp, token] : alive) {
    bytes += token.first.size() + kRowBytes;
    if (bytes > kMaxKeptBytes) break;
    kept[token.first][token.second] = exp;
  }
  return kept.dump();
}

Status HeldTokens::Restore(std::string_view kept) {
  const auto root = ParseStrictJson(kept);
  const auto bad = [] { return Fail(ErrorCode::kCorrupt, "kept tokens: malformed"); };
  if (!root || !root->is_object()) return bad();
  for (const auto& [account, tokens] : root->items()) {
    if (!tokens.is_object()) return bad();
    for (const auto& [fingerprint, exp] : tokens.items()) {
      if (!exp.is_number_unsigned() || exp.get<uint64_t>() >= kLatestUnixSeconds) return bad();
    }
  }
  for (const auto& [account, tokens] : root->items()) {
    for (const auto& [fingerprint, exp] : tokens.items()) {
      by_account_[account].emplace(fingerprint, exp.get<int64_t>());
    }
  }
  return {};
}

}  // namespace broker
