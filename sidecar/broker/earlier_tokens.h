// sidecar/broker/earlier_tokens.h: what a broker before this one released, from the ledger.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/log.h"
#include "broker/outstanding.h"
#include "sidecar/broker/workers.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// One answer of the ledger: tokens that may be alive outside.
struct EarlierPage {
  struct Token {
    std::string fingerprint;
    broker::LiveToken token;
  };
  std::vector<Token> tokens;
  uint64_t next = 0;      // to be asked for behind this entry
  bool archived = false;  // entries that are young enough are in the archive
};

/// The answer to kReadAudit{after}. The ledger is another process: nothing of it is believed to be
/// well-formed. `now` in seconds since the epoch. Pure. Errors: kCorrupt.
broker::Result<EarlierPage> ParseEarlier(std::string_view body, uint64_t after, int64_t now);

/// Reads them once, in the background, and again after a failure. Thread-safe. Borrows what the
/// ports refer to.
class EarlierTokens {
 public:
  // A page is up to 2 MiB of the ledger: 40 GB, of a day or two. What is beyond is said to be
  // unknown.
  static constexpr int kMaxPages = 20'000;

  struct Ports {
    std::function<broker::Result<ipc::LedgerState>()> ledger;
    std::function<broker::Result<ipc::Fd>()> open;  // LedgerClient::OpenReader
    broker::Outstanding& known;
    const broker::Clock& clock;
    const broker::Log& log;
    std::function<bool(Workers::Job)> start;
  };
  explicit EarlierTokens(Ports ports) : ports_(std::move(ports)) {}

  /// Begins, unless it is done or under way. Does not wait. To be called again from time to time.
  void Begin();
  /// All of it, now. Errors: kUnavailable · kCorrupt; what was read until then is known all the
  /// same.
  broker::Status Read();

 private:
  void Run();
  broker::Result<EarlierPage> Ask(int channel, uint64_t after) const;

  const Ports ports_;
  std::atomic<bool> begun_ = false;
};

}  // namespace sidecar::broker_role
