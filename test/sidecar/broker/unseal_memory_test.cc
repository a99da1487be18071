#include "sidecar/broker/unseal_memory.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

using broker::ErrorCode, broker::Exit, broker::Secret;
using sidecar::broker_role::KeepInMemfdSecret, sidecar::broker_role::ReadFromMemfdSecret;

TEST_CASE("A kept key is read by one broker after another, over a descriptor") {
  const auto kept = KeepInMemfdSecret(Secret::CopyOf("kek of thirty-two bytes, or more"));
  if (!kept) {
    CHECK(kept.error().code == ErrorCode::kUnavailable);
    MESSAGE("not run: ", kept.error().detail);
    return;
  }
  for (int broker = 0; broker < 3; ++broker) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const auto key = ReadFromMemfdSecret(kept->get());
      _exit(key && key->Expose(Exit::kTest) == "kek of thirty-two bytes, or more" ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
}

TEST_CASE("Other descriptors are not taken for a kept key") {
  const auto read = [](const std::string& bytes) {
    const sidecar::ipc::Fd fd(memfd_create("other", 0));
    REQUIRE(write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    return ReadFromMemfdSecret(fd.get()).error().code;
  };
  std::string wrong_size("PURSERKK\xff\xff\0\0\0\0\0\0", 16);
  wrong_size.resize(4096);
  for (const std::string& bytes : {std::string(), std::string(32, 'k'), std::string(4096, 'k'),
                                   std::string(8192, 'k'), wrong_size})
    CHECK(read(bytes) == ErrorCode::kCorrupt);
  CHECK(ReadFromMemfdSecret(-1).error().code == ErrorCode::kCorrupt);
}

TEST_CASE("More than a page is not kept") {
  CHECK(KeepInMemfdSecret(Secret::Allocate(4096)).error().code == ErrorCode::kInvalidRequest);
}
