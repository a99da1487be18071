#include "test/devtenant/faults.h"

#include <stdexcept>

#include "test/devtenant/directory.h"

namespace devtenant {
namespace {

void RequireOneOf(const std::string& value, const std::set<std::string>& known) {
  if (!value.empty() && !known.contains(value)) {
    throw std::runtime_error("unknown value \"" + value + "\"");
  }
}

}  // namespace

Fault ParseFault(const nlohmann::json& document) {
  RequireKnown(document, {"endpoint", "client_id", "count", "status", "code", "error", "suberror",
                          "claims_challenge", "headers", "delay_ms", "drop", "hold", "body",
                          "method", "path", "tls", "claims", "answer", "extra_scopes"});
  Fault fault;
  fault.tls = document.value("tls", "");
  fault.endpoint = document.value("endpoint", fault.tls.empty() ? "token" : "login");
  fault.client_id = document.value("client_id", "");
  fault.count = document.value("count", Fault::kForever);
  fault.status = document.value("status", 0);
  fault.code = document.value("code", 0);
  fault.error = document.value("error", "");
  fault.suberror = document.value("suberror", "");
  fault.claims_challenge = document.value("claims_challenge", "");
  fault.headers = document.value("headers", fault.headers);
  fault.delay_ms = document.value("delay_ms", uint64_t{0});
  fault.drop = document.value("drop", "");
  fault.hold = document.value("hold", "");
  fault.method = document.value("method", "");
  fault.path = document.value("path", "");
  fault.body = document.value("body", "");
  fault.claims = document.value("claims", nlohmann::json::object());
  fault.answer = document.value("answer", nlohmann::json::object());
  fault.extra_scopes = document.value("extra_scopes", fault.extra_scopes);
  RequireOneOf(fault.drop, {"before", "middle"});
  RequireOneOf(fault.hold, {"before", "after"});
  RequireOneOf(fault.body,
               {"invalid_json", "truncated", "huge", "empty", "html", "array", "duplicate_key"});
  RequireOneOf(fault.tls, {"close", "wrong_ca", "wrong_name", "expired"});
  RequireOneOf(fault.endpoint, {"token", "devicecode", "keys", "discovery", "graph", "vault",
                                "imds", "any", "login"});
  return fault;
}

template <typename Applies>
Fault Faults::TakeFirst(Applies applies) {
  for (auto fault = pending_.begin(); fault != pending_.end(); ++fault) {
    if (fault->count == 0 || !applies(*fault)) continue;
    Fault taken = *fault;
    if (fault->count != Fault::kForever) --fault->count;
    if (fault->count == 0) pending_.erase(fault);
    return taken;
  }
  return {};
}

Fault Faults::TakeForRequest(const std::string& endpoint, const std::string& client_id,
                             const std::string& method, const std::string& path) {
  return TakeFirst([&](const Fault& fault) {
    return fault.tls.empty() && (fault.endpoint == endpoint || fault.endpoint == "any") &&
           (fault.client_id.empty() || fault.client_id == client_id) &&
           (fault.method.empty() || fault.method == method) && path.contains(fault.path);
  });
}

std::string Faults::TakeForConnection(const std::string& listener) {
  return TakeFirst([&](const Fault& fault) {
           return !fault.tls.empty() && (fault.endpoint == listener || fault.endpoint == "any");
         })
      .tls;
}

}  // namespace devtenant
