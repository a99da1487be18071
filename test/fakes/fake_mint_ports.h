#pragma once
#include <string>

#include "broker/minter.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_http.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_random.h"
#include "test/fakes/fake_sleeper.h"
#include "test/fakes/fake_store.h"

/// All that a minter borrows, faked.
struct FakeMintPorts {
  broker::Minter::Ports ports() {
    return {http,    vault,   ledger,  clock, random,  sleeper, fingerprint_key,
            nullptr, nullptr, nullptr, &uses, &metrics};
  }

  FakeHttp http;
  FakeVault vault;
  FakeLedger ledger;
  FakeClock clock;
  broker::CredentialUses uses{clock};
  broker::Metrics metrics;
  FakeRandom random;
  FakeSleeper sleeper;
  broker::Secret fingerprint_key =
      broker::Secret::CopyOf(std::string(broker::Minter::kFingerprintKeyBytes, 'k'));
};
