#include "sidecar/cli/terminal.h"

#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <ostream>

#include "broker/base/seal_box.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Secret;

std::string Coloured(const char* code, const std::string& text) {
  return UseColour() ? "\033[" + std::string(code) + "m" + text + "\033[0m" : text;
}

/// Switches the terminal's echo off while it lives.
class NoEcho {
 public:
  NoEcho() {
    tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~NoEcho() { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
};

// Straight from the descriptor into the arena: iostreams would keep a copy in their buffer.
broker::Result<Secret> ReadAll(bool one_line) {
  Secret read_so_far = Secret::Allocate(broker::SealBox::kMaxSealedBytes);
  size_t used = 0;
  while (used < read_so_far.size()) {
    const auto room =
        read_so_far.Writable().subspan(used, one_line ? 1 : read_so_far.size() - used);
    const ssize_t got = read(STDIN_FILENO, room.data(), room.size());
    if (got < 0) return Fail(ErrorCode::kUnavailable, "cannot read standard input");
    if (got == 0 || (one_line && room[0] == '\n')) break;
    used += static_cast<size_t>(got);
  }
  if (used == read_so_far.size()) return Fail(ErrorCode::kInvalidRequest, "larger than 48 KiB");
  if (!one_line && used > 0 && read_so_far.Writable()[used - 1] == '\n') --used;
  if (used == 0)
    return Fail(ErrorCode::kInvalidRequest, "nothing was typed, or passed on standard input");
  read_so_far.Truncate(used);
  return read_so_far;
}

}  // namespace

void PrintTable(std::ostream& out, const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  widths.reserve(header.size());
  for (const std::string& cell : header) widths.push_back(cell.size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto line = [&](const std::vector<std::string>& row) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text += std::string(widths[i] - row[i].size() + 2, ' ');
    }
    return text;
  };
  out << Bold(line(header)) << '\n';
  for (const auto& row : rows) out << line(row) << '\n';
}

broker::Result<Secret> ReadSecret(const std::string& prompt) {
  // Typed bytes stand in the arena, which no core file holds; what is made of them does not.
  const rlimit no_core{0, 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0)
    return Fail(ErrorCode::kUnavailable, "cannot forbid core files");
  if (isatty(STDIN_FILENO) == 0) return ReadAll(/*one_line=*/false);
  auto typed = [&prompt] {
    const NoEcho silent;  // before the prompt: whoever answers it at once is not shown either
    std::cerr << prompt << ": " << std::flush;
    return ReadAll(/*one_line=*/true);
  }();
  std::cerr << '\n';
  return typed;
}

bool UseColour() {
  static const bool use = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return use;
}
std::string Bold(const std::string& text) { return Coloured("1", text); }
std::string Green(const std::string& text) { return Coloured("32", text); }
std::string Red(const std::string& text) { return Coloured("31", text); }
std::string Yellow(const std::string& text) { return Coloured("33", text); }

}  // namespace sidecar::cli
