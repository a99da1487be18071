// broker/pending_request.h: for the files of Broker alone.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.h"

namespace broker {

// One request on its way, by the configuration that decides it.
struct Broker::Pending {
  SharedConfig config;
  const Caller& caller;
  ledger::Entry entry;
  Answer answer;
  std::optional<policy::Grant> grant;  // points into `config`
  TokenKey asked{}, key{};
  std::shared_ptr<const Secret> user_assertion;  // where the credential acts for its user
  std::chrono::seconds min_validity{};
  SharedToken token;
  std::string wanted;                       // the approval that the agent names
  Clock::Steady hold_until{};               // for an approval; earlier than now: not at all
  std::optional<ApprovalPass> pass;         // a use of it
  bool challenged = false;                  // the agent brings claims: a resource refused its token
  std::shared_ptr<WaitingRequest> waiting;  // from when it waits for a mint
};

inline bool IsGone(const Caller& caller) { return caller.alive && !caller.alive(); }

}  // namespace broker
