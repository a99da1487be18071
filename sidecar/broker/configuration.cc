#include "sidecar/broker/configuration.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "broker/policy/config_bundle.h"
#include "broker/policy/config_parser.h"

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;

// The supervisor bounds the configuration at 4 MiB; Debian's CA bundle has 220 kB.
constexpr size_t kMaxDocumentBytes = size_t{6} << 20;

// With pread: the descriptor's offset is shared with the supervisor's copy.
Result<std::string> ReadAll(int fd) {
  std::string text;
  for (;;) {
    const size_t used = text.size();
    text.resize(used + (size_t{64} << 10));
    const ssize_t got = pread(fd, text.data() + used, text.size() - used, static_cast<off_t>(used));
    if (got < 0) return Fail(ErrorCode::kUnavailable, "cannot read the configuration");
    text.resize(used + static_cast<size_t>(got));
    if (got == 0) return text;
    if (text.size() > kMaxDocumentBytes) return Fail(ErrorCode::kUnavailable, "too large");
  }
}

}  // namespace

Result<Prepared> Prepare(int config_fd, int ca_fd, CurlTransport::OpenDialerStream open) {
  const auto bytes = ReadAll(config_fd);
  const auto ca = ReadAll(ca_fd);
  if (!bytes || !ca) return Fail(ErrorCode::kUnavailable, "cannot read what the supervisor sent");
  const auto bundle = broker::policy::DecodeConfigBundle(*bytes);
  if (!bundle) return std::unexpected(bundle.error());
  auto config = broker::policy::ParseBundle(*bundle);
  if (!config) {
    return Fail(ErrorCode::kInvalidRequest, broker::policy::Format(config.error().front()));
  }
  auto transport = CurlTransport::Create(*ca, std::move(open));
  if (!transport) return std::unexpected(transport.error());
  return Prepared{std::make_shared<const broker::policy::Config>(std::move(*config)),
                  std::move(*transport)};
}

}  // namespace sidecar::broker_role
