#include "sidecar/supervisor/teardown.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "broker/base/strict_json.h"
#include "sidecar/ipc/control.h"
#include "sidecar/ipc/write_all.h"
#include "sidecar/supervisor/loaded_config.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using broker::policy::Config, broker::policy::Paths;
using ipc::Fd;
using nlohmann::json;

constexpr size_t kBlockBytes = size_t{64} << 10;
// A report has two hundred tokens and a line for each credential.
constexpr size_t kMaxNoteBytes = size_t{4} << 20;

std::string FileOf(const Paths& paths) { return paths.state + "/" + std::string(ipc::kTornDown); }

std::unexpected<broker::Error> FailOn(const std::string& path) {
  return Fail(ErrorCode::kUnavailable, path + ": " + strerrorname_np(errno));
}

bool SyncFolderOf(const std::string& path) {
  const Fd folder(
      open(path.substr(0, path.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder.valid() && fsync(folder.get()) == 0;
}

// In place: what a file system keeps elsewhere is not reached (SECURITY.md).
Status Overwrite(int fd, const std::string& path) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return FailOn(path);
  if (!S_ISREG(facts.st_mode)) {
    return Fail(ErrorCode::kInvalidRequest, path + ": is not a regular file");
  }
  std::array<char, kBlockBytes> noise{};
  for (auto left = static_cast<uint64_t>(facts.st_size); left > 0;) {
    const size_t size = std::min<uint64_t>(left, noise.size());
    randombytes_buf(noise.data(), size);
    if (!WriteAll(fd, {noise.data(), size})) return FailOn(path);
    left -= size;
  }
  return fsync(fd) == 0 ? Status() : FailOn(path);
}

Result<std::string> Destroy(const std::string& path) {
  const Fd file(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid() && errno == ENOENT) return "is not there";
  if (!file.valid()) return FailOn(path);
  if (Status done = Overwrite(file.get(), path); !done) return std::unexpected(done.error());
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return FailOn(path);
  if (!SyncFolderOf(path)) return FailOn(path);
  return "overwritten and removed";
}

// Those that a note may have.
constexpr std::array<std::pair<std::string_view, TeardownPhase>, 3> kPhases = {{
    {"begun", TeardownPhase::kBegun},
    {"destroying", TeardownPhase::kDestroying},
    {"closed", TeardownPhase::kClosed},
}};

std::string_view NameOf(TeardownPhase phase) {
  return std::ranges::find(kPhases, phase, &std::pair<std::string_view, TeardownPhase>::second)
      ->first;
}

}  // namespace

Result<TeardownNote> ReadTeardown(const Paths& paths) {
  const std::string path = FileOf(paths);
  const Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) return TeardownNote{};
  if (!file.valid()) return FailOn(path);
  std::string text(kMaxNoteBytes, '\0');
  const ssize_t got = pread(file.get(), text.data(), text.size(), 0);
  if (got < 0) return FailOn(path);
  text.resize(static_cast<size_t>(got));
  const auto parsed = broker::ParseStrictJson(text);
  const json phase = parsed && parsed->is_object() ? parsed->value("phase", json()) : json();
  const auto* const known = std::ranges::find_if(
      kPhases, [&](const auto& one) { return phase == json(std::string(one.first)); });
  if (known == kPhases.end()) {
    return Fail(ErrorCode::kCorrupt, path + ": is damaged: somebody else wrote it");
  }
  const auto member = [&](const char* name) { return parsed->value(name, json()); };
  return TeardownNote{.phase = known->second,
                      .report = member("report"),
                      .destroyed = member("destroyed"),
                      .unreadable = member("unreadable"),
                      .ledger = member("ledger")};
}

Status WriteTeardown(const Paths& paths, const TeardownNote& note) {
  json body = {{"v", 1}, {"phase", NameOf(note.phase)}, {"report", note.report}};
  if (!note.destroyed.is_null()) body["destroyed"] = note.destroyed;
  if (!note.unreadable.is_null()) body["unreadable"] = note.unreadable;
  if (!note.ledger.is_null()) body["ledger"] = note.ledger;
  const std::string path = FileOf(paths);
  const std::string next = path + ".new";
  const Fd file(
      open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!file.valid()) return FailOn(next);
  const std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  if (!WriteAll(file.get(), text) || fsync(file.get()) != 0 ||
      rename(next.c_str(), path.c_str()) != 0) {
    return FailOn(next);
  }
  return SyncFolderOf(path) ? Status() : FailOn(path);
}

std::vector<TeardownDeed> DeedsOf(const Config& config) {
  std::vector<TeardownDeed> deeds;
  const auto add = [&deeds](const char* what, const std::string& path) {
    deeds.push_back({what, path, "as root: shred -u " + path});
  };
  const auto& seal = config.seal;
  if (seal.kind == "file") {
    add("the key-encryption key", seal.path);
    add("its successor, of a rotation", seal.path + ".next");
  } else if (seal.kind == "systemd-credential") {
    deeds.push_back({"the key-encryption key",
                     {},
                     "it is systemd's credential " + seal.path +
                         ": shred -u the file that LoadCredentialEncrypted= of the unit names"});
  } else if (seal.kind == "azure-key-vault") {
    const auto vault = config.vaults.find(seal.vault);
    deeds.push_back({"the wrapping key",
                     {},
                     "it is yours; its wrapped copy goes with the store. az keyvault key delete "
                     "--id " +
                         (vault == config.vaults.end() ? std::string() : vault->second.url) +
                         "/keys/" + seal.key + ", and az keyvault key purge after it"});
  } else {
    deeds.push_back({"the passphrase",
                     {},
                     "it is kept by people: take it out of where they keep it; what it is mixed "
                     "with goes with the store"});
  }
  const std::string store = StoreFile(config.paths);
  add("the store", store);
  add("the store's log", store + "-wal");
  add("the store's index of its log", store + "-shm");
  add("the store's journal", store + "-journal");
  add("a store that was never finished", store + ".new");
  return deeds;
}

json CarryOut(const TeardownDeed& deed) {
  json told = {{"what", deed.what}, {"path", deed.path}, {"done", false}};
  if (deed.path.empty()) {
    told["detail"] = "not purser's to destroy";
    told["by_hand"] = deed.by_hand;
    return told;
  }
  const auto destroyed = Destroy(deed.path);
  told["done"] = destroyed.has_value();
  told["detail"] = destroyed ? *destroyed : destroyed.error().detail;
  if (!destroyed) told["by_hand"] = deed.by_hand;
  return told;
}

json CarryOutAll(const std::vector<TeardownDeed>& deeds) {
  json all = json::array();
  for (const TeardownDeed& deed : deeds) all.push_back(CarryOut(deed));
  return all;
}

json TryToOpen(const Config& config, const std::string& credentials_directory) {
  json told = json::array();
  const auto keys = OpenSealKeys(config.seal, credentials_directory);
  if (!keys) told.push_back("the key: " + keys.error().detail);
  if (keys && keys->empty())
    told.push_back("the key: purser has none of [seal] kind \"" + config.seal.kind + "\"");
  if (keys && !keys->empty()) told.push_back("the key: STILL THERE");
  const std::string store = StoreFile(config.paths);
  const Fd file(open(store.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  told.push_back(store + ": " + (file.valid() ? "STILL THERE" : strerrorname_np(errno)));
  return told;
}

std::string TornDownText(const Paths& paths) {
  return "this instance was torn down: its keys and its store are destroyed, its ledger is closed "
         "and kept in " +
         LedgerDir(paths) + ". The report: purser teardown --report. For a new instance move " +
         paths.state + " away first, then: purser init";
}

}  // namespace sidecar::supervisor
