// broker/app_registration.h: the registration at Entra whose credential is rotated.
#pragma once
#include <string>

#include "broker/base/secret.h"
#include "broker/graph/application.h"
#include "broker/graph_client.h"

namespace broker {

/// Of one credential, and of its kind alone: certificates or client secrets. Each method asks Entra
/// once and blocks. A failure of kUnavailable or kInvalid leaves open whether it was done.
class AppRegistration {
 public:
  /// Which application, and what shows that it asks about its own keys (certificates alone).
  struct Owner {
    const std::string& object_id;
    const Secret& current;  // the secret in use
  };

  virtual ~AppRegistration() = default;
  /// The credential is revoked: from now on Entra is asked with a token for `secret`, which is in
  /// use nowhere. False: somebody else's token serves, and this one is not needed.
  virtual bool AskWith(const Secret& secret) = 0;
  /// What there is of it at Entra. kMissingPermission: nobody may read it with these rights.
  virtual GraphResult<graph::Application> Read() = 0;
  /// Adds a credential. `made`: the certificate with its key, made here; empty: Entra makes a
  /// client secret, and the answer has its text.
  virtual GraphResult<graph::AddedPassword> Add(const graph::NewCredential& about,
                                                const Owner& owner, const Secret& made) = 0;
  virtual GraphResult<void> Remove(const std::string& key_id, const Owner& owner) = 0;
  /// One real token request with `secret`. kNoToken: Entra gave none; the detail says why.
  virtual GraphResult<void> Prove(const Secret& secret) = 0;
};

}  // namespace broker
