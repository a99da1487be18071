#include "broker/waiting_requests.h"

#include <vector>

namespace broker {

std::shared_ptr<WaitingRequest> WaitingRequests::Add(std::string agent,
                                                     WaitingRequest::Refuse refuse) {
  std::shared_ptr<WaitingRequest> request(new WaitingRequest(std::move(agent), std::move(refuse)),
                                          [this](WaitingRequest* gone) {
                                            {
                                              const std::scoped_lock lock(mutex_);
                                              waiting_.erase(gone);
                                            }
                                            delete gone;
                                          });
  const std::scoped_lock lock(mutex_);
  waiting_.emplace(request.get(), request);
  return request;
}

void WaitingRequests::RefuseAll(std::string_view agent, const Refusal& refusal) {
  // Held until the lock is not: whoever lets go of one last takes it.
  std::vector<std::shared_ptr<WaitingRequest>> held;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, request] : waiting_) held.push_back(request.lock());
  }
  for (const auto& request : held) {
    const bool meant = request && (agent.empty() || request->agent_ == agent);
    if (meant && request->Claim()) request->refuse_(refusal);
  }
}

}  // namespace broker
