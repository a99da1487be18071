#include "sidecar/broker/guarded_handler.h"

#include <new>
#include <utility>

#include "sidecar/broker/agent_service.h"

namespace sidecar::broker_role {

using broker::Reason;

Connections::Handler Guarded(Connections::Handler handler, const broker::Log& log) {
  return [handler = std::move(handler), &log](const Peer& peer, std::string_view request,
                                              std::string* answer) {
    try {
      return handler(peer, request, answer);
    } catch (const std::bad_alloc&) {
      log.Error("request_without_memory", {{"agent", peer.caller.agent},
                                           {"remedy", "fewer agents or scopes on this instance"}});
      answer->clear();
      EncodeRefusal({Reason::kOverloaded, {}, {}, {}}, {}, answer);
    } catch (...) {
      log.Error("request_failed", {{"agent", peer.caller.agent},
                                   {"remedy", "report it with what was asked: a fault of purser"}});
      answer->clear();
      EncodeRefusal({Reason::kInternal, {}, {}, {}}, {}, answer);
    }
  };
}

}  // namespace sidecar::broker_role
