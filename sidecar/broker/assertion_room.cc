#include "sidecar/broker/assertion_room.h"

#include <map>
#include <mutex>
#include <utility>

namespace sidecar::broker_role {

using broker::Secret;

struct AssertionRoom::Books {
  struct Held {
    std::shared_ptr<Books> books;
    std::string agent;
    std::shared_ptr<const Secret> token;

    bool counted = false;

    Held(std::shared_ptr<Books> in, std::string whose, std::shared_ptr<const Secret> what)
        : books(std::move(in)), agent(std::move(whose)), token(std::move(what)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (counted) books->Return(agent, token->size());
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

AssertionRoom::AssertionRoom() : books_(std::make_shared<Books>()) {}
AssertionRoom::~AssertionRoom() = default;

std::shared_ptr<const Secret> AssertionRoom::Admit(const std::string& agent,
                                                   std::shared_ptr<const Secret> token) {
  const auto held = std::make_shared<Books::Held>(books_, agent, std::move(token));
  held->counted = books_->Take(agent, held->token->size());
  if (!held->counted) return nullptr;
  return {held, held->token.get()};
}

}  // namespace sidecar::broker_role
