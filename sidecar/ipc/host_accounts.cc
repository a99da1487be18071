#include "sidecar/ipc/host_accounts.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sidecar {
namespace {

constexpr size_t kFirstBuffer = size_t{4} << 10;
constexpr size_t kLargestBuffer = size_t{1} << 20;  // a group of some ten thousand members

// Calls a getXXX_r function with growing buffers; whether it found its entry.
template <class Call>
bool Look(std::vector<char>* buffer, Call call) {
  for (size_t size = kFirstBuffer; size <= kLargestBuffer; size *= 4) {
    buffer->resize(size);
    bool found = false;
    const int error = call(buffer, &found);
    if (error == EINTR) continue;
    if (error != ERANGE) return error == 0 && found;
  }
  return false;
}

}  // namespace

std::optional<uint32_t> HostAccounts::UserId(const std::string& name) const {
  std::vector<char> buffer;
  passwd entry{};
  const bool found = Look(&buffer, [&](std::vector<char>* b, bool* has) {
    passwd* result = nullptr;
    const int error = getpwnam_r(name.c_str(), &entry, b->data(), b->size(), &result);
    *has = result != nullptr;
    return error;
  });
  if (!found) return std::nullopt;
  return entry.pw_uid;
}

std::optional<uint32_t> HostAccounts::GroupId(const std::string& name) const {
  std::vector<char> buffer;
  group entry{};
  const bool found = Look(&buffer, [&](std::vector<char>* b, bool* has) {
    group* result = nullptr;
    const int error = getgrnam_r(name.c_str(), &entry, b->data(), b->size(), &result);
    *has = result != nullptr;
    return error;
  });
  if (!found) return std::nullopt;
  return entry.gr_gid;
}

std::vector<uint32_t> HostAccounts::GroupsOf(uint32_t uid) const {
  std::vector<char> buffer;
  passwd entry{};
  const bool found = Look(&buffer, [&](std::vector<char>* b, bool* has) {
    passwd* result = nullptr;
    const int error = getpwuid_r(uid, &entry, b->data(), b->size(), &result);
    *has = result != nullptr;
    return error;
  });
  if (!found) return {};
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  while (getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) {
    // `count` is now what is needed; at least double, in case the group file is being written.
    groups.resize(std::max(static_cast<size_t>(count), groups.size() * 2));
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<size_t>(count));
  return {groups.begin(), groups.end()};
}

}  // namespace sidecar
