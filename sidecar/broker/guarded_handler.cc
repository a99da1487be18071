#include "sidecar/broker/guarded_handler.h"

#include <new>
#include <utility>

#include "sidecar/broker/agent_service.h"

namespace sidecar::broker_role {

using broker::Reason;

void RunGuarded(const Connections::Answerer& answerer, const broker::Log& log,
                const std::function<void()>& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    log.Error("request_without_memory", {{"agent", answerer.peer().caller.agent},
                                         {"remedy", "fewer agents or scopes on this instance"}});
    SendRefusal(Reason::kOverloaded, {}, answerer);
  } catch (...) {
    log.Error("request_failed", {{"agent", answerer.peer().caller.agent},
                                 {"remedy", "report it with what was asked: a fault of purser"}});
    SendRefusal(Reason::kInternal, {}, answerer);
  }
}

Connections::Handler Guarded(Connections::Handler handler, const broker::Log& log) {
  return [handler = std::move(handler), &log](std::string_view request,
                                              Connections::Answerer answerer) {
    RunGuarded(answerer, log, [&] { handler(request, answerer); });
  };
}

}  // namespace sidecar::broker_role
