// A folder with one store in it, for one test.
#pragma once
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "test/fakes/fake_random.h"
#include "test/fakes/fake_witness.h"
#include "token_cache/sealed_store.h"

#ifdef PURSER_SANITIZED
inline constexpr bool kSanitized = true;  // processes start ten times slower: sample, not all
#else
inline constexpr bool kSanitized = false;
#endif

class StoreFolder {
 public:
  StoreFolder() {
    // In memory where possible: these tests kill processes, not machines, and sync thousands of
    // times.
    const std::filesystem::path memory = "/dev/shm";
    const bool usable = access(memory.c_str(), W_OK) == 0;
    std::string pattern = (usable ? memory : std::filesystem::temp_directory_path()).string();
    pattern += "/purser-store-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~StoreFolder() { std::filesystem::remove_all(folder_); }
  StoreFolder(const StoreFolder&) = delete;
  StoreFolder& operator=(const StoreFolder&) = delete;

  [[nodiscard]] std::string path() const { return folder_ / "store.db"; }
  [[nodiscard]] std::string wal() const { return folder_ / "store.db-wal"; }

  void Initialise(char kek = 'k', const std::string& tenant = "tenant-a") {
    const auto made =
        token_cache::SealedStore::Initialise(path(), tenant, Kek(kek), token_cache::Kdf{}, random);
    REQUIRE(made.has_value());
  }
  broker::Result<std::unique_ptr<token_cache::SealedStore>> Open(
      const std::string& tenant = "tenant-a") {
    return token_cache::SealedStore::Open(path(), tenant, witness, random);
  }
  /// Opened and unsealed, with what the witness saw.
  broker::Result<std::unique_ptr<token_cache::SealedStore>> Unsealed(char kek = 'k') {
    auto store = Open();
    if (!store) return store;
    const auto unsealed = (*store)->Unseal(Kek(kek), bounds());
    if (!unsealed) return std::unexpected(unsealed.error());
    return store;
  }
  [[nodiscard]] token_cache::GenerationBounds bounds() const {
    return {.confirmed = witness.confirmed(), .intended = witness.intended()};
  }

  static broker::Secret Kek(char fill) { return broker::Secret::CopyOf(std::string(32, fill)); }
  static std::string Bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Overwrite(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    chmod(path.c_str(), 0600);
  }

  FakeRandom random;
  FakeWitness witness;

 private:
  std::filesystem::path folder_;
};

inline std::string Text(const broker::Secret& secret) {
  return std::string(secret.Expose(broker::Exit::kTest));
}
