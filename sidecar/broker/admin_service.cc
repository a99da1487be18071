#include "sidecar/broker/admin_service.h"

#include <array>
#include <utility>

#include "broker/base/inert_text.h"
#include "broker/base/strict_json.h"
#include "broker/caller_record.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

using broker::Reason, broker::Refusal, broker::Refuse;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;

/// One row: who may, and what the ledger is to know of it.
struct AdminService::Route {
  enum class Trace {
    kNone,    // it only looks
    kAction,  // its intent, before it runs, and its outcome
    kOwn,     // the handler writes its entry
  };
  std::string_view method;
  std::string_view path;  // "{}" stands for one segment
  AdminRole needed;
  Trace trace;
  std::vector<std::string_view> fields;  // of the body; all required but those that end with '?'
  Outcome (AdminService::*handler)(const Call&);
  bool person = false;    // [admin] require_person is about it
  bool standing = false;  // who holds the role for a time is not enough
};

const std::vector<AdminService::Route>& AdminService::Routes() {
  using enum AdminRole;
  using enum Route::Trace;
  // clang-format off
  static const std::vector<Route> routes = {
      {"GET",  "/v1/status",                          kAuditor,  kNone,   {},                         &AdminService::Status},
      {"GET",  "/readyz",                             kAnyone,   kNone,   {},                         &AdminService::Ready},
      {"GET",  "/v1/agents",                          kAuditor,  kNone,   {},                         &AdminService::Agents},
      {"GET",  "/v1/agents/{}/budget",                kAuditor,  kNone,   {},                         &AdminService::ShowBudget},
      {"POST", "/v1/agents/{}/budget",                kOperator, kOwn,    {"rule?", "kind?", "count", "why", "seconds?"}, &AdminService::RaiseBudget},
      {"GET",  "/v1/credentials",                     kAuditor,  kNone,   {},                         &AdminService::Credentials},
      {"GET",  "/metrics",                            kAuditor,  kNone,   {},                         &AdminService::ShowMetrics},
      {"POST", "/v1/sign-ins",                        kAnyone,   kOwn,    {},                         &AdminService::StartSignIn},
      {"POST", "/v1/sign-ins/{}",                     kAnyone,   kNone,   {},                         &AdminService::PollSignIn},
      {"POST", "/v1/sign-out",                        kAnyone,   kOwn,    {},                         &AdminService::SignOut},
      {"POST", "/v1/sign-out/others",                 kOperator, kOwn,    {"oid?", "all?", "why?"},   &AdminService::SignOutOthers},
      {"GET",  "/v1/roles",                           kAnyRole,  kNone,   {},                         &AdminService::ShowRoles},
      {"POST", "/v1/roles",                           kOperator, kOwn,    {"uid?", "oid?", "role", "seconds", "why"}, &AdminService::GiveRole, true, true},
      {"POST", "/v1/roles/end",                       kOperator, kOwn,    {"uid?", "oid?", "role", "why?"}, &AdminService::EndRole},
      {"GET",  "/v1/seal-key",                        kOperator, kNone,   {},                         &AdminService::SealKey},
      {"POST", "/v1/reload",                          kOperator, kAction, {"dry_run?"},               &AdminService::Reload},
      {"POST", "/v1/credentials/{}/login",            kOperator, kAction, {},                         &AdminService::StartLogin},
      {"POST", "/v1/credentials/{}/login/browser",    kOperator, kAction, {"port", "login_hint?"},    &AdminService::OpenLogin},
      {"POST", "/v1/credentials/{}/login/redirect",   kOperator, kAction, {"id", "sealed"},           &AdminService::FinishLogin},
      {"GET",  "/v1/logins/{}",                       kOperator, kNone,   {},                         &AdminService::PollLogin},
      {"PUT",  "/v1/credentials/{}/secret",           kOperator, kAction, {"sealed", "expires?"},     &AdminService::SetSecret},
      {"POST", "/v1/credentials/{}/rotate",           kOperator, kAction, {"dry_run?", "client_secret?", "grace?", "object_id?", "key_id?"}, &AdminService::Rotate},
      {"GET",  "/v1/credentials/{}/rotation",         kAuditor,  kNone,   {},                         &AdminService::ShowRotation},
      {"POST", "/v1/unseal",                          kOperator, kAction, {"sealed"},                 &AdminService::Unseal},
      {"POST", "/v1/seal/rotate",                     kOperator, kAction, {"sealed?"},                &AdminService::RotateSeal},
      {"POST", "/v1/ledger/resume",                   kOperator, kAction, {},                         &AdminService::ResumeLedger},
      {"POST", "/v1/ledger/archive",                  kOperator, kAction, {"before", "dry_run?"},     &AdminService::ArchiveLedger},
      {"POST", "/v1/restore",                         kOperator, kAction, {"why"},                    &AdminService::AcceptRestored, true},
      {"POST", "/v1/kill",                            kOperator, kOwn,    {"agent?", "all?", "why?"}, &AdminService::Kill},
      {"POST", "/v1/release",                         kOperator, kOwn,    {"agent?", "all?", "credential?", "why"}, &AdminService::Release, true},
      {"POST", "/v1/revoke",                          kOperator, kOwn,    {"credential?", "agent?", "token_seq?", "why?", "upstream?"}, &AdminService::Revoke},
      {"POST", "/v1/upstream",                        kOperator, kOwn,    {"agent?", "all?"},         &AdminService::Upstream},
      {"GET",  "/v1/teardown",                        kAuditor,  kNone,   {},                         &AdminService::ShowTeardown},
      {"POST", "/v1/teardown",                        kOperator, kOwn,    {"instance?", "why?", "dry_run?", "skip_upstream?", "even_if_upstream_failed?"}, &AdminService::TearDown},
      {"GET",  "/v1/approvals",                       kAnyRole,  kNone,   {},                         &AdminService::ListApprovals},
      {"POST", "/v1/approvals/{}/approve",            kApprover, kOwn,    {"digest", "why?"},         &AdminService::Approve, true},
      {"POST", "/v1/approvals/{}/deny",               kApprover, kOwn,    {"digest", "why?"},         &AdminService::DenyApproval},
      {"POST", "/v1/doctor/credentials/{}",           kOperator, kAction, {},                         &AdminService::TryCredential},
      {"POST", "/v1/doctor/hosts",                    kOperator, kAction, {},                         &AdminService::TryHosts},
  };
  // clang-format on
  return routes;
}

namespace {

// Matches a literal path with at most one "{}"; gives what stands there.
bool Matches(std::string_view pattern, std::string_view path, std::string* argument) {
  const size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == path;
  const std::string_view tail = pattern.substr(hole + 2);
  if (!path.starts_with(pattern.substr(0, hole)) || !path.ends_with(tail)) return false;
  if (path.size() <= hole + tail.size()) return false;
  *argument = path.substr(hole, path.size() - hole - tail.size());
  return argument->find('/') == std::string::npos;
}

// The body of a route: an object with exactly the fields of its row.
AdminService::Outcome ParseBody(const std::string& text,
                                const std::vector<std::string_view>& fields) {
  auto body = text.empty() ? broker::Result<json>(json::object()) : broker::ParseStrictJson(text);
  if (!body || !body->is_object()) return Refuse(Reason::kMalformedJson);
  size_t known = 0;
  for (const std::string_view field : fields) {
    const bool optional = field.ends_with('?');
    const std::string name(field.substr(0, field.size() - (optional ? 1 : 0)));
    known += body->contains(name) ? 1 : 0;
    if (!optional && !body->contains(name))
      return Refuse(Reason::kMissingField, "Send " + name + ".");
  }
  if (known != body->size()) return Refuse(Reason::kUnknownField);
  return std::move(*body);
}

}  // namespace

broker::Refusal RefusalOf(const broker::Error& error, Reason unavailable) {
  switch (error.code) {
    case broker::ErrorCode::kInvalidRequest:
      return {Reason::kValueOutOfRange, error.detail, error.detail, {}};
    case broker::ErrorCode::kDenied:
      return {Reason::kCredentialRejected, error.detail, error.detail, {}};
    case broker::ErrorCode::kNotFound:
      return {Reason::kNotFound, error.detail, error.detail, {}};
    case broker::ErrorCode::kConflict:
      return {Reason::kConflict, error.detail, error.detail, {}};
    case broker::ErrorCode::kUnavailable:
    case broker::ErrorCode::kCorrupt:
      break;
  }
  return {unavailable, error.detail, error.detail, {}};
}

AdminService::AdminService(AdminPorts ports)
    : ports_(std::move(ports)),
      upstream_(ports_.minter_ports, ports_.minter),
      logins_(ports_.minter_ports, ports_.store),
      second_person_(ports_.minter_ports.clock),
      people_(ports_.minter_ports) {}

void AdminService::Handle(const Peer& peer, std::string_view request, std::string* answer) {
  const auto message = ipc::DecodeAdminRequest(request);
  if (!message) {
    // /readyz of the admin window arrives as the plain message that agents' windows send.
    const bool ready = ipc::DecodePlainRequest(request).has_value();
    if (!ready) return EncodeRefusal({Reason::kMalformedRequest, {}, {}, {}}, {}, answer);
  }
  const ipc::AdminRequest asked = message ? *message : ipc::AdminRequest{"", "GET", "/readyz", ""};
  Outcome outcome = Dispatch(peer, asked);
  if (!outcome) return EncodeRefusal(outcome.error(), asked.request_id, answer);
  const bool unready = asked.path == "/readyz" && !(*outcome)["ready"].get<bool>();
  const std::string text = outcome->is_string()
                               ? outcome->get<std::string>()
                               : outcome->dump(-1, ' ', false, json::error_handler_t::replace);
  ipc::Encode(ipc::Answer{static_cast<uint16_t>(unready ? 503 : 200), 0, text}, answer);
}

AdminService::Outcome AdminService::Dispatch(const Peer& peer, const ipc::AdminRequest& request) {
  const auto config = ports_.broker.config();
  for (const Route& route : Routes()) {
    Call call{peer, request, {}, {}, {}, {}};
    if (route.method != request.method || !Matches(route.path, request.path, &call.argument)) {
      continue;
    }
    call.person = people_.Find(*config, peer.caller.facts, request.session);
    call.given = ports_.timed_roles.Of(*config, peer.caller.facts, call.signed_in());
    if (IsCrowd(call)) return Refuse(Reason::kOverloaded, "Too many ask who hold no role.");
    return Run(route, call);
  }
  return Refuse(Reason::kNotFound);
}

// Where people sign in, whoever has an account may connect: their refusals fill no disk, and their
// sign-ins do not keep Entra busy.
bool AdminService::IsCrowd(const Call& call) {
  const auto config = ports_.broker.config();
  const bool any = Holds(config->admin, call.peer.caller.facts, AdminRole::kAnyRole,
                         call.signed_in(), call.given);
  if (any) return false;
  const std::scoped_lock lock(crowd_mutex_);
  const auto now = ports_.minter_ports.clock.Now();
  if (now - crowd_since_ >= std::chrono::minutes(1)) {
    crowd_since_ = now;
    crowd_.clear();
  }
  uint32_t all = 0;
  for (const auto& [user, asked] : crowd_) all += asked;
  if (all >= kCrowdPerMinute) return true;
  uint32_t& own = crowd_[call.peer.caller.facts.uid];
  if (own >= kOfUserPerMinute) return true;
  ++own;
  return false;
}

// Why the route is shut to who calls.
std::optional<Refusal> AdminService::Shut(const Route& route, const Call& call) const {
  const auto config = ports_.broker.config();
  const auto* person = call.signed_in();
  const GivenRoles given = route.standing ? GivenRoles() : call.given;
  if (!Holds(config->admin, call.peer.caller.facts, route.needed, person, given)) {
    std::string hint = "It needs the role " + std::string(NameOf(route.needed)) + ".";
    if (!call.request.session.empty() && person == nullptr) {
      hint += " Nobody is signed in by what was sent: purser login --as-operator.";
    }
    if (route.standing) hint += " Who holds it for a time gives none.";
    return Refusal{Reason::kRoleMissing, std::move(hint), {}, {}};
  }
  const bool wanted = route.person && config->admin.require_person;
  if (!wanted || IsPersonFor(config->admin, route.needed, person, given)) return std::nullopt;
  return Refusal{Reason::kPersonRequired,
                 person == nullptr ? "" : "Who is signed in does not hold that role in [admin].",
                 {},
                 {}};
}

AdminService::Outcome AdminService::Run(const Route& route, Call& call) {
  const auto deny = [&](Refusal refusal) {
    [[maybe_unused]] const bool noted =
        Record(call, EntryType::kAdminDenied, LedgerOutcome::kFailure, refusal.reason);
    return std::unexpected(std::move(refusal));
  };
  if (auto shut = Shut(route, call)) return deny(std::move(*shut));
  auto body = ParseBody(call.request.body, route.fields);
  if (!body) return route.trace == Route::Trace::kNone ? body : deny(body.error());
  call.body = std::move(*body);
  if (route.trace == Route::Trace::kAction) return Act(route, call);
  Outcome outcome = (this->*route.handler)(call);
  const bool refused = route.trace == Route::Trace::kOwn && !outcome;
  return refused ? deny(std::move(outcome.error())) : outcome;
}

// The intent first: without a ledger nothing is changed, but for the route that mends the ledger.
AdminService::Outcome AdminService::Act(const Route& route, const Call& call) {
  const bool mends = route.handler == &AdminService::ResumeLedger;
  if (!Record(call, EntryType::kAdminAction, LedgerOutcome::kPending, {}) && !mends) {
    return Refuse(Reason::kLedgerUnavailable);
  }
  Outcome outcome = (this->*route.handler)(call);
  [[maybe_unused]] const bool noted =
      outcome
          ? Record(call, EntryType::kAdminAction, LedgerOutcome::kSuccess, {})
          : Record(call, EntryType::kAdminAction, LedgerOutcome::kFailure, outcome.error().reason);
  return outcome;
}

Entry AdminService::EntryOf(const Call& call, EntryType type, LedgerOutcome outcome) const {
  Entry entry{.type = type, .outcome = outcome};
  entry.caller = broker::RecordOf(call.peer.caller.facts);
  if (call.person) entry.user_oid = call.person->oid;
  entry.request_id = call.request.request_id;
  entry.target_kind = "admin";
  entry.target_id = call.request.method + " " + call.request.path;
  entry.policy_sha256 = ports_.broker.config()->sha256;
  const auto why = call.body.find("why");
  if (why != call.body.end() && why->is_string() && broker::IsInertText(why->get<std::string>())) {
    entry.change["why"] = why->get<std::string>();
  }
  return entry;
}

// Returns whether the entry is durable.
bool AdminService::Record(const Call& call, EntryType type, LedgerOutcome outcome,
                          std::optional<Reason> reason) {
  Entry entry = EntryOf(call, type, outcome);
  if (reason) entry.reason = broker::Describe(*reason).name;
  return ports_.minter_ports.ledger.Append(entry).has_value();
}

}  // namespace sidecar::broker_role
