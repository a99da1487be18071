// What the tests of Approvals ask: one agent that wants to send mail.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "broker/approvals.h"
#include "broker/ledger/entry_names.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_store.h"

namespace approvals_test {

/// Never the same bytes twice.
class CountingRandom final : public broker::Random {
 public:
  void Fill(std::span<std::byte> out) override {
    uint64_t number = ++next_;
    for (std::byte& b : out) {
      b = static_cast<std::byte>(number & 0xff);
      number >>= 8;
    }
  }

 private:
  uint64_t next_ = 0;
};

inline broker::policy::Facts Person(uint32_t uid, std::vector<uint32_t> groups = {},
                                    std::optional<uint32_t> loginuid = {}) {
  return {.uid = uid, .gid = uid, .groups = std::move(groups), .loginuid = loginuid};
}

constexpr uint32_t kAgentUser = 1000, kLead = 2001, kOtherLead = 2002, kLeads = 30;

struct Bench {
  FakeStore store;
  FakeLedger ledger;
  FakeClock clock;
  CountingRandom random;
  bool stopped = false;
  broker::policy::Credential credential{.name = "mail", .kind = "refresh-token", .user = "jo"};
  broker::policy::ApprovalTerms terms;
  broker::ledger::Entry entry;
  std::string exe = "/opt/agent", claims;
  std::vector<std::string> can_also;
  std::unique_ptr<broker::Approvals> approvals = Made();

  Bench() {
    entry.agent = "helpdesk";
    entry.caller = broker::ledger::CallerRecord{.uid = kAgentUser, .gid = kAgentUser, .pid = 77};
    entry.scopes = {"Mail.Send"};
    entry.target_resource = "https://graph.microsoft.com";
    entry.policy_rule = "send-mail";
    entry.credential_name = "mail";
    entry.claimed.purpose = "answer ticket 1042";
  }

  std::unique_ptr<broker::Approvals> Made() {
    return std::make_unique<broker::Approvals>(broker::Approvals::Ports{
        store, ledger, clock, random, [this](std::string_view) { return stopped; }});
  }
  /// As after a crash: what was in memory is gone.
  void Restart() {
    approvals = Made();
    REQUIRE(approvals->Load().has_value());
  }
  auto Ask(const std::string& wanted = {}) {
    return approvals->Ask({.entry = entry,
                           .terms = terms,
                           .credential = credential,
                           .exe = exe,
                           .claims = claims,
                           .can_also = can_also,
                           .wanted = wanted,
                           .alive = {}});
  }
  /// REQUIRES: it must wait. Its id.
  std::string Pending() {
    const auto got = Ask();
    REQUIRE_FALSE(got.has_value());
    REQUIRE(got.error().reason == broker::Reason::kApprovalPending);
    return got.error().approval->id;
  }
  std::expected<broker::Approval, broker::Refusal> Say(
      bool yes, const std::string& id, const broker::policy::Facts& person,
      const broker::policy::Person* signed_in = nullptr) {
    const auto found = approvals->Find(id);
    return SayOf(yes, id, found ? found->digest : "", person, {}, signed_in);
  }
  std::expected<broker::Approval, broker::Refusal> SayOf(
      bool yes, const std::string& id, const std::string& digest,
      const broker::policy::Facts& person, std::vector<uint32_t> asker_gids = {},
      const broker::policy::Person* signed_in = nullptr) {
    broker::ledger::Entry who;
    who.caller = broker::ledger::CallerRecord{.uid = person.uid};
    const broker::Approvals::Decision decision{.id = id,
                                               .digest = digest,
                                               .person = &person,
                                               .signed_in = signed_in,
                                               .asker_gids = std::move(asker_gids),
                                               .why = "because",
                                               .who = who};
    return yes ? approvals->Approve(decision) : approvals->Deny(decision);
  }
  /// REQUIRES: there is nothing but a refusal.
  broker::Reason Refused(const std::string& wanted = {}) {
    auto got = Ask(wanted);
    REQUIRE_FALSE(got.has_value());
    return got.error().reason;
  }
  /// Asks, and uses what it gets. What a release would follow.
  bool Uses() {
    auto pass = Ask();
    return pass && !approvals->Use(*pass);
  }
  std::vector<std::string> Types() const {
    std::vector<std::string> types;
    for (const auto& one : ledger.entries) {
      types.emplace_back(broker::ledger::EntryTypeName(one.type));
    }
    return types;
  }
};

}  // namespace approvals_test
