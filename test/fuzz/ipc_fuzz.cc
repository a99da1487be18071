// Every decoder of every message, as a role that was taken over would use them. What decodes must
// survive being encoded and decoded again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sidecar/ipc/messages.h"

namespace sidecar::ipc {

// As an AppendQueue does it; what does not fit into a frame is not sent in one.
static void Encode(const std::vector<Append>& appends, std::string* out) {
  Encode(appends.front(), out);
  for (size_t i = 1; i < appends.size(); ++i) {
    std::string message;
    Encode(appends[i], &message);
    if (!JoinAppend(message, out)) out->append(message, 1);
  }
}

}  // namespace sidecar::ipc

namespace {

namespace ipc = sidecar::ipc;

template <class Decode>
void RoundTrip(std::string_view bytes, Decode decode) {
  const auto first = decode(bytes);
  if (!first) return;
  std::string once;
  Encode(*first, &once);
  const auto second = decode(once);
  if (!second) std::abort();
  std::string twice;
  Encode(*second, &twice);
  if (once != twice) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(ipc::TypeOf(bytes));
  RoundTrip(bytes, ipc::DecodeTokenRequest);
  RoundTrip(bytes, ipc::DecodePlainRequest);
  RoundTrip(bytes, ipc::DecodeRejected);
  RoundTrip(bytes, ipc::DecodeAdminRequest);
  RoundTrip(bytes, ipc::DecodeAnswer);
  RoundTrip(bytes, ipc::DecodeConnection);
  RoundTrip(bytes, ipc::DecodeText);
  RoundTrip(bytes, ipc::DecodeAppends);
  RoundTrip(bytes, ipc::DecodeLedgerState);
  RoundTrip(bytes, ipc::DecodeReadAudit);
  RoundTrip(bytes, ipc::DecodeAuditPage);
  static_cast<void>(ipc::DecodeAcks(bytes));
  return 0;
}
