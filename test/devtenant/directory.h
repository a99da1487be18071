// test/devtenant/directory.h: who and what the tenant knows: users, registrations, consents.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "test/devtenant/app_credentials.h"
#include "test/devtenant/keys.h"

namespace devtenant {

struct User {
  std::string oid, upn, name;
  bool enabled = true;
  std::string agent_identity;  // the client id of the agent whose own account it is, or empty
  nlohmann::json messages = nlohmann::json::array();  // Graph message objects
};

/// A federated identity credential: whose tokens are an application's client_assertion.
struct FederatedCredential {
  std::string issuer, subject;
};

/// An application registration with what was consented to. Scopes by resource identifier; Graph's
/// is kGraph whatever URL this tenant's Graph has.
struct Registration {
  std::string client_id, name;  // the service principal's object id is the client id, too
  std::string object_id;        // the application's: Graph knows it by this
  bool enabled = true;
  bool public_client = false;
  std::vector<PasswordCredential> passwords;
  std::vector<KeyCredential> certificates;
  std::set<std::string> owners;  // client ids of the applications that own this one
  std::vector<FederatedCredential> federated;
  std::vector<std::string> redirect_uris;
  std::string blueprint;         // of an agent identity: its blueprint's client id
  std::string managed_identity;  // "system" or "user": of the machine that the tenant plays
  std::map<std::string, std::set<std::string>> delegated, application;
  // What users consented to for themselves, by oid.
  std::map<std::string, std::map<std::string, std::set<std::string>>> delegated_users;
};

inline constexpr char kGraph[] = "graph";

struct Directory {
  std::string tenant_id, domain;
  std::map<std::string, User> users;                  // by oid
  std::map<std::string, Registration> registrations;  // by client id

  /// Whether that is this tenant, by its id or domain.
  [[nodiscard]] bool Names(const std::string& tenant) const {
    return tenant == tenant_id || tenant == domain;
  }
  /// By object id or user principal name; null when unknown.
  User* FindUser(const std::string& name);
  Registration* FindRegistration(const std::string& client_id);
  /// Whether agent identities name it as theirs.
  [[nodiscard]] bool IsBlueprint(const std::string& client_id) const;
};

/// Reads the tenant file (README.md). Absent members have defaults; an unknown one throws
/// std::runtime_error, so that a typing error does not make a test pass.
Directory ParseDirectory(const nlohmann::json& document);
/// Applies the members given, leaving the others. Throws like ParseDirectory.
void PatchUser(User& user, const nlohmann::json& change);
void PatchRegistration(Registration& registration, const nlohmann::json& change);
/// A registration whose ids are derived from its client id.
Registration NewRegistration(const std::string& client_id);

/// Throws std::runtime_error naming the first member of `object` that is not in `known`.
void RequireKnown(const nlohmann::json& object, const std::set<std::string>& known);

}  // namespace devtenant
