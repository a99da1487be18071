#include <doctest/doctest.h>
#include <sys/stat.h>

#include "harness.h"
#include "sidecar/supervisor/loaded_config.h"

using namespace sidecar::supervisor;
using supervisor_test::Folder;

TEST_CASE("A key that others can read is no key") {
  const Folder folder;
  folder.Write("kek", "00");
  const std::string path = folder / "kek";
  // clang-format off
  struct Row { const char* why; mode_t mode; broker::policy::Seal seal; std::string credentials; bool opens; };
  const Row rows[] = {
      {"a file for its owner alone",       0400, {"file", path},                  "",            true},
      {"a file that its group can read",   0440, {"file", path},                  "",            false},
      {"a file that everybody can read",   0404, {"file", path},                  "",            false},
      {"a file that is not there",         0400, {"file", folder / "absent"},     "",            false},
      {"a folder",                         0400, {"file", folder.path()},         "",            false},
      {"systemd's, with its access list",  0440, {"systemd-credential", "kek"},   folder.path(), true},
      {"systemd's, readable by everybody", 0444, {"systemd-credential", "kek"},   folder.path(), false},
      {"systemd's, without systemd",       0400, {"systemd-credential", "kek"},   "",            false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    REQUIRE(chmod(path.c_str(), row.mode) == 0);
    const auto key = OpenSealKey(row.seal, row.credentials);
    CHECK(key.has_value() == row.opens);
    if (key) CHECK(key->valid());
  }
  const auto none = OpenSealKey({"passphrase", ""}, "");
  REQUIRE(none.has_value());
  CHECK_FALSE(none->valid());
}
