#include "broker/approval.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "broker/base/strict_json.h"
#include "broker/base/unix_time.h"

namespace broker {
namespace {

using nlohmann::json;

constexpr int kShownVersion = 1;
constexpr int kRowVersion = 2;
constexpr int kFirstRowVersion = 1;  // in which each vote has a uid

constexpr std::array<std::string_view, 6> kStates = {"pending", "granted", "used",
                                                     "denied",  "expired", "killed"};

// Keys sorted, no blanks: the same for the same content.
std::string Canonical(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Sha256(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string hex(2 * hash.size() + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  hex.pop_back();
  return hex;
}

void PutText(json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

json Process(const ApprovalAsk& ask) {
  const auto caller = ask.entry.caller.value_or(ledger::CallerRecord{});
  json process = {{"uid", caller.uid}, {"gid", caller.gid}};
  if (caller.loginuid) process["loginuid"] = *caller.loginuid;
  PutText(process, "exe", ask.exe);
  PutText(process, "exe_sha256", caller.exe_sha256);
  PutText(process, "unit", caller.unit);
  return process;
}

json Terms(const policy::ApprovalTerms& terms) {
  json by = json::array();
  for (const auto& one : terms.by) by.push_back(one.names);
  return {{"by", std::move(by)},
          {"expires_s", terms.expires.count()},
          {"quorum", terms.quorum},
          {"uses", terms.uses},
          {"within_s", terms.within.count()}};
}

// What is wanted, whoever asks for it in the agent's name, and whatever challenge it answers.
json Subject(const ApprovalAsk& ask) {
  json credential = {{"kind", ask.credential.kind}, {"name", ask.credential.name}};
  PutText(credential, "client_id", ask.credential.client_id);
  PutText(credential, "user", ask.credential.user);
  json subject = {{"agent", ask.entry.agent},
                  {"credential", std::move(credential)},
                  {"resource", ask.entry.target_resource},
                  {"rule", ask.entry.policy_rule},
                  {"scopes", ask.entry.scopes},
                  {"terms", Terms(ask.terms)}};
  PutText(subject, "user", ask.entry.user_oid);
  if (ask.max_lifetime.count() > 0) subject["lifetime_s"] = ask.max_lifetime.count();
  if (!ask.can_also.empty()) subject["can_also"] = ask.can_also;
  return subject;
}

json Request(const ApprovalAsk& ask) {
  json request = Subject(ask);
  request["process"] = Process(ask);  // its number aside: another process of the same program
  PutText(request, "claims", ask.claims);
  const auto& said = ask.entry.claimed;
  if (said.empty()) return request;
  json claimed = json::object();
  PutText(claimed, "purpose", said.purpose);
  PutText(claimed, "task", said.task);
  PutText(claimed, "requested_by", said.requested_by);
  request["claimed"] = std::move(claimed);
  return request;
}

json VotesOf(const Approval& approval) {
  json votes = json::array();
  for (const ApprovalVote& vote : approval.votes) {
    json one = json::object();
    if (vote.uid) one["uid"] = *vote.uid;
    if (vote.loginuid) one["loginuid"] = *vote.loginuid;
    PutText(one, "oid", vote.oid);
    votes.push_back(std::move(one));
  }
  return votes;
}

// Throws json's exceptions where the row is not as ToRow makes it.
Approval Read(const json& row) {
  Approval approval;
  approval.id = row.at("id").get<std::string>();
  approval.agent = row.at("agent").get<std::string>();
  approval.asker_uid = row.at("asker").get<uint32_t>();
  approval.request = row.at("request").get<std::string>();
  approval.subject = row.at("subject").get<std::string>();
  approval.shown = row.at("shown").get<std::string>();
  approval.digest = Sha256(approval.shown);
  const json& terms = row.at("terms");
  approval.terms.expires = std::chrono::seconds(terms.at("expires_s").get<int64_t>());
  approval.terms.within = std::chrono::seconds(terms.at("within_s").get<int64_t>());
  approval.terms.uses = terms.at("uses").get<uint32_t>();
  approval.terms.quorum = terms.at("quorum").get<uint32_t>();
  for (const json& gids : terms.at("by")) {
    approval.terms.by.push_back({{}, gids.get<std::vector<uint32_t>>()});
  }
  const json entra = terms.value("by_entra", json::array());  // absent: by groups of Unix alone
  for (size_t i = 0; i < std::min(entra.size(), approval.terms.by.size()); ++i) {
    approval.terms.by[i].entra.groups = entra[i].at("groups").get<std::vector<std::string>>();
    approval.terms.by[i].entra.users = entra[i].at("users").get<std::vector<std::string>>();
  }
  const json requester = terms.value("by_requester", json::array());  // absent: none of them
  for (size_t i = 0; i < std::min(requester.size(), approval.terms.by.size()); ++i) {
    approval.terms.by[i].requester = requester[i].get<bool>();
  }
  const auto state = std::ranges::find(kStates, row.at("state").get<std::string>());
  approval.state = static_cast<ApprovalState>(state - kStates.begin());
  if (state == kStates.end()) approval.state = ApprovalState::kExpired;
  approval.uses_left = row.at("uses_left").get<uint32_t>();
  approval.requested_unix = row.at("requested").get<int64_t>();
  approval.ends_unix = row.at("ends").get<int64_t>();
  for (const json& vote : row.at("votes")) {
    ApprovalVote& one = approval.votes.emplace_back();
    one.oid = vote.value("oid", "");
    // Who has no other name has one here.
    if (vote.contains("uid") || one.oid.empty()) one.uid = vote.at("uid").get<uint32_t>();
    if (vote.contains("loginuid")) one.loginuid = vote["loginuid"].get<uint32_t>();
  }
  const json about = json::parse(approval.shown);
  if (const json& process = about.at("process"); process.contains("loginuid")) {
    approval.asker_loginuid = process.at("loginuid").get<uint32_t>();
  }
  approval.about.agent = approval.agent;
  approval.about.user_oid = about.value("user", "");
  approval.about.scopes = about.at("scopes").get<std::vector<std::string>>();
  approval.about.target_kind = "resource";
  approval.about.target_resource = about.at("resource").get<std::string>();
  approval.about.policy_rule = about.at("rule").get<std::string>();
  approval.about.credential_name = about.at("credential").at("name").get<std::string>();
  approval.about.credential_kind = about.at("credential").at("kind").get<std::string>();
  return approval;
}

}  // namespace

std::string_view NameOf(ApprovalState state) { return kStates.at(static_cast<size_t>(state)); }

bool ApprovalVote::MayBe(const ApprovalVote& other) const {
  const bool signed_in = !oid.empty() && oid == other.oid;
  if (!uid || !other.uid) return signed_in || oid.empty() || other.oid.empty();
  const auto is = [this](uint32_t id) {
    return loginuid.value_or(*uid) == id || (*uid == id && *uid != 0);
  };
  return signed_in || is(other.loginuid.value_or(*other.uid)) ||
         (*other.uid != 0 && is(*other.uid));
}

std::string ApprovalVote::text() const {
  if (!uid) return "oid:" + oid;
  return "uid:" + std::to_string(*uid) +
         (loginuid ? ",loginuid:" + std::to_string(*loginuid) : "") +
         (oid.empty() ? "" : ",oid:" + oid);
}

std::string RequestDigest(const ApprovalAsk& ask) { return Sha256(Canonical(Request(ask))); }
std::string SubjectDigest(const ApprovalAsk& ask) { return Sha256(Canonical(Subject(ask))); }

Approval NewApproval(const ApprovalAsk& ask, std::string id, const std::vector<std::string>& lately,
                     const Clock& clock) {
  Approval made;
  made.agent = ask.entry.agent;
  made.request = RequestDigest(ask);
  made.subject = SubjectDigest(ask);
  made.terms = ask.terms;
  made.asked = clock.Now();
  made.ends = made.asked + ask.terms.expires;
  made.requested_unix = UnixSeconds(clock.WallNow());
  made.ends_unix = made.requested_unix + ask.terms.expires.count();
  json shown = Request(ask);
  shown["id"] = id;
  shown["requested"] = made.requested_unix;
  const auto caller = ask.entry.caller.value_or(ledger::CallerRecord{});
  made.asker_uid = caller.uid;
  made.asker_loginuid = caller.loginuid;
  if (caller.pid != 0) shown["process"]["pid"] = caller.pid;
  shown["lately"] = lately;
  shown["v"] = kShownVersion;
  made.id = std::move(id);
  made.shown = Canonical(shown);
  made.digest = Sha256(made.shown);
  made.about = ask.entry;
  made.about.caller.reset();
  made.about.claimed = {};
  made.about.request_id.clear();
  made.about.trace.clear();
  made.about.change.clear();
  return made;
}

std::string ToRow(const Approval& approval) {
  json by = json::array(), by_entra = json::array(), by_requester = json::array();
  for (const auto& one : approval.terms.by) {
    by.push_back(one.gids);
    by_entra.push_back({{"groups", one.entra.groups}, {"users", one.entra.users}});
    by_requester.push_back(one.requester);
  }
  json terms = {{"by", std::move(by)},
                {"by_entra", std::move(by_entra)},
                {"by_requester", std::move(by_requester)},
                {"expires_s", approval.terms.expires.count()},
                {"within_s", approval.terms.within.count()},
                {"uses", approval.terms.uses},
                {"quorum", approval.terms.quorum}};
  return Canonical({{"v", kRowVersion},
                    {"id", approval.id},
                    {"agent", approval.agent},
                    {"asker", approval.asker_uid},
                    {"request", approval.request},
                    {"subject", approval.subject},
                    {"shown", approval.shown},
                    {"terms", std::move(terms)},
                    {"state", NameOf(approval.state)},
                    {"uses_left", approval.uses_left},
                    {"requested", approval.requested_unix},
                    {"ends", approval.ends_unix},
                    {"votes", VotesOf(approval)}});
}

std::optional<Approval> FromRow(std::string_view row, const Clock& clock) {
  const auto parsed = ParseStrictJson(row);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  try {
    const int version = parsed->at("v").get<int>();
    if (version < kFirstRowVersion || version > kRowVersion) return std::nullopt;
    Approval approval = Read(*parsed);
    // A date that was set back in between prolongs it by no more than its own terms.
    const bool granted = approval.state == ApprovalState::kGranted;
    const std::chrono::seconds most = granted ? approval.terms.within : approval.terms.expires;
    const std::chrono::seconds left(approval.ends_unix - UnixSeconds(clock.WallNow()));
    const auto kept = approval.open() ? std::clamp(left, std::chrono::seconds(0), most)
                                      : std::min(left, std::chrono::seconds(0));
    approval.ends = clock.Now() + kept;
    const std::chrono::seconds age(UnixSeconds(clock.WallNow()) - approval.requested_unix);
    approval.asked = clock.Now() - std::max(age, std::chrono::seconds(0));
    return approval;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace broker
