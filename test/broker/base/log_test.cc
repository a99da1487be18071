#include "broker/base/log.h"

#include <doctest/doctest.h>

using broker::FormatLogLine;

TEST_CASE("A log line is one line of plain key=value pairs") {
  CHECK(FormatLogLine("info", "broker", "ready", {{"agents", 2}, {"host", "login.example:443"}}) ==
        "level=info role=broker event=ready agents=2 host=login.example:443");
}

TEST_CASE("A value cannot forge a second line or a second field") {
  CHECK(FormatLogLine("info", "r", "e", {{"v", "a\nlevel=error b=\"c\""}}) ==
        "level=info role=r event=e v=\"a?level=error b=?c?\"");
}

TEST_CASE("An event of several words stays one field") {
  CHECK(FormatLogLine("error", "r", "a channel was lost", {{"why", "eof"}}) ==
        "level=error role=r event=\"a channel was lost\" why=eof");
}

TEST_CASE("A value that looks like a person's address is withheld") {
  CHECK(FormatLogLine("info", "r", "e", {{"v", "ada@example.com"}}) ==
        "level=info role=r event=e v=[withheld]");
}
