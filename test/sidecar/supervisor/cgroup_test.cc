#include "sidecar/supervisor/cgroup.h"

#include <doctest/doctest.h>

using namespace sidecar::supervisor;

TEST_CASE("The system unit is the first that is no slice on the full path") {
  // clang-format off
  struct Row { const char* why; const char* path; const char* want; };
  const Row rows[] = {
      {"a system service",                    "/system.slice/helpdesk.service",                        "helpdesk.service"},
      {"a group of its own below it",         "/system.slice/helpdesk.service/worker",                 "helpdesk.service"},
      {"an instance in a slice of its own",   "/system.slice/system-bot.slice/bot@1.service",          "bot@1.service"},
      {"a name that systemd escaped",         "/system.slice/_cpu.service",                            "cpu.service"},
      {"a user's unit of the same name",      "/user.slice/user-1000.slice/user@1000.service/app.slice/helpdesk.service", "user@1000.service"},
      {"a user's delegated group so named",   "/user.slice/user-1000.slice/user@1000.service/helpdesk.service", "user@1000.service"},
      {"a login session",                     "/user.slice/user-1000.slice/session-3.scope",           "session-3.scope"},
      {"a group that only looks like it",     "/docker/helpdesk.service",                              ""},
      {"a unit that was removed",             "/system.slice/helpdesk.service (deleted)",              ""},
      {"outside our own cgroup namespace",    "/../system.slice/helpdesk.service",                     ""},
      {"the root",                            "/",                                                     ""},
      {"no path",                             "helpdesk.service",                                      ""},
      {"nothing",                             "",                                                      ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(SystemUnitOf(row.path) == row.want);
  }
}

TEST_CASE("The cgroup path comes from the hierarchy that systemd uses") {
  // clang-format off
  struct Row { const char* why; const char* text; const char* want; };
  const Row rows[] = {
      {"unified alone",               "0::/system.slice/a.service\n",                            "/system.slice/a.service"},
      {"hybrid, both",                "1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", "/system.slice/a.service"},
      {"unified not in use",          "1:name=systemd:/system.slice/a.service\n0::/\n",          "/system.slice/a.service"},
      {"another hierarchy's path",    "3:cpu,cpuacct:/evil.service\n0::/b\n",                    "/b"},
      {"a colon in the name",         "0::/x:1:name=systemd:/y\n",                               "/x:1:name=systemd:/y"},
      {"legacy without systemd",      "2:cpu:/x\n",                                              ""},
      {"no final line feed",          "0::/b",                                                   "/b"},
      {"not such a file",             "hello\n::\n0:/b\n",                                       ""},
      {"nothing",                     "",                                                        ""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(ParseCgroupPath(row.text) == row.want);
  }
}
