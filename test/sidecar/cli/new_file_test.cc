// What `purser teardown --out` writes, as root, into a folder that may be anybody's.
#include "sidecar/cli/new_file.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace fs = std::filesystem;
using sidecar::cli::NewFile;

namespace {

struct Folder {
  std::string path = [] {
    std::string shape = "/tmp/purser-new-file-XXXXXX";
    return std::string(mkdtemp(shape.data()));
  }();
  Folder() {
    fs::create_directories(path + "/theirs");
    std::ofstream(path + "/victim") << "of somebody";
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string Read(const std::string& name) const {
    std::ifstream in(path + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace

TEST_CASE("It is made for its owner alone, where nothing stands, not even a link") {
  const Folder folder;
  const std::string out = folder.path + "/theirs/report";
  auto file = NewFile::Create(out);
  REQUIRE(file.has_value());
  REQUIRE(file->Write("{}").has_value());
  CHECK(folder.Read("theirs/report") == "{}");
  struct stat facts{};
  REQUIRE(stat(out.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
  CHECK_FALSE(NewFile::Create(out).has_value());
  fs::create_symlink(folder.path + "/nowhere", folder.path + "/theirs/link");
  CHECK_FALSE(NewFile::Create(folder.path + "/theirs/link").has_value());
  CHECK_FALSE(fs::exists(folder.path + "/nowhere"));
  CHECK_FALSE(NewFile::Create(folder.path + "/absent/report").has_value());
  CHECK_FALSE(NewFile::Create(folder.path + "/theirs/").has_value());
  CHECK_FALSE(NewFile::Create("").has_value());
}

TEST_CASE("What is put in its place meanwhile is neither written nor removed elsewhere") {
  const Folder folder;
  const std::string theirs = folder.path + "/theirs";
  auto file = NewFile::Create(theirs + "/victim");
  REQUIRE(file.has_value());
  SUBCASE("a link, written to") {
    fs::remove(theirs + "/victim");
    fs::create_symlink(folder.path + "/victim", theirs + "/victim");
    CHECK(file->Write("{}").has_value());
  }
  SUBCASE("a link in place of the folder, removed in") {
    fs::rename(theirs, folder.path + "/moved");
    fs::create_directory_symlink(folder.path, theirs);
    file->Remove();
    CHECK_FALSE(fs::exists(folder.path + "/moved/victim"));
  }
  CHECK(folder.Read("victim") == "of somebody");
}
