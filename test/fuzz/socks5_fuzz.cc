// The dialer's parsers of what others send: SOCKS5 from the broker, the answer of a proxy.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidecar/dialer/http_connect.h"
#include "sidecar/dialer/socks5.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

/// A prefix of something accepted is never accepted, nor refused: the parsers do not depend on how
/// the bytes are cut.
template <class Parse>
void CheckPrefixes(std::string_view bytes, const Parse& parse, const auto& incomplete) {
  for (size_t size = 0; size < bytes.size(); ++size) {
    Require(parse(bytes.substr(0, size)) == incomplete);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sidecar::dialer;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'g') {
    const auto greeting = ParseGreeting(bytes);
    if (greeting && *greeting) {
      Require(bytes.size() <= kMaxGreetingBytes);
      CheckPrefixes(bytes, ParseGreeting, std::expected<bool, SocksReply>(false));
    }
  } else if (data[0] == 'r') {
    const auto request = ParseRequest(bytes);
    if (request && *request) {
      Require(bytes.size() <= kMaxRequestBytes);
      Require(CanonicalHost((*request)->host) == (*request)->host);
      CheckPrefixes(bytes, ParseRequest,
                    std::expected<std::optional<HostPort>, SocksReply>(std::nullopt));
    }
  } else if (data[0] == 'h') {
    const auto answer = ReadConnectAnswer(bytes);
    if (answer && *answer) {
      CheckPrefixes(bytes, ReadConnectAnswer, std::expected<bool, SocksReply>(false));
    }
  } else {
    const auto hosts = HostList::Parse(bytes);
    if (hosts && hosts->proxy()) Require(hosts->proxy()->port != 0);
  }
  return 0;
}
