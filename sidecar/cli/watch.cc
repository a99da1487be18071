#include "sidecar/cli/watch.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <ctime>
#include <sstream>
#include <vector>

#include "sidecar/ipc/write_all.h"

namespace sidecar::cli {
namespace {

// Another screen, without a cursor, whose lines end at its edge; and back.
constexpr std::string_view kEnter = "\033[?1049h\033[?25l\033[?7l\033[2J";
constexpr std::string_view kLeave = "\033[?7h\033[?25h\033[?1049l";
constexpr size_t kUsualRows = 24;  // where the terminal does not say

// What the signal handler puts back. Set before the handler is.
termios g_before{};
bool g_keys = false;

void Put(std::string_view bytes) {
  [[maybe_unused]] const bool seen = WriteAll(STDOUT_FILENO, bytes);  // perhaps nobody looks
}

void Restore() {
  if (g_keys) tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
  Put(kLeave);
}

// Only what may be called in a handler. A look may be waiting for a daemon that hangs.
void OnSignal(int /*signal*/) {
  Restore();
  _exit(kExitInterrupted);
}

/// The terminal, taken while it lives.
class Screen {
 public:
  Screen() {
    g_keys = tcgetattr(STDIN_FILENO, &g_before) == 0;
    listens_ = g_keys;
    struct sigaction action{};
    action.sa_handler = &OnSignal;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
    if (g_keys) {
      termios raw = g_before;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped watch would leave the terminal like this
      tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    Put(kEnter);
  }
  ~Screen() {
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &usual, nullptr);
    Restore();
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static size_t rows() {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    return known ? size.ws_row : kUsualRows;
  }

  /// The key that came within the interval; 0: none.
  char WaitForKey() {
    using std::chrono::milliseconds;
    constexpr int kWait = static_cast<int>(milliseconds(kWatchInterval).count());
    pollfd typed{.fd = listens_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    char key = 0;
    if (poll(&typed, 1, kWait) == 1 && read(STDIN_FILENO, &key, 1) != 1) listens_ = false;
    return key;
  }

 private:
  bool listens_ = false;  // until standard input ends
};

std::string TimeOfDay() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[sizeof "00:00:00"];
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

struct Frame {
  std::string out, err;
  int code = kExitDone;

  // Nothing to look at: the daemon is away, or refuses.
  [[nodiscard]] bool failed() const { return out.empty() && code != kExitDone; }
};

Frame LookOnce(const Console& console, const Look& look) {
  std::ostringstream out, err;
  Frame frame;
  frame.code = look({console.client, out, err, false});
  frame.out = std::move(out).str();
  frame.err = std::move(err).str();
  return frame;
}

// A colour: ESC [ digits m. Its length, 0 where `text` does not begin with one.
size_t ColourLength(std::string_view text) {
  if (!text.starts_with("\033[")) return 0;
  const size_t end = text.find_first_not_of("0123456789", 2);
  return end != text.npos && text[end] == 'm' ? end + 1 : 0;
}

std::string OnlyText(std::string_view line) {
  std::string shown;
  for (size_t i = 0; i < line.size(); ++i) {
    if (const size_t colour = ColourLength(line.substr(i)); colour > 0) {
      shown.append(line.substr(i, colour));
      i += colour - 1;
      continue;
    }
    const auto c = static_cast<unsigned char>(line[i]);
    const auto next = static_cast<unsigned char>(i + 1 < line.size() ? line[i + 1] : 0);
    const bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;  // U+0080 to U+009F: controls, too
    if (c1) ++i;
    shown += c < ' ' || c == 0x7f || c1 ? '?' : line[i];
  }
  return shown;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::string FrameBytes(const std::string& text, size_t rows) {
  std::vector<std::string> lines = LinesOf(text);
  if (lines.size() > rows && rows > 0) {
    const size_t hidden = lines.size() - (rows - 1);
    lines.resize(rows - 1);
    lines.push_back("… " + std::to_string(hidden) + " more lines: enlarge the window");
  }
  std::string bytes = "\033[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) bytes += "\n";  // the terminal makes CR LF of it
    bytes += OnlyText(lines[i]) + "\033[0m\033[K";
  }
  return bytes + "\033[J";
}

int Watch(const Console& console, const Look& look, const OnKey& on_key) {
  if (console.json || isatty(STDOUT_FILENO) == 0) {
    return Complain(console.output(),
                    "--watch needs a terminal; a program asks again by itself, without it",
                    kExitUsage);
  }
  Frame seen = LookOnce(console, look);
  if (seen.failed()) {
    console.err << seen.err;
    return seen.code;
  }
  Screen screen;
  std::string looked = TimeOfDay();
  std::string trouble, said;
  while (true) {
    const std::string head = looked + "  (q ends)\n" + (trouble.empty() ? "" : Red(trouble)) + "\n";
    Put(FrameBytes(head + seen.out + seen.err + said, Screen::rows()));
    const char key = screen.WaitForKey();
    if (key == 'q') return kExitDone;
    if (key != 0 && on_key) said = on_key(key) + "\n";
    Frame next = LookOnce(console, look);
    trouble = next.failed() ? "no more since then: " + next.err.substr(0, next.err.find('\n')) : "";
    if (next.failed()) continue;
    seen = std::move(next);
    looked = TimeOfDay();
  }
}

}  // namespace sidecar::cli
