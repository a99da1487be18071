#include "broker/outstanding.h"

#include <algorithm>
#include <utility>

#include "broker/base/unix_time.h"
#include "broker/minted_check.h"

namespace broker {
namespace {}  // namespace

void Outstanding::Note(const std::string& agent, const TokenKey& key, const AccessToken& token,
                       uint64_t seq) {
  const std::scoped_lock lock(mutex_);
  Keep(token.fingerprint, LiveToken{agent, key.credential, key.resource, token.scopes,
                                    token.user_oid, token.exp_unix, seq});
}

void Outstanding::Learn(const std::string& fingerprint, LiveToken token) {
  token.earlier = true;
  const std::scoped_lock lock(mutex_);
  Keep(fingerprint, std::move(token));
}

void Outstanding::SetEarlierUnknown(std::string why) {
  const std::scoped_lock lock(mutex_);
  earlier_unknown_ = std::move(why);
}

void Outstanding::Keep(const std::string& fingerprint, LiveToken token) {
  auto& tokens = by_agent_[token.agent];
  if (const auto known = tokens.find(fingerprint); known != tokens.end()) {
    if (!known->second.earlier || token.earlier) return;
    token.seq = std::min(token.seq, known->second.seq);
    known->second = std::move(token);  // with all its scopes
    return;
  }
  if (size_ >= kMaxTokens) MakeRoom(UnixSeconds(clock_.WallNow()));
  if (size_ >= kMaxTokens) {
    ++forgotten_;
    return;
  }
  tokens.emplace(fingerprint, std::move(token));
  ++size_;
}

void Outstanding::MakeRoom(int64_t now) {
  for (auto& [agent, tokens] : by_agent_) {
    size_ -= std::erase_if(tokens, [&](const auto& held) { return held.second.exp_unix <= now; });
  }
}

Outstanding::List Outstanding::Of(std::string_view agent) const {
  const int64_t now = UnixSeconds(clock_.WallNow());
  const std::scoped_lock lock(mutex_);
  List list{.tokens = {},
            .forgotten = forgotten_,
            .since = earlier_unknown_.empty() ? since_ - kLongestContinuousLife : since_,
            .earlier_unknown = earlier_unknown_};
  for (const auto& [name, tokens] : by_agent_) {
    if (!agent.empty() && name != agent) continue;
    for (const auto& [fingerprint, token] : tokens) {
      if (token.exp_unix > now) list.tokens.push_back(token);
    }
  }
  std::ranges::sort(list.tokens, std::greater(), &LiveToken::exp_unix);
  return list;
}

}  // namespace broker
