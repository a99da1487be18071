#include "sidecar/supervisor/named_files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

#include "harness.h"

using broker::ErrorCode, broker::policy::Config;
using sidecar::supervisor::OpenNamedFile;
using supervisor_test::Folder;

namespace {

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string ReadBack(const sidecar::ipc::Fd& file) {
  std::array<char, 100> text{};
  const ssize_t got = pread(file.get(), text.data(), text.size(), 0);
  return {text.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

// A projected token, a folder of Arc's keys, a mounted vault, and a file that is none of these.
struct Places {
  Folder folder;
  std::string token = folder.path() + "/token", keys = folder.path() + "/keys",
              mounted = folder.path() + "/mounted", other = folder.path() + "/other";
  Config config;

  Places() {
    for (const std::string& made : {keys, mounted}) mkdir(made.c_str(), 0700);
    mkdir((mounted + "/below").c_str(), 0700);
    for (const std::string& file :
         {token, keys + "/1.key", mounted + "/secret", mounted + "/below/secret", other}) {
      Write(file, file);
    }
    config.credentials["wi"].token_file = token;
    config.credentials["arc"].key_folder = keys;
    config.vaults["k8s"].path = mounted;
  }
};

}  // namespace

TEST_CASE("What the configuration names is opened") {
  const Places places;
  for (const std::string& place :
       {places.token, places.keys + "/1.key", places.mounted + "/secret"}) {
    CAPTURE(place);
    const auto file = OpenNamedFile(places.config, place);
    REQUIRE(file.has_value());
    CHECK(ReadBack(*file) == place);
  }
}

TEST_CASE("What it does not name is not") {
  const Places places;
  // clang-format off
  struct Row { const char* why; std::string place; };
  const Row rows[] = {
      {"another file",                 places.other},
      {"what begins like a token",     places.token + ".bak"},
      {"up and out of a folder",       places.keys + "/../other"},
      {"the folder above",             places.mounted + "/.."},
      {"the folder itself",            places.mounted},
      {"the folder itself, so written", places.mounted + "/"},
      {"a file further down",          places.mounted + "/below/secret"},
      {"a folder that begins alike",   places.mounted + "-2/secret"},
      {"cut short by a zero byte",     places.mounted + "/secret" + std::string(1, '\0')},
      {"a relative path",              "token"},
      {"an absolute path elsewhere",   "/etc/shadow"},
      {"nothing",                      ""},
      {"another variable",             "env:PATH"},
      {"App Service's header, unused", "env:IDENTITY_HEADER"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    const auto file = OpenNamedFile(places.config, row.place);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().code == ErrorCode::kDenied);
  }
}

TEST_CASE("A named file that is not there says so, and a swapped one is opened anew") {
  Places places;
  CHECK(OpenNamedFile(places.config, places.mounted + "/absent").error().code ==
        ErrorCode::kNotFound);
  // As Kubernetes does it: the name is a link into a folder that is swapped by a link.
  for (const char* version : {"/v1", "/v2"}) {
    mkdir((places.mounted + version).c_str(), 0700);
    Write(places.mounted + version + "/db", version);
  }
  REQUIRE(symlink("v1", (places.mounted + "/..data").c_str()) == 0);
  REQUIRE(symlink("..data/db", (places.mounted + "/db").c_str()) == 0);
  CHECK(ReadBack(*OpenNamedFile(places.config, places.mounted + "/db")) == "/v1");
  REQUIRE(symlink("v2", (places.mounted + "/..new").c_str()) == 0);
  rename((places.mounted + "/..new").c_str(), (places.mounted + "/..data").c_str());
  CHECK(ReadBack(*OpenNamedFile(places.config, places.mounted + "/db")) == "/v2");
}

TEST_CASE("App Service's header comes from purserd's environment where a credential needs it") {
  Config config;
  config.credentials["mi"].source = "app-service";
  unsetenv("IDENTITY_HEADER");
  CHECK(OpenNamedFile(config, "env:IDENTITY_HEADER").error().code == ErrorCode::kNotFound);
  setenv("IDENTITY_HEADER", "the-header", 1);
  CHECK(ReadBack(*OpenNamedFile(config, "env:IDENTITY_HEADER")) == "the-header");
  unsetenv("IDENTITY_HEADER");
}
