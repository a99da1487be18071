// test/sidecar/broker/seal_fixture.h: one life of a broker as far as the seal of its store goes.
#pragma once
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "sidecar/broker/seal_control.h"
#include "test/token_cache/store_folder.h"

namespace seal_test {

namespace ipc = sidecar::ipc;
using sidecar::broker_role::SealControl, sidecar::broker_role::SealVault,
    sidecar::broker_role::SupervisorLink;

/// A ledger that answers each question with what the store's witness saw.
class AnsweringLedger {
 public:
  explicit AnsweringLedger(const FakeWitness& witness) {
    auto [near, far] = *ipc::MakePair();
    client.Reset(std::move(near));
    thread_ = std::jthread([&witness, channel = std::move(far)] {
      ipc::Message question;
      while (ipc::Receive(channel.get(), &question)) {
        std::string answer;
        Encode(ipc::LedgerState{.store_intended = witness.intended(),
                                .store_confirmed = witness.confirmed()},
               &answer);
        if (!ipc::Send(channel.get(), answer)) return;
      }
    });
  }
  ~AnsweringLedger() { client.Reset(ipc::Fd()); }
  ipc::LedgerClient client;

 private:
  std::jthread thread_;
};

struct Life {
  explicit Life(StoreFolder& folder, bool supervised = true, SealVault* vault = nullptr)
      : store(*folder.Open()),
        ledger(folder.witness),
        link(supervised ? pair.second.get() : -1),
        seal({*store, ledger.client, link, folder.random, vault}, [] { return broker::Status{}; }) {
  }

  /// What the supervisor was given to keep last: its word and its descriptor.
  std::pair<std::string, ipc::Fd> Kept() {
    ipc::Message message;
    std::pair<std::string, ipc::Fd> last{"nothing", ipc::Fd()};
    while (ipc::Receive(pair.first.get(), &message, /*nonblocking=*/true)) {
      last = {ipc::DecodeText(message.bytes)->text, std::move(message.fds.at(0))};
    }
    return last;
  }

  std::pair<ipc::Fd, ipc::Fd> pair = *ipc::MakePair();
  std::unique_ptr<token_cache::SealedStore> store;
  AnsweringLedger ledger;
  SupervisorLink link;
  SealControl seal;
};

}  // namespace seal_test
