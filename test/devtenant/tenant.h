// test/devtenant/tenant.h: the state that all endpoints share.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "test/devtenant/chats.h"
#include "test/devtenant/directory.h"
#include "test/devtenant/faults.h"
#include "test/devtenant/key_vault.h"
#include "test/devtenant/keys.h"
#include "test/devtenant/recorder.h"

namespace devtenant {

/// What a test may turn while the tenant runs (README.md).
struct Settings {
  int64_t clock_shift_s = 0;
  uint64_t access_token_lifetime_s = 0;  // 0: random, 60 to 90 minutes, as Entra's
  uint64_t refresh_in_s = 0;             // 0: absent, as Entra's for tokens below two hours
  uint64_t device_code_lifetime_s = 900;
  uint64_t device_code_interval_s = 5;
  uint64_t propagation_requests = 0;  // for a credential added from now on: see Propagation
  uint64_t propagation_ms = 0;
  bool rotate_strictly = false;  // an old refresh token is dead, and its reuse kills the family
};

struct RefreshToken {
  std::string client_id, oid;
  std::string family;  // of one login
  bool used = false;
  int dead = 0;  // the AADSTS code with which it is refused; 0: alive
};

struct DeviceCode {
  std::string client_id, user_code, scope;
  int64_t expires_at = 0;
  enum class State { kPending, kApproved, kDeclined, kRedeemed } state = State::kPending;
  std::string oid;  // who approved
};

struct AuthorizationCode {
  std::string client_id, oid, redirect_uri, scope, challenge, nonce;
  int64_t expires_at = 0;
  bool used = false;
};

/// Everything below `mutex` is guarded by it. One lock for all: this is a test tool.
struct Tenant {
  // Constant after start.
  std::string authority, graph, vault_url;  // URLs without trailing slash
  Identity signing, platform;
  std::string signing_key_id;
  std::string identity_header;  // App Service's IDENTITY_HEADER
  std::string arc_key_folder;   // where Azure Arc's agent would write keys

  std::mutex mutex;
  std::condition_variable device_codes_changed;
  Directory directory;
  KeyVault vault;
  Settings settings;
  Faults faults;
  Recorder recorder;
  std::map<std::string, RefreshToken> refresh_tokens;
  Chats chats;
  std::map<std::string, DeviceCode> device_codes;
  std::map<std::string, AuthorizationCode> authorization_codes;
  std::set<std::string> arc_keys;         // handed out, not shown yet
  std::set<std::string> seen_assertions;  // client id and jti

  /// Seconds since the epoch by the tenant's own, perhaps shifted, clock.
  [[nodiscard]] int64_t Now() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count() + settings.clock_shift_s;
  }
};

}  // namespace devtenant
