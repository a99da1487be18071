#include <doctest/doctest.h>
#include <sys/mman.h>

#include <new>
#include <vector>

#include "test/sidecar/broker/seal_fixture.h"

using broker::ErrorCode, broker::Secret;
using seal_test::Life;
using namespace sidecar;

namespace {

ipc::Fd KeyFile(char key) {
  ipc::Fd fd(memfd_create("key", MFD_CLOEXEC));
  REQUIRE(fchmod(fd.get(), 0600) == 0);
  const std::string bytes(token_cache::kKeyBytes, key);
  REQUIRE(pwrite(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

}  // namespace

TEST_CASE("A full arena leaves the store closed and the process alive, and the next try opens it") {
  StoreFolder folder;
  folder.Initialise();
  Life life(folder);
  const ipc::Fd key = KeyFile('k');
  {
    std::vector<Secret> all;
    for (size_t size = size_t{1} << 20; size > 0;) {
      try {
        all.push_back(Secret::Allocate(size));
      } catch (const std::bad_alloc&) {
        size /= 2;
      }
    }
    const auto done = life.seal.UnsealFromDescriptor("file", key.get());
    REQUIRE_FALSE(done);
    CHECK(done.error().code == ErrorCode::kUnavailable);
    CHECK_FALSE(life.seal.usable());
    CHECK_FALSE(life.seal.trouble().empty());
  }
  CHECK(life.seal.UnsealFromDescriptor("file", key.get()));
  CHECK(life.seal.usable());
  CHECK(life.seal.trouble().empty());
  CHECK(life.seal.advice().empty());
}

TEST_CASE("A wrong key, no key, and what is no key leave the store closed") {
  StoreFolder folder;
  folder.Initialise();
  Life life(folder);
  CHECK_FALSE(life.seal.UnsealFromDescriptor("file", KeyFile('x').get()));
  CHECK_FALSE(life.seal.UnsealFromDescriptor("file", -1));
  CHECK_FALSE(life.seal.UnsealFromDescriptor("kept", KeyFile('k').get()));  // no memory of ours
  CHECK_FALSE(life.seal.UnsealFromDescriptor("kept-next", KeyFile('k').get()));
  CHECK_FALSE(life.seal.usable());
}

TEST_CASE("The advice of an interrupted rotation outlives the broker that gave it") {
  StoreFolder folder;
  folder.Initialise();
  std::pair<std::string, ipc::Fd> kept;
  {
    Life life(folder);
    REQUIRE(life.seal.UnsealFromDescriptor("next", KeyFile('k').get()));
    CHECK(life.seal.advice().find(".next") != std::string::npos);
    kept = life.Kept();
  }
  if (!kept.second.valid()) return;  // a kernel without memfd_secret
  CHECK(kept.first == "as-next");
  Life successor(folder);
  REQUIRE(successor.seal.UnsealFromDescriptor("kept-next", kept.second.get()));
  CHECK(successor.seal.advice().find(".next") != std::string::npos);
  CHECK(successor.Kept().first == "as-next");
}

TEST_CASE("A key that could not be kept shows where only an operator can bring it back") {
  StoreFolder folder;
  SUBCASE("a passphrase") {
    std::string typed = "correct horse battery staple";
    const Secret passphrase = Secret::TakeFrom(typed);
    const token_cache::Kdf kdf{.kind = token_cache::KdfKind::kArgon2id,
                               .passes = 1,
                               .memory_kib = token_cache::Kdf::kMinMemoryKib};
    const auto kek = token_cache::DeriveKek(passphrase, kdf);
    REQUIRE(kek);
    REQUIRE(
        token_cache::SealedStore::Initialise(folder.path(), "tenant-a", *kek, kdf, folder.random));
    Life life(folder, /*supervised=*/false);
    REQUIRE(life.seal.UnsealWithPassphrase(passphrase));
    CHECK(life.seal.advice().find("purser unseal") != std::string::npos);
  }
  SUBCASE("a key file is read again") {
    folder.Initialise();
    Life life(folder, /*supervised=*/false);
    REQUIRE(life.seal.UnsealFromDescriptor("file", KeyFile('k').get()));
    CHECK(life.seal.advice().empty());
  }
}
