#include "sidecar/ipc/config_files.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <span>

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
  [[nodiscard]] std::string path() const { return folder_; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }

 private:
  fs::path folder_;
};

constexpr int kCannotMount = 77;

// In a mount namespace of its own, whose root may be a user of its own: 0 when the folder is read
// with the links and refused without one.
int ReadsWhereNobodyWrites(const Configuration& made, std::span<const uint32_t> owners) {
  const std::string path = made.path();
  const unsigned long read_only = MS_BIND | MS_REMOUNT | MS_RDONLY;
  const bool apart = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  const bool mounted = apart && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0;
  if (!mounted) return kCannotMount;
  // Without a mapping everybody's files look like nobody's: they are still one user's.
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return 1;
  const std::array<uint32_t, 2> seen{owners[0], status.st_uid};
  if (mount("none", path.c_str(), nullptr, read_only, nullptr) != 0) return kCannotMount;
  if (!sidecar::ReadConfigFiles(made / "purser.toml", seen)) return 2;
  if (mount("none", path.c_str(), nullptr, MS_BIND | MS_REMOUNT, nullptr) != 0) return kCannotMount;
  if (unlink((made / "agents.d/..data").c_str()) != 0) return 3;
  if (mount("none", path.c_str(), nullptr, read_only, nullptr) != 0) return kCannotMount;
  return sidecar::ReadConfigFiles(made / "purser.toml", seen) ? 4 : 0;
}

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
      {"a group replaces the first file",    "",                0775, "chmod go-w"},
      {"everybody adds an agents.d",         "",                01777, "chmod go-w"},
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
    CHECK(files.error().detail.starts_with(*row.name == '\0' ? made.path() : made / row.name));
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
  CHECK(files.error().detail.find("chown root " + made.path()) != std::string::npos);
}

TEST_CASE("Folders that everybody may write are Kubernetes' where nobody can, by its link alone") {
  const Configuration made;
  made.Permit("", 0777);
  made.Permit("agents.d", 0777);
  for (const char* folder : {"", "agents.d"})
    fs::create_symlink("x", fs::path(made / folder) / "..data");
  const std::array<uint32_t, 2> owners{0, geteuid()};
  CHECK_FALSE(sidecar::ReadConfigFiles(made / "purser.toml", owners).has_value());
  const pid_t child = fork();
  if (child == 0) _exit(ReadsWhereNobodyWrites(made, owners));
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannotMount) return;
  CHECK(WEXITSTATUS(status) == 0);
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
