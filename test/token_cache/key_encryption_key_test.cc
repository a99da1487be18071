#include "token_cache/key_encryption_key.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "test/fakes/fake_random.h"

using broker::ErrorCode, broker::Exit, broker::Secret;
using token_cache::DeriveKek, token_cache::GenerateKeyFile, token_cache::Kdf, token_cache::KdfKind,
    token_cache::KeySource, token_cache::OpenKeyFile, token_cache::ReadKey;

namespace {

class Memory {
 public:
  explicit Memory(const std::string& bytes, mode_t mode = 0600) : fd(memfd_create("key", 0)) {
    REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    REQUIRE(fchmod(fd, mode) == 0);
  }
  ~Memory() { close(fd); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  const int fd;
};

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "purser-kek-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

std::string Hex(const std::string& pair) {
  std::string out;
  for (int i = 0; i < 32; ++i) out += pair;
  return out;
}

}  // namespace

TEST_CASE("A key may be written in three ways, and anything else is not a key") {
  const std::string raw(32, 'A');
  const std::string base64 = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
  // clang-format off
  struct Row { const char* why; std::string bytes; bool is_key; };
  const Row rows[] = {
      {"32 raw bytes",                    raw,                    true},
      {"hexadecimal",                     Hex("41"),              true},
      {"hexadecimal and a newline",       Hex("41") + "\n",       true},
      {"base64",                          base64,                 true},
      {"base64 and a DOS newline",        base64 + "\r\n",        true},
      {"empty",                           "",                     false},
      {"31 raw bytes",                    std::string(31, 'A'),   false},
      {"raw bytes and a newline",         raw + "\n",             false},
      {"hexadecimal with a bad digit",    Hex("4g"),              false},
      {"hexadecimal, one digit short",    Hex("41").substr(1),    false},
      {"hexadecimal and more text",       Hex("41") + "\nx",      false},
      {"base64 with a bad character",     "!" + base64.substr(1), false},
      {"far too long",                    std::string(4096, '4'), false},
      {"all zero, as a fresh file is",    std::string(32, '\0'),  false},
      {"all zero in hexadecimal",         Hex("00"),              false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const Memory file(row.bytes);
    const auto key = ReadKey(file.fd, KeySource::kFile, "kek");
    CHECK(key.has_value() == row.is_key);
    if (key) CHECK(key->Expose(Exit::kTest) == raw);
    if (!key) CHECK(key.error().code == ErrorCode::kInvalidRequest);
  }
}

TEST_CASE("A key file that others may read is refused with the command that mends it") {
  for (const mode_t mode : {0640, 0604, 0660, 0644, 0601, 0620}) {
    CAPTURE(mode);
    const Memory file(Hex("41"), mode);
    const auto key = ReadKey(file.fd, KeySource::kFile, "/k/kek");
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().code == ErrorCode::kDenied);
    CHECK(key.error().detail.find("chmod 0600 /k/kek") != std::string::npos);
    CHECK(ReadKey(file.fd, KeySource::kSystemdCredential, "kek").has_value());
  }
  const Memory read_only(Hex("41"), 0400);
  CHECK(ReadKey(read_only.fd, KeySource::kFile, "kek").has_value());
}

TEST_CASE("Only a regular file holds a key") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  CHECK(ReadKey(ends[0], KeySource::kFile, "kek").error().code == ErrorCode::kInvalidRequest);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("A generated key file is private, readable and never overwritten") {
  const Folder folder;
  const std::string path = folder.path / "kek";
  FakeRandom random;
  REQUIRE(GenerateKeyFile(path, random).has_value());
  struct stat facts{};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  const auto fd = OpenKeyFile(path);
  REQUIRE(fd.has_value());
  CHECK(ReadKey(*fd, KeySource::kFile, path).has_value());
  close(*fd);
  CHECK(GenerateKeyFile(path, random).error().code == ErrorCode::kConflict);
}

TEST_CASE("A key file is not opened through a link, nor where there is none") {
  const Folder folder;
  FakeRandom random;
  REQUIRE(GenerateKeyFile(folder.path / "kek", random).has_value());
  std::filesystem::create_symlink(folder.path / "kek", folder.path / "link");
  CHECK(OpenKeyFile(folder.path / "link").error().code == ErrorCode::kDenied);
  CHECK(GenerateKeyFile(folder.path / "link", random).error().code == ErrorCode::kConflict);
  CHECK(OpenKeyFile(folder.path / "none").error().code == ErrorCode::kNotFound);
}

TEST_CASE("A passphrase gives the same key again, and another with another salt") {
  FakeRandom random;
  const Kdf kdf = token_cache::NewPassphraseKdf(random);
  CHECK(kdf.passes == Kdf::kPasses);
  Kdf quick = kdf;  // the constants are for attackers, not for tests
  quick.passes = 1;
  quick.memory_kib = Kdf::kMinMemoryKib;
  const auto words = Secret::CopyOf("correct horse battery staple");
  const auto key = DeriveKek(words, quick);
  REQUIRE(key.has_value());
  CHECK(key->size() == token_cache::kKeyBytes);
  CHECK(key->Equals(*DeriveKek(words, quick)));
  CHECK_FALSE(key->Equals(*DeriveKek(Secret::CopyOf("correct horse battery stable"), quick)));
  Kdf other = quick;
  other.salt[0] ^= 1;
  CHECK_FALSE(key->Equals(*DeriveKek(words, other)));
}

TEST_CASE("A derivation that purser would not write is refused") {
  const auto words = Secret::CopyOf("correct horse battery staple");
  const auto refused = [&](Kdf kdf) {
    return !kdf.IsWithinLimits() &&
           DeriveKek(words, kdf).error().code == ErrorCode::kInvalidRequest;
  };
  CHECK(refused({.kind = KdfKind::kArgon2id, .passes = 0, .memory_kib = 64}));
  CHECK(refused({.kind = KdfKind::kArgon2id, .passes = 17, .memory_kib = 64}));
  CHECK(refused({.kind = KdfKind::kArgon2id, .passes = 1, .memory_kib = 7}));
  CHECK(refused({.kind = KdfKind::kArgon2id, .passes = 1, .memory_kib = Kdf::kMaxMemoryKib + 1}));
  CHECK(refused({.kind = KdfKind::kNone, .passes = 1}));
  CHECK_FALSE(DeriveKek(words, Kdf{}).has_value());
  CHECK_FALSE(DeriveKek(Secret::CopyOf("fifteen letters"),
                        {.kind = KdfKind::kArgon2id, .passes = 1, .memory_kib = 64})
                  .has_value());
}
