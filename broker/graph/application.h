// broker/graph/application.h: the credentials of an app registration (Microsoft Graph v1.0,
// resource type "application"), as pure requests and answers.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "broker/ports/http_transport.h"

namespace broker::graph {

/// Which registration, and where. It is addressed by its application (client) id throughout.
struct ApplicationAddress {
  std::string graph;   // "https://graph.microsoft.com", no trailing slash
  std::string app_id;  // a GUID
  /// An agent identity blueprint's credentials have a path and permissions of their own.
  bool blueprint = false;
};

struct KeyCredential {
  std::string key_id;
  std::string sha1;  // of the certificate's DER, 20 bytes, from customKeyIdentifier; empty: another
  std::string display_name;
  std::string ends;  // endDateTime, as sent
};
struct PasswordCredential {
  std::string key_id;
  std::string hint;  // the first three characters of the secret
  std::string display_name;
  std::string ends;
};
struct Application {
  std::string object_id;
  std::vector<KeyCredential> keys;
  std::vector<PasswordCredential> passwords;
};
struct AddedPassword {
  std::string key_id;
  Secret text;  // shown this once
};

/// What a new credential is called, and until when it is good.
struct NewCredential {
  std::string display_name;
  Clock::Wall ends{};
};

HttpRequest ReadApplication(const ApplicationAddress& at);
/// `der`: the certificate. `proof`: entra/proof_of_possession.h.
HttpRequest AddKey(const ApplicationAddress& at, const NewCredential& about, std::string_view der,
                   const Secret& proof);
HttpRequest RemoveKey(const ApplicationAddress& at, std::string_view key_id, const Secret& proof);
HttpRequest AddPassword(const ApplicationAddress& at, const NewCredential& about);
HttpRequest RemovePassword(const ApplicationAddress& at, std::string_view key_id);

/// What the requests need, for whoever has to grant it; adding and removing a key needs nothing
/// where the application's own token asks.
std::string PermissionToRead(const ApplicationAddress& at);
std::string PermissionToChange(const ApplicationAddress& at);

// Errors of these: kCorrupt; the detail names the field, never bytes.
Result<Application> ReadApplicationAnswer(const Secret& body);
Result<std::string> ReadAddedKey(const Secret& body);
Result<AddedPassword> ReadAddedPassword(const Secret& body);

}  // namespace broker::graph
