// sidecar/broker/renewals.h: the thread that renews tokens in use before they run out.
#pragma once
#include <thread>

#include "broker/broker.h"
#include "sidecar/hardening/stack_wipe.h"
#include "token_cache/access_token_cache.h"

namespace sidecar::broker_role {

/// Runs until destroyed. Borrows its collaborators.
class Renewals {
 public:
  Renewals(token_cache::AccessTokenCache& cache, broker::Broker& broker)
      : thread_([&cache, &broker](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            for (const broker::TokenKey& key : cache.WaitDue(stop)) {
              cache.Renew(key, [&] { return broker.Renew(key); });
            }
            hardening::WipeStack();
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace sidecar::broker_role
