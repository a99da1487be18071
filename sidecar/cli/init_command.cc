#include "sidecar/cli/init_command.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "sidecar/cli/terminal.h"
#include "sidecar/ipc/control.h"
#include "sidecar/ipc/system_ports.h"
#include "token_cache/key_encryption_key.h"
#include "token_cache/sealed_store.h"

namespace sidecar::cli {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Secret, broker::Status;
namespace fs = std::filesystem;

constexpr std::array kRoleUsers = {"purser-window", "purser-broker", "purser-ledger",
                                   "purser-dialer"};

// Not being allowed to look is no answer.
Result<bool> Exists(const std::string& path) {
  std::error_code failed;
  const bool there = fs::exists(path, failed);
  if (!failed) return there;
  return Fail(ErrorCode::kUnavailable, "cannot look for " + path + ": " + failed.message() +
                                           "; type it as root, or as the user of purserd");
}

std::string ConfigText(const NewConfigOptions& options) {
  return "# What every key means, and which there are: purser config schema\n"
         "# After a change: purser config check && purser reload\n\n"
         "[instance]\nname = \"" +
         options.instance +
         "\"\n\n"
         "[tenant]\nid = \"" +
         options.tenant +
         "\"\n\n"
         "[seal]\nkind = \"file\"\npath = \"/var/lib/purser-key/kek\"\n\n"
         "# A registration in Entra, consented to these scopes and no more.\n"
         "# [credential.aid-mail]\n# kind = \"refresh-token\"\n"
         "# client_id = \"the registration's application id\"\n"
         "# user = \"the object id of the agent's own user\"\n# scopes = [\"Mail.Read\"]\n\n"
         "# [agent.helpdesk]\n# user = \"" +
         options.agent_user +
         "\"\n\n"
         "# [[agent.helpdesk.allow]]\n# name = \"read-mail\"\n# scopes = [\"Mail.Read\"]\n"
         "# credential = \"aid-mail\"\n# deliver = \"token\"\n# decision = \"log\"\n\n"
         "# [admin]\n# operators = [\"group:purser-operators\"]\n# auditors = "
         "[\"group:security\"]\n";
}

// A folder of purser's own; an existing one is left as it is.
Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code failed;
  fs::create_directories(fs::path(path).parent_path(), failed);
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return Fail(ErrorCode::kUnavailable, "cannot make " + path + ": " + std::strerror(errno));
  }
  return {};
}

// As root the store belongs to the broker's user, who alone opens it.
Status GiveToBroker(const std::string& path) {
  if (geteuid() != 0) return {};
  const passwd* user = getpwnam("purser-broker");
  if (user == nullptr || lchown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
    return Fail(ErrorCode::kUnavailable, "cannot give " + path + " to purser-broker");
  }
  return {};
}

struct Wrapping {
  Secret kek;
  token_cache::Kdf kdf;
};

Result<Wrapping> KeyFromFile(const std::string& path, broker::Random& random, InitReport& report) {
  if (const auto made = MakeFolder(fs::path(path).parent_path(), 0700); !made) {
    return std::unexpected(made.error());
  }
  const auto generated = token_cache::GenerateKeyFile(path, random);
  if (generated) report.Made(path, "keep a copy apart from the store's backups");
  if (!generated && generated.error().code != ErrorCode::kConflict) {
    return std::unexpected(generated.error());
  }
  const auto fd = token_cache::OpenKeyFile(path);
  if (!fd) return std::unexpected(fd.error());
  auto kek = token_cache::ReadKey(*fd, token_cache::KeySource::kFile, path);
  close(*fd);
  if (!kek) return std::unexpected(kek.error());
  return Wrapping{std::move(*kek), {}};
}

// Only systemd can open the credential: `systemd-run -p LoadCredentialEncrypted=… purser init`.
Result<Wrapping> KeyFromCredential(const std::string& name) {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr) {
    return Fail(ErrorCode::kInvalidRequest,
                "run it where systemd shows the credential: systemd-run --pipe --wait -p "
                "LoadCredentialEncrypted=" +
                    name + " purser init");
  }
  const std::string path = std::string(folder) + "/" + name;
  const auto fd = token_cache::OpenKeyFile(path);
  if (!fd) return std::unexpected(fd.error());
  auto kek = token_cache::ReadKey(*fd, token_cache::KeySource::kSystemdCredential, path);
  close(*fd);
  if (!kek) return std::unexpected(kek.error());
  return Wrapping{std::move(*kek), {}};
}

Result<Wrapping> NewWrapping(const broker::policy::Seal& seal, broker::Random& random,
                             InitReport& report) {
  if (seal.kind == "file") return KeyFromFile(seal.path, random, report);
  if (seal.kind == "systemd-credential") return KeyFromCredential(seal.path);
  auto typed = ReadSecret("passphrase for the store");
  if (!typed) return std::unexpected(typed.error());
  const auto kdf = token_cache::NewPassphraseKdf(random);
  auto kek = token_cache::DeriveKek(*typed, kdf);
  if (!kek) return std::unexpected(kek.error());
  return Wrapping{std::move(*kek), kdf};
}

// Only the broker reaches a vault: it makes the keys when it first starts.
Status InitialiseStore(const broker::policy::Config& config, const std::string& path,
                       InitReport& report) {
  SystemRandom random;
  if (config.seal.kind == "azure-key-vault") {
    return token_cache::SealedStore::InitialiseWithoutKeys(path, random);
  }
  const auto wrapping = NewWrapping(config.seal, random, report);
  if (!wrapping) return std::unexpected(wrapping.error());
  return token_cache::SealedStore::Initialise(path, config.tenant.id, wrapping->kek, wrapping->kdf,
                                              random);
}

}  // namespace

void InitReport::Step(const char* did, const std::string& what, const std::string& note) {
  if (to_.json) {
    steps_.push_back({{"did", did}, {"what", what}});
    if (!note.empty()) steps_.back()["note"] = note;
    return;
  }
  to_.out << did << "      " << what << (note.empty() ? "" : "  (" + note + ")") << '\n';
}

int InitReport::Done(int code) {
  if (to_.json && code == kExitDone) {
    to_.out << nlohmann::ordered_json{{"steps", steps_}}.dump(
                   2, ' ', false, nlohmann::json::error_handler_t::replace)
            << '\n';
  }
  return code;
}

int WriteNewConfig(const NewConfigOptions& options, InitReport& report) {
  const auto there = Exists(options.path);
  if (!there) return report.Complain(there.error().detail);
  if (*there) {
    report.Kept(options.path);
    return kExitDone;
  }
  if (options.tenant.empty()) {
    return report.Complain(options.path +
                           " does not exist; name your tenant: purser init --tenant GUID");
  }
  std::error_code failed;
  fs::create_directories(fs::path(options.path).parent_path() / "agents.d", failed);
  std::ofstream file(options.path);
  file << ConfigText(options);
  if (!file.flush() || chmod(options.path.c_str(), 0644) != 0) {
    return report.Complain("cannot write " + options.path);
  }
  report.Made(options.path, "fill in a credential and an agent");
  return kExitDone;
}

int CreateRoleUsers(InitReport& report) {
  if (geteuid() != 0) return kExitDone;
  for (const char* name : kRoleUsers) {
    if (getpwnam(name) != nullptr) continue;
    const pid_t child = fork();
    if (child == 0) {
      execlp("useradd", "useradd", "--system", "--user-group", "--no-create-home", "--shell",
             "/usr/sbin/nologin", name, static_cast<char*>(nullptr));
      _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
      return report.Complain(std::string("cannot create the user ") + name + " with useradd");
    }
    report.Made(std::string("user ") + name);
  }
  return kExitDone;
}

int CreateStore(const broker::policy::Config& config, InitReport& report) {
  const std::string folder = config.paths.state + "/store";
  const std::string path = folder + "/store.db";
  const auto torn_down = Exists(config.paths.state + "/" + std::string(ipc::kTornDown));
  const auto made = Exists(path);
  if (!torn_down || !made) {
    return report.Complain((torn_down ? made : torn_down).error().detail);
  }
  if (*torn_down) {
    return report.Complain("an instance was torn down in " + config.paths.state +
                           ", or is being; its ledger is kept there: move the folder away first");
  }
  if (*made) {
    report.Kept(path);
    return kExitDone;
  }
  Status done = MakeFolder(folder, 0700);
  if (done) done = InitialiseStore(config, path, report);
  if (done) done = GiveToBroker(folder);
  if (done) done = GiveToBroker(path);
  if (!done) return report.Complain(done.error().detail);
  const bool waits = config.seal.kind == "azure-key-vault";
  report.Made(
      path, waits ? "its keys are made when purserd first reaches [vault." + config.seal.vault + "]"
                  : "");
  return kExitDone;
}

}  // namespace sidecar::cli
