#include "sidecar/ipc/config_files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;

// purser.toml and one file of agents.d, for their owner alone to write.
class Configuration {
 public:
  Configuration() {
    std::string name = (fs::temp_directory_path() / "purser-files-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    folder_ = name;
    fs::create_directory(folder_ / "agents.d");
    Write("purser.toml");
    Write("agents.d/a.toml");
    Permit("agents.d", 0755);
  }
  ~Configuration() { fs::remove_all(folder_); }
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;

  void Write(const std::string& name) const {
    std::ofstream(folder_ / name) << "# " << name;
    Permit(name, 0644);
  }
  void Permit(const std::string& name, mode_t mode) const {
    REQUIRE(chmod((folder_ / name).c_str(), mode) == 0);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE("A configuration that others can write is not read") {
  // clang-format off
  struct Row { const char* why; const char* name; mode_t mode; const char* fault; };
  const Row rows[] = {
      {"its owner's alone to write",         "purser.toml",     0644, nullptr},
      {"its owner's alone to read",          "purser.toml",     0400, nullptr},
      {"everybody writes the file",          "purser.toml",     0666, "chmod go-w"},
      {"everybody writes, nobody reads",     "purser.toml",     0602, "chmod go-w"},
      {"a group writes the file",            "purser.toml",     0664, "chmod go-w"},
      {"everybody writes an agent's file",   "agents.d/a.toml", 0646, "chmod go-w"},
      {"a group adds files",                 "agents.d",        0775, "chmod go-w"},
      {"everybody adds files of their own",  "agents.d",        01777, "chmod go-w"},
  };
  // clang-format on
  const std::array<uint32_t, 2> owners{0, geteuid()};
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    const Configuration made;
    made.Permit(row.name, row.mode);
    const auto files = sidecar::ReadConfigFiles(made / "purser.toml", owners);
    REQUIRE(files.has_value() == (row.fault == nullptr));
    CHECK(sidecar::ReadConfigFiles(made / "purser.toml").has_value());  // who only looks
    if (files) {
      CHECK(files->size() == 2);
      continue;
    }
    CHECK(files.error().detail.starts_with(made / row.name));
    CHECK(files.error().detail.find(row.fault) != std::string::npos);
  }
}

TEST_CASE("A configuration belongs to root or to who loads it") {
  const Configuration made;
  const std::array<uint32_t, 1> somebody_else{geteuid() + 1};
  const auto files = sidecar::ReadConfigFiles(made / "purser.toml", somebody_else);
  REQUIRE_FALSE(files.has_value());
  CHECK(files.error().detail.find("belongs to user " + std::to_string(geteuid())) !=
        std::string::npos);
  CHECK(files.error().detail.find("chown root " + (made / "agents.d")) != std::string::npos);
}

TEST_CASE("The files are read in the order of their names, the first one first") {
  const Configuration made;
  for (const char* name : {"agents.d/0.toml", "agents.d/b.toml.bak", "agents.d/.hidden.toml"}) {
    made.Write(name);
  }
  const auto files = sidecar::ReadConfigFiles(made / "purser.toml");
  REQUIRE(files.has_value());
  REQUIRE(files->size() == 3);
  CHECK((*files)[0] == broker::policy::SourceFile{made / "purser.toml", "# purser.toml"});
  CHECK((*files)[1].path == made / "agents.d/0.toml");
  CHECK((*files)[2].path == made / "agents.d/a.toml");
  fs::remove(made / "purser.toml");
  const auto missing = sidecar::ReadConfigFiles(made / "purser.toml");
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == broker::ErrorCode::kNotFound);
}
