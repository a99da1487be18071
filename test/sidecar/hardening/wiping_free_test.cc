#include "sidecar/hardening/wiping_free.h"

#include <doctest/doctest.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using sidecar::hardening::FreeWipes;

namespace {

constexpr size_t kCanaryBytes = 24;

// Written byte by byte into each block, and never as a whole anywhere else.
void WriteCanary(void* at) {
  auto* const bytes = static_cast<volatile unsigned char*>(at);
  for (size_t i = 0; i < kCanaryBytes; ++i)
    bytes[i] = static_cast<unsigned char>(0x5a ^ (i * 37 + 11));
}

bool IsCanary(const unsigned char* at) {
  for (size_t i = 0; i < kCanaryBytes; ++i) {
    if (at[i] != static_cast<unsigned char>(0x5a ^ (i * 37 + 11))) return false;
  }
  return true;
}

/// Canaries in all writable memory of this process, looked for in place.
size_t CountCanaries() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  size_t found = 0;
  while (std::getline(maps, line)) {
    unsigned long from = 0, to = 0;
    char mode[5] = {};
    // The kernel wrote these addresses, and they are this process's own.
    // NOLINTBEGIN(cert-err34-c,performance-no-int-to-ptr)
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, mode) != 3) continue;
    if (mode[0] != 'r' || mode[1] != 'w') continue;
    for (auto at = reinterpret_cast<const unsigned char*>(from);
         at + kCanaryBytes <= reinterpret_cast<const unsigned char*>(to); ++at) {
      const void* const next =
          std::memchr(at, 0x5a ^ 11, static_cast<size_t>(to - reinterpret_cast<uintptr_t>(at)));
      if (next == nullptr) break;
      at = static_cast<const unsigned char*>(next);
      if (at + kCanaryBytes <= reinterpret_cast<const unsigned char*>(to) && IsCanary(at)) ++found;
    }
    // NOLINTEND(cert-err34-c,performance-no-int-to-ptr)
  }
  return found;
}

char* Block(size_t size) {
  auto* const block = static_cast<char*>(std::malloc(size));
  REQUIRE(block != nullptr);
  WriteCanary(block);
  if (size >= 2 * kCanaryBytes) WriteCanary(block + size - kCanaryBytes);
  return block;
}

constexpr size_t kSizes[] = {24, 25, 100, 1000, 1032, 4096, 65536, 200000, 5000000};

}  // namespace

TEST_CASE("The search finds a canary that lives") {
  if (!FreeWipes()) return;  // a sanitizer's shadow memory cannot be searched
  char* const block = Block(100);
  CHECK(CountCanaries() == 2);
  std::memset(block, 0, 100);
  std::free(block);
}

TEST_CASE("What is freed is wiped, whichever way it was allocated and freed") {
  if (!FreeWipes()) return;
  for (const size_t size : kSizes) {
    CAPTURE(size);
    std::free(Block(size));
    void* aligned = std::aligned_alloc(256, (size + 255) / 256 * 256);
    WriteCanary(aligned);
    std::free(aligned);
    void* zeroed = std::calloc(1, size);
    WriteCanary(zeroed);
    std::free(zeroed);
    auto* const array = new char[size];
    WriteCanary(array);
    delete[] array;
    {
      std::string text(size, 'x');
      WriteCanary(text.data());
      text += text;  // leaves a block behind
    }
    CHECK(CountCanaries() == 0);
  }
}

TEST_CASE("realloc keeps the bytes and leaves none behind") {
  if (!FreeWipes()) return;
  for (const size_t from : kSizes) {
    for (const size_t to : kSizes) {
      CAPTURE(from);
      CAPTURE(to);
      auto* block = Block(from);
      std::memset(block + kCanaryBytes, 'y', from - kCanaryBytes);
      auto* const moved = static_cast<char*>(std::realloc(block, to));
      REQUIRE(moved != nullptr);
      block = moved;
      CHECK(malloc_usable_size(block) >= to);
      CHECK(IsCanary(reinterpret_cast<unsigned char*>(block)));
      for (size_t i = kCanaryBytes; i < std::min(from, to); i += 97) CHECK(block[i] == 'y');
      CHECK(CountCanaries() == 1);
      std::free(block);
      CHECK(CountCanaries() == 0);
    }
  }
  CHECK(std::realloc(Block(100), 0) == nullptr);
  void* const fresh = std::realloc(nullptr, 100);
  CHECK(fresh != nullptr);
  const volatile size_t too_many = SIZE_MAX / 2;  // out of the compiler's sight
  CHECK(reallocarray(fresh, too_many, 3) == nullptr);
  std::free(fresh);
  std::free(nullptr);
  CHECK(CountCanaries() == 0);
}

TEST_CASE("Memory of another library, and of threads that have ended, is wiped too") {
  if (!FreeWipes()) return;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      std::vector<char*> blocks;
      blocks.reserve(2000);
      for (size_t i = 0; i < 2000; ++i) blocks.push_back(Block(24 + i * 7 % 3000));
      for (char* block : blocks) std::free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  char* line = nullptr;  // grown by realloc inside libc, freed here
  size_t capacity = 0;
  std::string text(300, 'x');
  WriteCanary(text.data());
  for (size_t i = 0; i < kCanaryBytes; ++i) {
    if (text[i] == '\n') text[i] = 'n';
  }
  FILE* const file = fmemopen(text.data(), text.size(), "r");
  CHECK(getline(&line, &capacity, file) > 0);
  std::fclose(file);
  std::free(line);
  text = std::string();
  CHECK(CountCanaries() == 0);
}

TEST_CASE("The price is small (printed, not judged)") {
  using Clock = std::chrono::steady_clock;
  for (const size_t size : {size_t{64}, size_t{2048}, size_t{65536}}) {
    constexpr int kRounds = 200000;
    const auto start = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
      void* volatile block = std::malloc(size);
      std::free(block);
    }
    const auto spent = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    MESSAGE(size << " bytes: " << spent / kRounds << " ns for malloc and free");
  }
}
