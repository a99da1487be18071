// sidecar/cli/redirect_request.h: a browser's request to this machine's loopback. Pure: no sockets.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "broker/base/secret.h"
#include "broker/entra/login_redirect.h"

namespace sidecar::cli {

/// The head of one HTTP/1.x request, of which a login needs the target alone. It may hold a code:
/// its bytes stand in the arena, and nowhere else. Not thread-safe.
///
/// Usage: read into Room(), say Filled(how many); until the state is another one than kMore.
class RedirectRequest {
 public:
  enum class State {
    kMore,
    kComplete,   // GET of "/", whatever the query: see target()
    kOtherPath,  // GET of something else
    kOtherMethod,
    kMalformed,
    kTooLarge,
  };
  // Besides the answer there are cookies, which other programs of this machine left for localhost.
  static constexpr size_t kMaxHeadBytes = size_t{32} << 10;
  static constexpr size_t kMaxTargetBytes = broker::entra::kMaxRedirectBytes;

  RedirectRequest() : bytes_(broker::Secret::Allocate(kMaxHeadBytes)) {}

  /// Never empty while the state is kMore.
  [[nodiscard]] std::span<char> Room() { return bytes_.Writable().subspan(used_); }
  /// REQUIRES: the state was kMore, count <= Room().size().
  State Filled(size_t count);
  /// "/?code=…": printable ASCII that begins with '/'. REQUIRES: kComplete. Valid while *this
  /// lives.
  [[nodiscard]] std::string_view target() const { return target_; }

 private:
  State ReadLine(std::string_view line);

  broker::Secret bytes_;
  size_t used_ = 0;
  std::string_view target_;
};

}  // namespace sidecar::cli
