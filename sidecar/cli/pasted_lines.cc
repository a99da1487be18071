#include "sidecar/cli/pasted_lines.h"

#include <sodium.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace sidecar::cli {
namespace {

using broker::Secret;

constexpr std::string_view kLineEnds("\n\r\x04", 3);  // Ctrl-D ends a line and the input
constexpr std::string_view kBlanks = " \t";

std::string_view Trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

}  // namespace

PastedLines::PastedLines() : bytes_(Secret::Allocate(kMaxLineBytes)) {
  if (isatty(STDIN_FILENO) == 0) return;
  // Of another terminal than the controlling one nobody is in front.
  const pid_t in_front = tcgetpgrp(STDIN_FILENO);
  open_ = (in_front < 0 || in_front == getpgrp()) && tcgetattr(STDIN_FILENO, &before_) == 0;
  if (!open_) return;
  termios silent = before_;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  silent.c_cc[VMIN] = 1;
  silent.c_cc[VTIME] = 0;
  silent_ = tcsetattr(STDIN_FILENO, TCSANOW, &silent) == 0;
}

PastedLines::~PastedLines() {
  if (silent_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

void PastedLines::Read() {
  if (used_ == bytes_.size()) {  // without an end
    too_long_ = true;
    used_ = 0;
  }
  const auto room = bytes_.Writable().subspan(used_);
  const ssize_t got = read(STDIN_FILENO, room.data(), room.size());
  if (got < 0 && errno == EINTR) return;
  open_ = got > 0;
  if (open_) {
    used_ += static_cast<size_t>(got);
  } else if (used_ > 0) {
    room[0] = '\n';  // there is room: full it was emptied above
    ++used_;
  }
}

std::optional<Secret> PastedLines::Next() {
  while (true) {
    const std::string_view all = bytes_.Expose(broker::Exit::kPassToRole).substr(0, used_);
    const size_t end = all.find_first_of(kLineEnds);
    if (end == all.npos) return std::nullopt;
    if (all[end] == kLineEnds.back()) open_ = false;
    const std::string_view text = Trimmed(all.substr(0, end));
    std::optional<Secret> line;
    if (!too_long_ && !text.empty()) line = Secret::CopyOf(text);
    too_long_ = false;
    char* const start = bytes_.Writable().data();
    std::memmove(start, start + end + 1, used_ - end - 1);
    sodium_memzero(start + (used_ - end - 1), end + 1);
    used_ -= end + 1;
    if (line) return line;
  }
}

}  // namespace sidecar::cli
