// sidecar/cli/pasted_lines.h: what a person pastes while the command waits for something else.
#pragma once
#include <termios.h>

#include <cstddef>
#include <optional>

#include "broker/base/secret.h"
#include "broker/entra/login_redirect.h"

namespace sidecar::cli {

/// Lines of standard input, in the arena. While it lives a terminal shows nothing of them, and
/// hands them over as they are typed: by itself it would cut them at 4095 bytes. Not thread-safe.
class PastedLines {
 public:
  // With room for what a terminal or a clipboard adds at the ends.
  static constexpr size_t kMaxLineBytes = broker::entra::kMaxRedirectBytes + 64;

  PastedLines();
  ~PastedLines();
  PastedLines(const PastedLines&) = delete;
  PastedLines& operator=(const PastedLines&) = delete;

  /// Whether more can come: not at the end, nor from a terminal that another job has.
  [[nodiscard]] bool open() const { return open_; }
  /// Reads once what is there; waits where nothing is.
  void Read();
  /// The next complete line, without blanks at its ends; never empty. A line that is too long is
  /// none.
  std::optional<broker::Secret> Next();

 private:
  broker::Secret bytes_;
  size_t used_ = 0;
  bool too_long_ = false;  // and what follows is still of that line
  bool open_ = true;
  bool silent_ = false;
  termios before_{};
};

}  // namespace sidecar::cli
