// broker/broker.h: the whole story of a token request.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/approvals.h"
#include "broker/budgets.h"
#include "broker/kill_switch.h"
#include "broker/metrics.h"
#include "broker/minter.h"
#include "broker/notices.h"
#include "broker/outstanding.h"
#include "broker/policy/config.h"
#include "broker/policy/decide.h"
#include "broker/policy/facts.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/token_cache.h"
#include "broker/token_request.h"
#include "broker/waiting_requests.h"

namespace broker {

struct MintedTerms;
using SharedConfig = std::shared_ptr<const policy::Config>;

/// One attested connection.
struct Caller {
  std::string agent;  // as the supervisor matched it
  policy::Facts facts;
  // The process that connected still runs, and is still let in; empty: cannot be known.
  std::function<bool()> alive;
};

/// What is released, with the receipt of its ledger entry.
struct IssuedToken {
  SharedToken token;  // null after a dry run
  std::vector<std::string> rules;
  LedgerReceipt receipt;
  bool waits = false;  // a dry run: a person would have to approve it
};

/// A refusal with the receipt of its entry, where it could be written.
struct Denied {
  Refusal refusal;
  std::optional<LedgerReceipt> receipt;
};

/// Decides, mints, checks, records, releases: in this order. Thread-safe. No thread waits for the
/// ledger: what follows an entry is done when it is durable.
class Broker {
 public:
  using Job = std::move_only_function<void()>;
  /// Called once, from whichever thread saw the entry become durable. Must not block.
  using Answer = std::move_only_function<void(std::expected<IssuedToken, Denied>)>;

  struct Ports {
    TokenCache& cache;
    Minter& minter;
    LedgerSink& ledger;
    const Clock& clock;
    std::function<bool()> unsealed;  // the store of secrets can be read
    std::function<bool(Job)> wait;   // runs it on a thread that may wait; false: there is no room
    Metrics* metrics = nullptr;      // null: nothing is counted
    const Revocations* revocations = nullptr;  // null: no credential is revoked
    Approvals* approvals = nullptr;            // null: what waits for one is refused
  };
  Broker(Ports ports, SharedConfig config);

  /// POST /v1/token. The token is answered only after its `token.issued` entry is durable (promise
  /// 2); every refusal has its `token.denied` entry. Does not block: without a cached token Entra
  /// is asked on a thread of Ports::wait. What waits for approval is answered with
  /// kApprovalPending, as long as the request says later than at once. REQUIRES: `caller` lives
  /// until `answer` was called.
  void IssueToken(const Caller& caller, const TokenRequest& request, const std::string& request_id,
                  Answer answer);

  /// The window refused the bytes before there was a request to decide on; answers with a Denied.
  void RecordRejected(const Caller& caller, Reason reason, const std::string& request_id,
                      Answer answer);

  /// Mints anew for a key whose token is in use and due for renewal. Nothing is released.
  MintResult Renew(const TokenKey& key);

  /// A real token request for the credential as configured; the token is dropped. For `doctor`.
  MintResult Try(const std::string& credential, const ledger::Entry& who);

  /// How many requests the agent could make now; nothing where it has no limit.
  std::optional<uint32_t> RemainingBudget(const std::string& agent);
  Budgets& budgets() { return budgets_; }

  /// Stops the agent, or all agents where the name is empty. When it returns, every decision that
  /// follows refuses with kKilled, whoever waited for a token is refused, and the tokens kept for
  /// the agent's rules are wiped. Asks nobody and records nothing: that is the caller's to do,
  /// next.
  void Stop(const std::string& agent);
  KillSwitch& kills() { return kills_; }
  /// What no stop takes back.
  Outstanding& outstanding() { return outstanding_; }
  Notices& notices() { return notices_; }

  /// The configuration of decisions from now on.
  void SetConfig(SharedConfig config);
  SharedConfig config() const;

 private:
  struct Pending;
  [[nodiscard]] bool IsRevoked(const Pending& pending) const;
  std::optional<Refusal> TakeBudget(const Pending& pending);
  std::optional<Refusal> Authorize(Pending& pending, const TokenRequest& request);
  void DropRefused(const Pending& pending);
  void DropMismatched(const Pending& pending, MintedTerms terms);
  void Wait(Pending& pending);
  using Step = void (Broker::*)(std::unique_ptr<Pending>);
  void Start(std::unique_ptr<Pending> pending, Step step);
  void Gate(std::unique_ptr<Pending> pending);
  std::expected<ApprovalPass, Refusal> Approved(Pending& pending);
  std::optional<Refusal> VerifyUser(Pending& pending);
  std::optional<Refusal> TakeUse(Pending& pending);
  void Notify(const Pending& pending, uint64_t seq);
  void Mint(std::unique_ptr<Pending> pending);
  MintResult TokenFor(Pending& pending);
  MintResult MintFit(const policy::Config& config, const policy::Credential& credential,
                     const TokenKey& key, const ledger::Entry& who,
                     const Secret* user_assertion = nullptr);
  void Release(std::unique_ptr<Pending> pending);
  void Deny(Pending pending, Refusal refusal);
  void Deny(ledger::Entry entry, Refusal refusal, Answer answer);

  Ports ports_;
  Budgets budgets_;
  KillSwitch kills_;
  WaitingRequests waiting_;
  Outstanding outstanding_;
  Notices notices_;
  mutable std::mutex mutex_;
  SharedConfig config_;
};

}  // namespace broker
