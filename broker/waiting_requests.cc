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
  std::vector<std::shared_ptr<WaitingRequest>> of_agent;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, held] : waiting_) {
      auto request = held.lock();
      if (request && (agent.empty() || request->agent_ == agent)) {
        of_agent.push_back(std::move(request));
      }
    }
  }
  for (const auto& request : of_agent) {
    if (request->Claim()) request->refuse_(refusal);
  }
}

}  // namespace broker
