#include "vault_adapters/mounted_files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using broker::ErrorCode, broker::Exit, broker::Secret, broker::SecretId, broker::SecretKind;
namespace fs = std::filesystem;

namespace {

// Opens by path each time, as the supervisor does.
struct Folder final : vault::FileSource {
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "mounted_files_test.XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() override { fs::remove_all(path); }
  broker::Result<int> Open(const std::string& name) override {
    ++opened;
    const int fd = open((path / name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) return broker::Fail(ErrorCode::kNotFound, "no such file");
    if (fd < 0) return broker::Fail(ErrorCode::kDenied, "may not be opened");
    return fd;
  }
  void Write(const fs::path& name, const std::string& text, mode_t mode = 0400) const {
    const fs::path at = path / name;
    fs::remove(at);
    std::ofstream(at, std::ios::binary) << text;
    chmod(at.c_str(), mode);
  }
  fs::path path;
  int opened = 0;
};

struct Mounted {
  Folder folder;
  SecretId id{"app", SecretKind::kClientSecret};
  vault::MountedFiles vault{folder,
                            "/run/secrets/purser",
                            {{{"app", SecretKind::kClientSecret}, {"app-secret", {}}},
                             {{"up", SecretKind::kClientSecret}, {"../app-secret", {}}},
                             {{"data", SecretKind::kClientSecret}, {"..data", {}}}}};
  std::string Text() {
    const auto got = vault.Fetch(id);
    return got ? std::string(got->value.Expose(Exit::kTest)) : "(" + got.error().detail + ")";
  }
};

// What the kubelet does: files in a folder named by the time, reached by links, swapped by rename.
void SwapKubernetesVolume(const Folder& folder, const std::string& stamp, const std::string& text) {
  fs::create_directory(folder.path / stamp);
  folder.Write(fs::path(stamp) / "app-secret", text);
  fs::create_symlink(stamp, folder.path / "..data_tmp");
  fs::rename(folder.path / "..data_tmp", folder.path / "..data");
  if (!fs::exists(fs::symlink_status(folder.path / "app-secret"))) {
    fs::create_symlink("..data/app-secret", folder.path / "app-secret");
  }
}

}  // namespace

TEST_CASE("A file's content is the secret, without one line feed at its end") {
  struct Row {
    const char* why;
    std::string content, secret;
  };
  const Row rows[] = {
      {"as it is", "s3cret", "s3cret"},
      {"an editor's line feed", "s3cret\n", "s3cret"},
      {"two of them", "s3cret\n\n", "s3cret\n"},
      {"a carriage return", "s3cret\r\n", "s3cret\r"},
      {"spaces around", " s3cret ", " s3cret "},
      {"bytes", std::string("a\0b", 3), std::string("a\0b", 3)},
      {"the largest", std::string(vault::MountedFiles::kMaxBytes, 'x'),
       std::string(vault::MountedFiles::kMaxBytes, 'x')},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Mounted t;
    t.folder.Write("app-secret", row.content);
    CHECK(t.Text() == row.secret);
  }
}

TEST_CASE("A file that is open to others is refused with the chmod that mends it") {
  struct Row {
    mode_t mode;
    const char* chmod;  // null: accepted
  };
  // clang-format off
  const Row rows[] = {
      {0400, nullptr}, {0600, nullptr}, {0440, nullptr}, {0640, nullptr}, {0500, nullptr},
      {0444, "chmod 0440"}, {0644, "chmod 0640"}, {0604, "chmod 0600"}, {0402, "chmod 0400"},
      {0401, "chmod 0400"}, {0660, "chmod 0640"}, {0777, "chmod 0740"}, {0666, "chmod 0640"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.mode);
    Mounted t;
    t.folder.Write("app-secret", "s3cret", row.mode);
    const auto got = t.vault.Fetch(t.id);
    CHECK(got.has_value() == (row.chmod == nullptr));
    if (got || row.chmod == nullptr) continue;
    CHECK(got.error().code == ErrorCode::kDenied);
    CHECK(got.error().detail.contains(std::string(row.chmod) + " /run/secrets/purser/app-secret"));
    CHECK(got.error().detail.contains("defaultMode: 04"));
    CHECK(got.error().detail.contains("filePermission: 04"));
  }
}

TEST_CASE("What is no secret file is refused") {
  Mounted t;
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kNotFound);
  t.folder.Write("app-secret", "");
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kCorrupt);
  t.folder.Write("app-secret", "\n");
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kCorrupt);
  t.folder.Write("app-secret", std::string(vault::MountedFiles::kMaxBytes + 1, 'x'));
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kCorrupt);
  fs::remove(t.folder.path / "app-secret");
  fs::create_directory(t.folder.path / "app-secret");
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kDenied);
  fs::remove(t.folder.path / "app-secret");
  REQUIRE(mkfifo((t.folder.path / "app-secret").c_str(), 0400) == 0);
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kDenied);
  fs::remove(t.folder.path / "app-secret");
  fs::create_symlink("/dev/zero", t.folder.path / "app-secret");
  CHECK(t.vault.Fetch(t.id).error().code == ErrorCode::kDenied);
}

TEST_CASE("Names that lead elsewhere, and credentials without a place, open nothing") {
  Mounted t;
  CHECK(t.vault.Fetch({"up", SecretKind::kClientSecret}).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(t.vault.Fetch({"data", SecretKind::kClientSecret}).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(t.vault.Fetch({"app", SecretKind::kCertificate}).error().code == ErrorCode::kNotFound);
  CHECK(t.vault.Replace(t.id, "0", Secret::CopyOf("x")).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.folder.opened == 0);
}

TEST_CASE("A swapped Kubernetes volume is noticed at the next fetch, by its version too") {
  Mounted t;
  SwapKubernetesVolume(t.folder, "..2026_11_21_01", "one");
  const auto first = t.vault.Fetch(t.id);
  REQUIRE(first.has_value());
  CHECK(t.vault.Fetch(t.id)->version == first->version);
  SwapKubernetesVolume(t.folder, "..2026_11_21_02", "two");
  const auto second = t.vault.Fetch(t.id);
  REQUIRE(second.has_value());
  CHECK(second->value.Expose(Exit::kTest) == "two");
  CHECK(second->version != first->version);
  CHECK(second->host.empty());
  CHECK_FALSE(first->version.contains("one"));
}

TEST_CASE("A file written over in place is another version") {
  Mounted t;
  t.folder.Write("app-secret", "one", 0600);
  const auto first = t.vault.Fetch(t.id)->version;
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  REQUIRE(utimensat(AT_FDCWD, (t.folder.path / "app-secret").c_str(), times, 0) == 0);
  CHECK(t.vault.Fetch(t.id)->version != first);
}

TEST_CASE("No descriptor stays open") {
  Mounted t;
  t.folder.Write("app-secret", "s3cret");
  const int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(before);
  for (int i = 0; i < 3; ++i) CHECK(t.Text() == "s3cret");
  t.folder.Write("app-secret", "", 0400);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(t.vault.Fetch(t.id).has_value());
  const int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(after);
  CHECK(after == before);
}
