// purser-window --agent NAME | --admin: reads an agent's bytes, holds no secret, opens nothing.
#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sidecar/window/window.h"

namespace {

constexpr int kControl = 3;  // the descriptor that every role finds its supervisor on

// Threads of connections need little stack, and few arenas serve them all.
bool KeepThreadsSmall() {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  const bool set =
      pthread_attr_setstacksize(&attributes, sidecar::window::Window::kStackBytes) == 0 &&
      pthread_setattr_default_np(&attributes) == 0;
  pthread_attr_destroy(&attributes);
  return set && mallopt(M_ARENA_MAX, 2) == 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool admin = argc == 2 && std::string_view(argv[1]) == "--admin";
  const bool agent = argc == 3 && std::string_view(argv[1]) == "--agent" && *argv[2] != '\0';
  if (!admin && !agent) {
    std::fputs("usage: purser-window --agent NAME | --admin\n", stderr);
    return 2;
  }
  if (sodium_init() < 0 || !KeepThreadsSmall()) return 1;
  prctl(PR_SET_NAME, "purser-window");
  const broker::Log log(2, "window", std::getenv("JOURNAL_STREAM") != nullptr);
  return sidecar::window::Window({agent ? argv[2] : ""}, sidecar::ipc::Fd(kControl), {}, log).Run();
}
