#include "test/sidecar/hardening/victim.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>

namespace {

volatile uint64_t treasure = 42;

bool Become(User user) {
  if (!user) return true;
  return setgroups(0, nullptr) == 0 && setresgid(*user, *user, *user) == 0 &&
         setresuid(*user, *user, *user) == 0;
}

}  // namespace

Victim::Victim(User user) {
  std::array<int, 2> ready{};
  REQUIRE(pipe2(ready.data(), O_CLOEXEC) == 0);
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    // As easy a prey as can be: dumpable in spite of the change of user, Yama's permission given.
    const bool prey = Become(user) && prctl(PR_SET_DUMPABLE, 1) == 0;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!prey || write(ready[1], "r", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  close(ready[1]);
  REQUIRE(read(ready[0], &byte, 1) == 1);
  close(ready[0]);
}

Victim::~Victim() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Victim::Address() {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%p",
                static_cast<void*>(const_cast<uint64_t*>(&treasure)));
  return text.data();
}

Outcome RunAttacker(const std::string& executable, User user,
                    const std::vector<std::string>& arguments) {
  std::vector<char*> argv{const_cast<char*>("attacker")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // By descriptor: the folder of the build may be closed to the other user.
  const int image = open(executable.c_str(), O_PATH | O_CLOEXEC);
  REQUIRE(image >= 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    char* const no_environment[] = {nullptr};
    if (Become(user)) {
      syscall(SYS_execveat, image, "", argv.data(), no_environment, AT_EMPTY_PATH);
    }
    _exit(13);
  }
  close(image);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  if (WIFSIGNALED(status)) {
    return WTERMSIG(status) == SIGSYS ? Outcome::kRefused : Outcome::kFailedOtherwise;
  }
  switch (WEXITSTATUS(status)) {
    case 0:
      return Outcome::kWorked;
    case 10:
      return Outcome::kRefused;
    case 12:
      return Outcome::kNotHardened;
    default:
      return Outcome::kFailedOtherwise;
  }
}
