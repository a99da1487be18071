// broker/base/result.h: the one error type. No exception crosses a module border.
#pragma once
#include <expected>
#include <string>
#include <utility>

namespace broker {

/// What the receiver can do about it. Wire-stable between the roles: append only, never renumber.
enum class ErrorCode {
  kInvalidRequest = 1,  // caller's fault; retrying is useless
  kDenied = 2,          // a policy, here or upstream, said no
  kNotFound = 3,
  kUnavailable = 4,  // transient; retry after backoff
  kCorrupt = 5,      // stored or remote data failed a check; fail closed
  kConflict = 6,     // somebody else changed it first; read again
};

/// `detail` is for the operator's log. It never holds secret bytes and never
/// reaches an agent, who sees a Reason (broker/reason.h) alone.
struct Error {
  ErrorCode code;
  std::string detail;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> Fail(ErrorCode code, std::string detail) {
  return std::unexpected(Error{code, std::move(detail)});
}

}  // namespace broker
