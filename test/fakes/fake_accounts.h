// test/fakes/fake_accounts.h: users and groups of a machine that does not exist.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "broker/policy/config.h"

struct FakeAccounts final : broker::policy::Accounts {
  std::map<std::string, uint32_t> users = {
      {"helpdesk", 2001}, {"billing", 2002}, {"purser", 2000}, {"nobody", 65534}, {"boss", 2009}};
  std::map<std::string, uint32_t> groups = {{"helpdesk", 3001},
                                            {"purser-operators", 3002},
                                            {"security", 3003},
                                            {"helpdesk-leads", 3004},
                                            {"nogroup", 65534}};
  std::map<uint32_t, std::vector<uint32_t>> members = {{2001, {3001}}, {2009, {2009, 3002}}};

  [[nodiscard]] std::optional<uint32_t> UserId(const std::string& name) const override {
    return Find(users, name);
  }
  [[nodiscard]] std::optional<uint32_t> GroupId(const std::string& name) const override {
    return Find(groups, name);
  }
  [[nodiscard]] std::vector<uint32_t> GroupsOf(uint32_t uid) const override {
    const auto found = members.find(uid);
    return found == members.end() ? std::vector<uint32_t>{} : found->second;
  }

 private:
  static std::optional<uint32_t> Find(const std::map<std::string, uint32_t>& in,
                                      const std::string& name) {
    const auto found = in.find(name);
    return found == in.end() ? std::nullopt : std::optional(found->second);
  }
};
