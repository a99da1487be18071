#include "test/devtenant/directory.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <stdexcept>

#include "test/devtenant/encoding.h"
#include "test/devtenant/groups.h"

namespace devtenant {
namespace {

using Consents = std::map<std::string, std::set<std::string>>;

// The same at every start, and another than what it is derived from.
std::string DerivedGuid(const std::string& text) {
  std::string hex = ToHex(Sha256(text).substr(0, 16));
  std::ranges::transform(hex, hex.begin(), [](unsigned char c) { return std::tolower(c); });
  hex[12] = '8';  // RFC 9562, version 8: made in a way of one's own
  hex[16] = '8';
  for (const size_t dash : {8U, 13U, 18U, 23U}) hex.insert(dash, 1, '-');
  return hex;
}

// Replaces the secrets that are good, or those that are not.
void TakePasswords(const nlohmann::json& change, const char* name, bool expired,
                   std::vector<PasswordCredential>& passwords) {
  if (!change.contains(name)) return;
  std::erase_if(passwords, [&](const auto& one) { return (one.end == 1) == expired; });
  for (const std::string secret : change.at(name)) {
    passwords.push_back(expired ? ExpiredPassword(secret)
                                : NewPassword(secret, std::time(nullptr)));
  }
}

nlohmann::json DefaultMessages() {
  const auto message = [](const char* id, const char* subject, const char* from) {
    return nlohmann::json{{"id", id},
                          {"subject", subject},
                          {"from", {{"emailAddress", {{"address", from}}}}},
                          {"receivedDateTime", "2026-01-05T08:30:00Z"},
                          {"isRead", false}};
  };
  return {message("m1", "Printer on floor 3 is out of paper", "facilities@contoso.example"),
          message("m2", "Cannot sign in after holiday", "jo@contoso.example"),
          message("m3", "New laptop request", "sam@contoso.example")};
}

template <typename T>
void Take(const nlohmann::json& from, const char* name, T& to) {
  if (from.contains(name)) to = from.at(name).get<T>();
}

}  // namespace

void RequireKnown(const nlohmann::json& object, const std::set<std::string>& known) {
  if (!object.is_object()) throw std::runtime_error("an object is expected");
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) throw std::runtime_error("unknown member \"" + name + "\"");
  }
}

void PatchUser(User& user, const nlohmann::json& change) {
  RequireKnown(change, {"oid", "upn", "name", "enabled", "agent_identity", "messages", "groups"});
  Take(change, "oid", user.oid);
  Take(change, "upn", user.upn);
  Take(change, "name", user.name);
  Take(change, "enabled", user.enabled);
  Take(change, "agent_identity", user.agent_identity);
  Take(change, "messages", user.messages);
  Take(change, "groups", GroupsOf(user.oid));
}

void PatchRegistration(Registration& registration, const nlohmann::json& change) {
  RequireKnown(change,
               {"client_id", "name", "enabled", "public_client", "secrets", "expired_secrets",
                "certificates", "federated", "redirect_uris", "blueprint", "managed_identity",
                "delegated", "application", "object_id", "owners", "delegated_users"});
  Take(change, "client_id", registration.client_id);
  Take(change, "name", registration.name);
  Take(change, "enabled", registration.enabled);
  Take(change, "public_client", registration.public_client);
  TakePasswords(change, "secrets", /*expired=*/false, registration.passwords);
  TakePasswords(change, "expired_secrets", /*expired=*/true, registration.passwords);
  Take(change, "object_id", registration.object_id);
  Take(change, "owners", registration.owners);
  Take(change, "redirect_uris", registration.redirect_uris);
  Take(change, "delegated", registration.delegated);
  Take(change, "application", registration.application);
  Take(change, "delegated_users", registration.delegated_users);
  Take(change, "blueprint", registration.blueprint);
  Take(change, "managed_identity", registration.managed_identity);
  if (change.contains("federated")) {
    registration.federated.clear();
    for (const auto& one : change.at("federated")) {
      RequireKnown(one, {"issuer", "subject"});
      registration.federated.push_back({one.at("issuer"), one.at("subject")});
    }
  }
  if (change.contains("certificates")) {
    registration.certificates.clear();
    for (const auto& pem : change.at("certificates")) {
      registration.certificates.push_back(NewKey(pem.get<std::string>()));
    }
  }
  const bool credentials = !registration.passwords.empty() || !registration.certificates.empty() ||
                           !registration.federated.empty();
  if (credentials && !(registration.blueprint + registration.managed_identity).empty()) {
    throw std::runtime_error("agent identities and managed identities hold no credentials");
  }
}

Directory ParseDirectory(const nlohmann::json& document) {
  RequireKnown(document, {"tenant_id", "domain", "users", "registrations", "vault"});
  Directory directory{.tenant_id = document.value("tenant_id", NewGuid()),
                      .domain = document.value("domain", "contoso.example"),
                      .users = {},
                      .registrations = {}};
  for (const auto& entry : document.value("users", nlohmann::json::array())) {
    User user{.oid = NewGuid(), .upn = {}, .name = {}, .messages = DefaultMessages()};
    PatchUser(user, entry);
    if (user.upn.empty()) user.upn = user.oid + "@" + directory.domain;
    directory.users[user.oid] = user;
  }
  for (const auto& entry : document.value("registrations", nlohmann::json::array())) {
    Registration registration = NewRegistration(entry.value("client_id", NewGuid()));
    PatchRegistration(registration, entry);
    directory.registrations[registration.client_id] = registration;
  }
  return directory;
}

Registration NewRegistration(const std::string& client_id) {
  Registration registration;
  registration.client_id = client_id;
  registration.object_id = DerivedGuid("application " + client_id);
  return registration;
}

bool Directory::IsBlueprint(const std::string& client_id) const {
  return std::ranges::any_of(
      registrations, [&](const auto& entry) { return entry.second.blueprint == client_id; });
}

User* Directory::FindUser(const std::string& name) {
  for (auto& [oid, user] : users) {
    if (oid == name || user.upn == name) return &user;
  }
  return nullptr;
}

Registration* Directory::FindRegistration(const std::string& client_id) {
  const auto found = registrations.find(client_id);
  return found == registrations.end() ? nullptr : &found->second;
}

}  // namespace devtenant
