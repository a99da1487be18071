// A body either becomes a request that the broker's decoder takes, or a refusal that is safe to
// show. The first byte chooses JSON or form.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/base/inert_text.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/window/wire.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckRefusal(const broker::Refusal& refusal) {
  std::string encoded;
  sidecar::ipc::Encode(sidecar::ipc::Rejected{"id", refusal.reason, refusal.hint}, &encoded);
  Require(sidecar::ipc::DecodeRejected(encoded).has_value());
  Require(std::ranges::all_of(refusal.hint, [](char c) { return c >= ' ' && c < 0x7f; }));
}

void CheckRequest(const broker::TokenRequest& request) {
  std::string encoded;
  sidecar::ipc::Encode(sidecar::ipc::TokenRequestMessage{"id", request}, &encoded);
  Require(sidecar::ipc::DecodeTokenRequest(encoded).has_value());
  Require(!request.scopes.empty());
  for (const std::string& text :
       {request.context.purpose, request.context.task, request.context.requested_by}) {
    Require(broker::IsInertText(text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  sidecar::window::Head head;
  head.content_type = data[0] == 'f' ? "application/x-www-form-urlencoded" : "application/json";
  // The same bytes as header values: whatever they are, they must do no harm.
  head.authorization = data[0] == 'a' ? body.substr(0, 8000) : std::string_view();
  head.traceparent = body.substr(0, 100);
  const auto request = sidecar::window::ParseTokenRequest(head, body);
  if (request) {
    CheckRequest(*request);
  } else {
    CheckRefusal(request.error());
  }
  static_cast<void>(sidecar::window::ParseAuditQuery(body));
  return 0;
}
