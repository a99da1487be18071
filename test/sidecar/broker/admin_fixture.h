// What the tests of the operator's socket share.
#pragma once
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sidecar/broker/admin_service.h"
#include "test/fakes/fake_app_registration.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_token_cache.h"

namespace admin_test {

using namespace sidecar::broker_role;
using broker::ErrorCode, broker::Secret;
using nlohmann::json;
using sidecar::ipc::MessageType;

inline constexpr const char* kTenant = "8f0c1e5e-0000-4000-8000-000000000001";
inline const Peer kOperator{{"", {.uid = 5, .gid = 5, .groups = {10}}, {}}, true};
inline const Peer kAuditor{{"", {.uid = 6, .gid = 6, .groups = {30}}, {}}, true};
inline const Peer kStranger{{"", {.uid = 7, .gid = 7}, {}}, true};

/// One of each kind that an operator enrols.
inline broker::policy::Config ThreeCredentials() {
  broker::policy::Config config;
  config.instance.name = "test";
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com",
                   "https://graph.microsoft.com"};
  config.admin.operator_gids = {10};
  config.admin.auditor_gids = {30};
  for (const char* kind : {"refresh-token", "client-secret", "certificate"}) {
    config.credentials[kind] = {.name = kind,
                                .kind = kind,
                                .client_id = "22222222-0000-4000-8000-000000000003",
                                .scopes = {"Mail.Read"}};
  }
  return config;
}

/// The service with every port faked.
struct Fixture : FakeMintPorts {
  FakeTokenCache cache;
  broker::Revocations revocations;
  RevokedCredentials revoked{vault.store, revocations};
  std::map<std::string, std::string> notes;  // of the store, by name
  TimedRoles timed_roles{{vault.store, ledger, clock,
                          [this](const char* name) -> broker::Result<std::string> {
                            const auto note = notes.find(name);
                            if (note != notes.end()) return note->second;
                            return broker::Fail(ErrorCode::kNotFound, "fake");
                          },
                          [this](const char* name, const std::string& text) -> broker::Status {
                            notes[name] = text;
                            return {};
                          }}};
  broker::Minter::Ports minter_ports{WithRevocations()};
  broker::Minter minter{minter_ports};
  broker::Broker broker{
      {cache, minter, ledger, clock, [] { return true; }, {}, &metrics, &revocations},
      std::make_shared<const broker::policy::Config>(ThreeCredentials())};
  broker::Approvals approvals{
      {vault.store, ledger, clock, random, [](std::string_view) { return false; }}};
  std::vector<std::string> done;  // what reached another process
  bool latched = false;
  bool torn_down = false;             // a teardown was begun, as purserd notes it
  bool purserd_answers = true;        // what concerns that
  std::vector<std::string> archives;  // the ledger's answers, in order
  FakeAppRegistration entra{false};
  broker::Rotations rotations{
      {.journal = vault.store,
       .vault = vault,
       .ledger = ledger,
       .clock = clock,
       .random = random,
       .config = [this] { return broker.config(); },
       .usable = [] { return true; },
       .registration = [this](const auto&, const auto&,
                              const auto&) { return std::make_unique<FakeAppRegistration>(entra); },
       .redeem = [](const auto&, const auto&) -> broker::MintResult {
         return broker::Refuse(broker::Reason::kLoginRequired, "log in");
       },
       .switched = [](const broker::RotationView&) {},
       .revocations = &revocations}};
  AdminService service{Ports()};

  broker::Minter::Ports WithRevocations() {
    broker::Minter::Ports made = ports();
    made.revocations = &revocations;
    return made;
  }
  AdminPorts Ports() {
    return {.broker = broker,
            .minter_ports = minter_ports,
            .minter = minter,
            .cache = cache,
            .store = vault.store,
            .rotations = rotations,
            .uses = uses,
            .keep_uses = [this]() -> broker::Status {
              done.push_back("keep:" + uses.Kept());
              return {};
            },
            .metrics = metrics,
            .revoked = revoked,
            .timed_roles = timed_roles,
            .approvals = approvals,
            .keep_budgets = []() -> broker::Status { return {}; },
            .unseal = [this](const Secret& typed) -> broker::Status {
              done.emplace_back("unseal");
              if (typed.Expose(broker::Exit::kTest) == "right") return {};
              return broker::Fail(ErrorCode::kDenied, "wrong passphrase");
            },
            .rotate_seal = [this](const auto&, const Secret&) -> broker::Result<uint64_t> {
              done.emplace_back("rotate");
              return 3;
            },
            .store_trouble = [] { return std::string(); },
            .accept_restored = [this]() -> broker::Status {
              done.emplace_back("restore");
              return {};
            },
            .ledger_state = [this] { return State(); },
            .resume_ledger =
                [this] {
                  done.emplace_back("resume");
                  return State();
                },
            .archive_ledger = [this](const std::string& order) -> broker::Result<std::string> {
              done.push_back("archive:" + order);
              if (archives.empty()) return broker::Fail(broker::ErrorCode::kUnavailable, "gone");
              std::string answer = archives.front();
              archives.erase(archives.begin());
              return answer;
            },
            .ask_supervisor = [this](MessageType type,
                                     const std::string& text) -> broker::Result<std::string> {
              if (type == MessageType::kReloadRequest) done.push_back("reload:" + text);
              if (type == MessageType::kDestroyKeys) {
                if (!purserd_answers) return broker::Fail(broker::ErrorCode::kUnavailable, "gone");
                const bool again = torn_down;
                torn_down = torn_down || json::parse(text)["step"] == "begin";
                return json{{"begun", torn_down}, {"again", again}}.dump();
              }
              return R"({"ok":true})";
            },
            .readiness = [] { return Readiness{}; }};
  }
  broker::Result<sidecar::ipc::LedgerState> State() const {
    return sidecar::ipc::LedgerState{.latched = latched, .latch_reason = "sync failed: EIO"};
  }

  struct Reply {
    int status;
    json body;
    std::string reason() const { return body.value("reason", ""); }
  };
  Reply Ask(const Peer& peer, std::string method, std::string path, std::string body = {}) {
    std::string request, answer;
    sidecar::ipc::Encode(
        sidecar::ipc::AdminRequest{"req-1", std::move(method), std::move(path), std::move(body)},
        &request);
    service.Handle(peer, request, &answer);
    const auto decoded = sidecar::ipc::DecodeAnswer(answer);
    REQUIRE(decoded.has_value());
    return {decoded->status, json::parse(decoded->body)};
  }
  // The body that `purser` would send.
  std::string Sealed(std::string_view plain) {
    const std::string key = Ask(kOperator, "GET", "/v1/seal-key").body["public_key"];
    return json{{"sealed", *broker::SealTo(key, Secret::CopyOf(plain))}}.dump();
  }
};

}  // namespace admin_test
