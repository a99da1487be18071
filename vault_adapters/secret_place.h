// vault_adapters/secret_place.h: what a vault calls the secret of a credential.
#pragma once
#include <map>
#include <string>

#include "broker/ports/sealed_store.h"

namespace vault {

struct SecretPlace {
  std::string name;
  std::string version;  // pinned; empty: the newest
};

/// By credential and kind, from the configuration.
using SecretPlaces = std::map<broker::SecretId, SecretPlace>;

}  // namespace vault
