// The commands that carry what a person typed to the broker, sealed to its key.
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ostream>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using broker::Secret;
using nlohmann::json;

// Reads, seals, sends. The refusal or the answer is the caller's to judge.
broker::Result<AdminAnswer> SendSealed(const Console& console, const std::string& method,
                                       const std::string& path, const Secret& plain) {
  const auto sealed = SealForBroker(console.client, plain);
  if (!sealed) return std::unexpected(sealed.error());
  return console.client.Call(method, path, {{"sealed", *sealed}});
}

int Complain(const Console& console, const std::string& why) {
  console.err << "purser: " << why << '\n';
  return kExitRefused;
}

/// A new key file beside the old one, which is replaced only after the store was re-wrapped: at
/// every moment one of the two opens the store.
class NextKeyFile {
 public:
  explicit NextKeyFile(std::string path) : path_(std::move(path)), next_(path_ + ".next") {}

  broker::Status Write(const Secret& key) {
    const int fd = open(next_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return Failed("create");
    const std::string_view bytes = key.Expose(broker::Exit::kSealToDisk);
    const bool written =
        write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && fsync(fd) == 0;
    close(fd);
    return written ? broker::Status{} : Failed("write");
  }
  broker::Status PutInPlace() {
    return std::rename(next_.c_str(), path_.c_str()) == 0 ? broker::Status{} : Failed("rename");
  }
  void Discard() { unlink(next_.c_str()); }
  [[nodiscard]] const std::string& next() const { return next_; }

 private:
  broker::Status Failed(const std::string& what) const {
    return broker::Fail(broker::ErrorCode::kUnavailable,
                        "cannot " + what + " " + next_ + ": " + std::strerror(errno));
  }
  std::string path_;
  std::string next_;
};

int RotateKeyFile(const Console& console, const std::string& path) {
  Secret key = Secret::Allocate(32);
  randombytes_buf(key.Writable().data(), key.size());
  NextKeyFile file(path);
  if (const auto written = file.Write(key); !written) return Complain(console, written.error().detail);
  const auto answer = SendSealed(console, "POST", "/v1/seal/rotate", key);
  if (const int code = Judge(console, answer)) {
    // An unreachable daemon may have rotated before it went away: then only the new key opens.
    if (code == kExitUnreachable) {
      console.err << "purser: kept " << file.next() << "; if the store no longer opens, put it in place of "
                  << path << '\n';
    } else {
      file.Discard();
    }
    return code;
  }
  if (const auto placed = file.PutInPlace(); !placed) return Complain(console, placed.error().detail);
  console.out << "rotated; " << answer->body["rewritten"] << " secrets re-encrypted, " << path
              << " replaced\n";
  return kExitDone;
}

}  // namespace

int RunSecretSet(const Console& console, const std::string& credential) {
  const auto typed = ReadSecret("secret of " + credential);
  if (!typed) return Complain(console, typed.error().detail);
  const auto answer = SendSealed(console, "PUT", "/v1/credentials/" + credential + "/secret", *typed);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
  } else {
    console.out << "stored  " << credential << ", version " << answer->body["version"] << '\n';
  }
  return kExitDone;
}

int RunUnseal(const Console& console) {
  const auto typed = ReadSecret("passphrase");
  if (!typed) return Complain(console, typed.error().detail);
  const auto answer = SendSealed(console, "POST", "/v1/unseal", *typed);
  if (const int code = Judge(console, answer)) return code;
  console.out << (console.json ? answer->body.dump(2) : std::string("unsealed")) << '\n';
  return kExitDone;
}

int RunSealRotate(const Console& console, const std::string& kind, const std::string& key_path) {
  if (kind == "file") return RotateKeyFile(console, key_path);
  const auto typed = ReadSecret(kind == "passphrase" ? "new passphrase" : "new credential");
  if (!typed) return Complain(console, typed.error().detail);
  const auto answer = SendSealed(console, "POST", "/v1/seal/rotate", *typed);
  if (const int code = Judge(console, answer)) return code;
  console.out << "rotated; " << answer->body["rewritten"] << " secrets re-encrypted\n";
  return kExitDone;
}

}  // namespace sidecar::cli
