#include "sidecar/broker/mint_room.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace sidecar::broker_role {

struct MintRoom::Books {
  struct Held {
    std::shared_ptr<Books> books;
    std::string agent;
    size_t bytes = 0;  // 0: not counted

    Held(std::shared_ptr<Books> in, std::string whose)
        : books(std::move(in)), agent(std::move(whose)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (bytes != 0) books->Return(agent, bytes);
    }
  };

  bool Take(const std::string& agent, size_t bytes) {
    const std::scoped_lock lock(mutex);
    const auto own = taken.find(agent);
    const size_t before = own == taken.end() ? 0 : own->second;
    const size_t room = before + bytes <= kFewBytes ? kMaxBytes : kMaxBytes - kReservedForFew;
    if (total + bytes > room || before + bytes > kMaxAgentBytes) return false;
    taken[agent] = before + bytes;
    total += bytes;
    return true;
  }
  void Return(const std::string& agent, size_t bytes) {
    const std::scoped_lock lock(mutex);
    const auto own = taken.find(agent);
    total -= bytes;
    own->second -= bytes;
    if (own->second == 0) taken.erase(own);
  }

  std::mutex mutex;
  size_t total = 0;
  std::map<std::string, size_t> taken;  // by agent, of those that have any
};

size_t MintRoom::BytesOf(const broker::TokenRequest& request) {
  const size_t own = request.user_assertion ? request.user_assertion->size() : 0;
  if (own == 0 && request.claims.empty()) return 0;
  return std::max(own + request.claims.size(), kLeastBytes);
}

MintRoom::MintRoom() : books_(std::make_shared<Books>()) {}
MintRoom::~MintRoom() = default;

std::shared_ptr<const void> MintRoom::Admit(const std::string& agent, size_t bytes) {
  auto held = std::make_shared<Books::Held>(books_, agent);
  if (!books_->Take(agent, bytes)) return nullptr;
  held->bytes = bytes;
  return held;
}

}  // namespace sidecar::broker_role
