// Kills the process at every write of an operation, and looks at what is left.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <functional>
#include <new>

#include "test/token_cache/sqlite_calls.h"
#include "test/token_cache/store_folder.h"
#include "token_cache/sealed_store.h"

using broker::Secret, broker::SecretId, broker::SecretKind, broker::Status;
using token_cache::SealedStore;

namespace {

const SecretId kMail{"aid-mail", SecretKind::kRefreshToken};

SecretId Id(int n) { return {"credential-" + std::to_string(n), SecretKind::kRefreshToken}; }

/// What a ledger in another process would still know after the kill.
struct Ledger {
  std::atomic<uint64_t> intended{0};
  std::atomic<uint64_t> confirmed{0};
  std::atomic<bool> acknowledged{false};  // the operation had returned
};

class LedgerWitness final : public broker::StoreWitness {
 public:
  LedgerWitness()
      : ledger_(new(mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Ledger) {}
  ~LedgerWitness() override { munmap(ledger_, sizeof(Ledger)); }
  Status Intend(uint64_t generation, const SecretId&, uint64_t) override {
    ledger_->intended = generation;
    return {};
  }
  Status Confirm(uint64_t generation, const SecretId&, uint64_t) override {
    ledger_->confirmed = generation;
    return {};
  }
  Ledger& ledger() { return *ledger_; }
  token_cache::GenerationBounds bounds() {
    return {.confirmed = ledger_->confirmed, .intended = ledger_->intended};
  }

 private:
  Ledger* ledger_;
};

/// A store in which `prepare` has run, once; each attempt then gets a copy of its files.
struct Scenario {
  std::function<void(SealedStore&, const std::string& wal)> prepare;
  std::function<bool(SealedStore&)> operate;
  /// Looks at a store after a crash. `key` opened it.
  std::function<void(SealedStore&, char key, bool acknowledged)> inspect;
};

class Attempts {
 public:
  explicit Attempts(Scenario scenario) : scenario_(std::move(scenario)) {
    folder_.Initialise();
    auto store = SealedStore::Open(folder_.path(), "tenant-a", before_, folder_.random);
    REQUIRE(store.has_value());
    REQUIRE((*store)->Unseal(StoreFolder::Kek('k'), {}).has_value());
    scenario_.prepare(**store, folder_.wal());
    database_ = StoreFolder::Bytes(folder_.path());  // as a crash would leave them
    log_ = StoreFolder::Bytes(folder_.wal());
  }

  /// Runs the operation, killed at each of its writes in turn; returns how many there were.
  size_t Run(bool torn) {
    SqliteCalls::Install();
    for (size_t kill_at = 1;; kill_at += kSanitized ? 7 : 1) {
      CAPTURE(kill_at);
      CAPTURE(torn);
      StoreFolder::Overwrite(folder_.path(), database_);
      StoreFolder::Overwrite(folder_.wal(), log_);
      LedgerWitness witness;
      witness.ledger().intended = before_.bounds().intended;
      witness.ledger().confirmed = before_.bounds().confirmed;
      const bool died = Operate(witness, kill_at, torn);
      Inspect(witness);
      if (!died) return kill_at - 1;
    }
  }
  /// Whether an operation copied the log into the database.
  [[nodiscard]] bool saw_checkpoint() const { return saw_checkpoint_; }

 private:
  bool Operate(LedgerWitness& witness, size_t kill_at, bool torn) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto store = SealedStore::Open(folder_.path(), "tenant-a", witness, folder_.random);
      if (!store || !(*store)->Unseal(StoreFolder::Kek('k'), witness.bounds())) _exit(1);
      SqliteCalls::Instance() = {.kill_at = kill_at, .torn = torn};
      if (!scenario_.operate(**store)) _exit(2);
      witness.ledger().acknowledged = true;
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    CHECK((died || status == 0));
    saw_checkpoint_ =
        saw_checkpoint_ || StoreFolder::Bytes(folder_.path()).size() > database_.size();
    return died;
  }

  void Inspect(LedgerWitness& witness) {
    char opened_with = 0;
    for (const char key : {'k', 'n'}) {
      auto store = SealedStore::Open(folder_.path(), "tenant-a", witness, folder_.random);
      REQUIRE(store.has_value());
      const auto unsealed = (*store)->Unseal(StoreFolder::Kek(key), witness.bounds());
      if (!unsealed) {
        CHECK(unsealed.error().code == broker::ErrorCode::kDenied);  // never taken for tampering
        continue;
      }
      CHECK(opened_with == 0);  // never both
      opened_with = key;
      scenario_.inspect(**store, key, witness.ledger().acknowledged);
      if ((*store)->rotation_pending() || key == 'n') break;
    }
    CHECK(opened_with != 0);
  }

  Scenario scenario_;
  StoreFolder folder_;
  LedgerWitness before_;
  std::string database_, log_;
  bool saw_checkpoint_ = false;
};

}  // namespace

TEST_CASE("Killed at any write of a Put, the store holds the old secret or the new one") {
  for (const bool torn : {false, true}) {
    bool saw_old = false, saw_new = false;
    Attempts attempts({
        .prepare = [](SealedStore& store,
                      const std::string&) { REQUIRE(store.Put(kMail, Secret::CopyOf("old"), 0)); },
        .operate =
            [](SealedStore& store) {
              return store.Put(kMail, Secret::CopyOf("new"), 1).has_value();
            },
        .inspect =
            [&](SealedStore& store, char, bool acknowledged) {
              const auto got = store.Get(kMail);
              REQUIRE(got.has_value());
              const std::string text = Text(got->value);
              CHECK((text == "new" ? got->version == 2 : text == "old" && got->version == 1));
              CHECK((!acknowledged || text == "new"));
              (text == "new" ? saw_new : saw_old) = true;
              CHECK(store.Put(kMail, Secret::CopyOf("next"), got->version).has_value());
            },
    });
    CHECK(attempts.Run(torn) > 0);
    CHECK((saw_old || kSanitized));
    CHECK(saw_new);
  }
}

TEST_CASE("Killed while the log is copied into the database, nothing is lost") {
  constexpr size_t kNearlyFull =
      size_t{240} * 4096;  // it is copied when it has more than 256 pages
  constexpr int kReplaced = 8;
  int secrets = 0;
  const auto value = [](char fill) { return Secret::CopyOf(std::string(12000, fill)); };
  Attempts attempts({
      .prepare =
          [&](SealedStore& store, const std::string& wal) {
            while (std::filesystem::file_size(wal) < kNearlyFull)
              REQUIRE(store.Put(Id(secrets++), value('o'), 0).has_value());
          },
      .operate =
          [&](SealedStore& store) {
            for (int n = 0; n < kReplaced; ++n) {
              if (!store.Put(Id(n), value('n'), 1)) return false;
            }
            return true;
          },
      .inspect =
          [&](SealedStore& store, char, bool acknowledged) {
            bool older = false;
            for (int n = 0; n < secrets; ++n) {
              const auto got = store.Get(Id(n));
              REQUIRE(got.has_value());
              const bool is_new = got->version == 2;
              CHECK(got->value.Equals(value(is_new ? 'n' : 'o')));
              CHECK((!is_new || !older));  // in the order in which they were put
              older = older || !is_new;
              CHECK((!acknowledged || is_new || n >= kReplaced));
            }
          },
  });
  CHECK(attempts.Run(/*torn=*/true) > 50);
  CHECK(attempts.saw_checkpoint());
}

TEST_CASE("Killed at any write of a rotation, one key opens everything, and it can be finished") {
  for (const bool torn : {false, true}) {
    bool saw_old_key = false, saw_pending = false, saw_done = false;
    Attempts attempts({
        .prepare =
            [](SealedStore& store, const std::string&) {
              for (int n = 0; n < 5; ++n)
                REQUIRE(store.Put(Id(n), Secret::CopyOf("secret " + std::to_string(n)), 0));
              REQUIRE(store.PutMarker("head", "helpdesk 3 dd").has_value());
            },
        .operate =
            [](SealedStore& store) {
              return store.RotateSeal(StoreFolder::Kek('n'), {}).has_value();
            },
        .inspect =
            [&](SealedStore& store, char key, bool acknowledged) {
              (key == 'k' ? saw_old_key : store.rotation_pending() ? saw_pending : saw_done) = true;
              CHECK((!acknowledged || (key == 'n' && !store.rotation_pending())));
              for (const bool finished : {false, true}) {
                for (int n = 0; n < 5; ++n) {
                  const auto got = store.Get(Id(n));
                  REQUIRE(got.has_value());
                  CHECK(Text(got->value) == "secret " + std::to_string(n));
                }
                CHECK(store.GetMarker("head").value() == "helpdesk 3 dd");
                if (!finished) CHECK(store.ResumeRotation().has_value());
              }
              CHECK_FALSE(store.rotation_pending());
            },
    });
    CHECK(attempts.Run(torn) > 20);
    CHECK((saw_old_key || kSanitized));
    CHECK(saw_pending);
    CHECK(saw_done);
  }
}

TEST_CASE("Killed at any write of Initialise, there is no store or a whole one") {
  SqliteCalls::Install();
  for (size_t kill_at = 1;; ++kill_at) {
    CAPTURE(kill_at);
    StoreFolder folder;
    const auto initialise = [&] {
      return SealedStore::Initialise(folder.path(), "tenant-a", StoreFolder::Kek('k'), {},
                                     folder.random)
          .has_value();
    };
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      SqliteCalls::Instance() = {.kill_at = kill_at};
      _exit(initialise() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (std::filesystem::exists(folder.path())) {
      CHECK(folder.Unsealed().has_value());
    } else {
      CHECK(initialise());  // what the dead one left behind is no obstacle
    }
    if (WIFEXITED(status)) {
      CHECK(WEXITSTATUS(status) == 0);
      break;
    }
  }
}

TEST_CASE("After Open no call takes a path, as the filter demands") {
  SqliteCalls::Install();
  StoreFolder folder;
  folder.Initialise();
  const auto store = folder.Unsealed();
  REQUIRE(store.has_value());
  SqliteCalls::Instance() = {};
  for (int n = 0; n < 300; ++n)
    REQUIRE((*store)->Put(Id(n % 20), Secret::CopyOf("x"), std::nullopt).has_value());
  CHECK((*store)->RotateSeal(StoreFolder::Kek('n'), {}).has_value());
  CHECK((*store)->List().has_value());
  CHECK(SqliteCalls::Instance().changes > 600);
  CHECK(SqliteCalls::Instance().paths == 0);
}
