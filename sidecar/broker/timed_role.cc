#include "sidecar/broker/timed_role.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"

namespace sidecar::broker_role {
namespace {

using nlohmann::json;
using std::chrono::duration_cast, std::chrono::seconds;

constexpr int kRowVersion = 1;

std::string KeyOf(const TimedRole& one) {
  return one.holder.text() + " " + std::string(NameOf(one.role));
}

json AsRow(const TimedRole& one) {
  json row = {{"uid", one.holder.uid},      {"oid", one.holder.oid}, {"role", NameOf(one.role)},
              {"lasts", one.lasts.count()}, {"why", one.why},        {"giver_oid", one.giver.oid},
              {"realm", one.realm},         {"ends", one.ends_unix}, {"ended", one.ended}};
  if (one.giver.uid) row["giver_uid"] = *one.giver.uid;
  if (one.giver.loginuid) row["giver_loginuid"] = *one.giver.loginuid;
  return row;
}

// Throws json::exception for what is no row.
TimedRole FromRow(const json& row) {
  TimedRole one;
  one.holder = {row.at("uid").get<uint32_t>(), row.at("oid").get<std::string>()};
  const auto role = FindRole(row.at("role").get<std::string>());
  one.role = role.value_or(AdminRole::kAuditor);
  one.lasts = seconds(row.at("lasts").get<int64_t>());
  one.why = row.at("why").get<std::string>();
  one.giver.oid = row.at("giver_oid").get<std::string>();
  if (row.contains("giver_uid")) one.giver.uid = row["giver_uid"].get<uint32_t>();
  if (row.contains("giver_loginuid")) one.giver.loginuid = row["giver_loginuid"].get<uint32_t>();
  one.realm = row.at("realm").get<std::string>();
  one.ends_unix = row.at("ends").get<int64_t>();
  one.ended = row.at("ended").get<std::string>();
  return one;
}

}  // namespace

std::string RoleHolder::text() const {
  return oid.empty() ? "uid:" + std::to_string(uid) : "oid:" + oid;
}

int64_t UnixOf(broker::Clock::Wall time) {
  return duration_cast<seconds>(time.time_since_epoch()).count();
}

std::string ToRow(const std::vector<TimedRole>& roles) {
  json rows = json::array();
  for (const TimedRole& one : roles) rows.push_back(AsRow(one));
  return json{{"v", kRowVersion}, {"roles", std::move(rows)}}.dump();
}

std::vector<TimedRole> RolesFromRow(std::string_view row) {
  const auto parsed = broker::ParseStrictJson(row);
  if (!parsed || !parsed->is_object()) return {};
  try {
    if (parsed->at("v") != kRowVersion) return {};
    std::vector<TimedRole> roles;
    for (const json& one : parsed->at("roles")) roles.push_back(FromRow(one));
    return roles;
  } catch (const json::exception&) {
    return {};
  }
}

std::string LeftNote(const std::vector<TimedRole>& roles, broker::Clock::Steady now) {
  json left = json::object();
  for (const TimedRole& one : roles) {
    left[KeyOf(one)] = std::max(seconds(0), duration_cast<seconds>(one.ends - now)).count();
  }
  return left.dump();
}

void Resume(std::string_view note, broker::Clock::Steady now, broker::Clock::Wall wall,
            std::vector<TimedRole>* roles) {
  const auto parsed = broker::ParseStrictJson(note);
  const json left = parsed && parsed->is_object() ? *parsed : json::object();
  for (TimedRole& one : *roles) {
    seconds most = one.lasts;
    const auto noted = left.find(KeyOf(one));
    if (noted != left.end() && noted->is_number_integer()) {
      most = std::min(most, seconds(noted->get<int64_t>()));
    }
    const seconds said(one.ends_unix - UnixOf(wall));
    one.ends = now + std::clamp(said, seconds(0), std::max(most, seconds(0)));
  }
}

}  // namespace sidecar::broker_role
