// The commands that carry what a person typed to the broker, sealed to its key.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ostream>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/ipc/system_ports.h"
#include "token_cache/key_encryption_key.h"

namespace sidecar::cli {
namespace {

using broker::Secret;
using nlohmann::json;

// Reads, seals, sends. The refusal or the answer is the caller's to judge.
broker::Result<AdminAnswer> SendSealed(const Console& console, const std::string& method,
                                       const std::string& path, const Secret& plain,
                                       json members = json::object()) {
  const auto sealed = SealForBroker(console.client, plain);
  if (!sealed) return std::unexpected(sealed.error());
  members["sealed"] = *sealed;
  return console.client.Call(method, path, members);
}

int Rotated(const Console& console, const json& body, const std::string& also) {
  if (console.json) {
    console.out << body.dump(2) << '\n';
  } else {
    console.out << "rotated; " << body["rewritten"] << " secrets re-encrypted" << also << '\n';
  }
  return kExitDone;
}

// The new key is on disk, beside the old one, before the store is re-wrapped with it: at every
// moment one of the two files opens the store.
int RotateKeyFile(const Console& console, const std::string& path) {
  const std::string next = path + ".next";
  SystemRandom random;
  const auto made = token_cache::GenerateKeyFile(next, random);
  if (!made && made.error().code == broker::ErrorCode::kConflict) {
    return Complain(console.output(),
                    next + " is left from an interrupted rotation. If the store opens with " +
                        path + ", remove it; else put it in the place of " + path);
  }
  if (!made) return Complain(console.output(), made.error().detail);
  const auto fd = token_cache::OpenKeyFile(next);
  if (!fd) return Complain(console.output(), fd.error().detail);
  const auto key = token_cache::ReadKey(*fd, token_cache::KeySource::kFile, next);
  close(*fd);
  if (!key) return Complain(console.output(), key.error().detail);

  const auto answer = SendSealed(console, "POST", "/v1/seal/rotate", *key);
  if (const int code = Judge(console, answer)) {
    // Refused or not, the broker may have begun: only it knows which key opens the store now.
    console.err << "purser: kept " << next
                << "; if the store no longer opens, put it in the place of " << path << '\n';
    return code;
  }
  if (std::rename(next.c_str(), path.c_str()) != 0) {
    return Complain(console.output(),
                    "cannot rename " + next + " to " + path + ": " + std::strerror(errno));
  }
  return Rotated(console, answer->body, ", " + path + " replaced");
}

}  // namespace

int RunSecretSet(const Console& console, const std::string& credential,
                 const std::string& expires) {
  const auto typed = ReadSecret("secret of " + credential);
  if (!typed) return Complain(console.output(), typed.error().detail);
  const json members = expires.empty() ? json::object() : json{{"expires", expires}};
  const auto answer =
      SendSealed(console, "PUT", "/v1/credentials/" + credential + "/secret", *typed, members);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
  } else {
    console.out << "stored  " << credential << ", version " << answer->body["version"] << '\n';
    if (answer->body.contains("end")) {
      console.out << "ends    in " << Field(answer->body["end"], "days_left")
                  << " days: purser status warns before that\n";
    }
    if (answer->body.contains("end_not_kept")) {
      console.err
          << "purser: its end could not be kept, so that nothing will warn after a restart: "
          << Field(answer->body, "end_not_kept") << '\n';
    }
  }
  return kExitDone;
}

int RunUnseal(const Console& console) {
  const auto typed = ReadSecret("passphrase");
  if (!typed) return Complain(console.output(), typed.error().detail);
  const auto answer = SendSealed(console, "POST", "/v1/unseal", *typed);
  if (const int code = Judge(console, answer)) return code;
  console.out << (console.json ? answer->body.dump(2) : std::string("unsealed")) << '\n';
  return kExitDone;
}

int RunSealRotate(const Console& console, const std::string& kind, const std::string& key_path) {
  if (kind == "file") return RotateKeyFile(console, key_path);
  if (kind == "azure-key-vault") {
    const auto answer = console.client.Call("POST", "/v1/seal/rotate", json::object());
    if (const int code = Judge(console, answer)) return code;
    return Rotated(console, answer->body, ", a new key wrapped by the vault's newest");
  }
  const auto typed = ReadSecret(kind == "passphrase" ? "new passphrase" : "new credential");
  if (!typed) return Complain(console.output(), typed.error().detail);
  const auto answer = SendSealed(console, "POST", "/v1/seal/rotate", *typed);
  if (const int code = Judge(console, answer)) return code;
  return Rotated(console, answer->body, "");
}

}  // namespace sidecar::cli
