// A request to the loopback listener must read the same however its bytes are cut on the way, and a
// target that it yields must be one that the rest may rely on.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/entra/login_redirect.h"
#include "sidecar/cli/redirect_request.h"

namespace {

using sidecar::cli::RedirectRequest;

std::string Story(std::string_view bytes, size_t chunk) {
  RedirectRequest request;
  auto state = RedirectRequest::State::kMore;
  while (state == RedirectRequest::State::kMore && !bytes.empty()) {
    const size_t count = std::min({chunk, bytes.size(), request.Room().size()});
    if (count == 0) std::abort();
    std::ranges::copy(bytes.substr(0, count), request.Room().begin());
    state = request.Filled(count);
    bytes.remove_prefix(count);
  }
  std::string story = std::to_string(static_cast<int>(state));
  if (state != RedirectRequest::State::kComplete) return story;
  const std::string_view target = request.target();
  const bool sound = target.starts_with("/") && target.substr(0, target.find('?')) == "/" &&
                     target.size() <= RedirectRequest::kMaxTargetBytes &&
                     std::ranges::all_of(target, [](char c) { return c > ' ' && c < 0x7f; });
  if (!sound) std::abort();
  const auto code = broker::entra::ReadRedirect(target, "the-state");
  if (code && target.find("the-state") == target.npos && target.find('%') == target.npos) {
    std::abort();
  }
  return story.append(target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Story(bytes, std::max<size_t>(size, 1));
  // Behind the head's end nothing is read: what follows in the same piece is not looked at.
  if (whole != Story(bytes, 1) || whole != Story(bytes, 7)) std::abort();
  return 0;
}
