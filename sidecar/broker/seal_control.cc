#include "sidecar/broker/seal_control.h"

#include <exception>
#include <utility>

#include "sidecar/broker/unseal_memory.h"
#include "token_cache/key_encryption_key.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Secret, broker::Status;

namespace {

// The arena of secrets is full, or the heap is: this key was not tried, and the broker lives.
Status OrOutOfMemory(const std::function<Status()>& unseal) {
  try {
    return unseal();
  } catch (const std::exception&) {
    return Fail(ErrorCode::kUnavailable, "no memory to open the store");
  }
}

}  // namespace

Status SealControl::UnsealFromDescriptor(const std::string& kind, int fd) {
  return Opened(OrOutOfMemory([&]() -> Status {
    const auto kek = ReadKey(kind, fd);
    if (!kek) return std::unexpected(kek.error());
    return Unseal(*kek, kind == "next" || kind == "kept-next");
  }));
}

broker::Result<Secret> SealControl::ReadKey(const std::string& kind, int fd) {
  using token_cache::KeySource;
  if (kind == "kept" || kind == "kept-next") return ReadFromMemfdSecret(fd);
  const bool from_systemd = kind == "systemd-credential";
  return token_cache::ReadKey(fd, from_systemd ? KeySource::kSystemdCredential : KeySource::kFile,
                              "the key of [seal]");
}

Status SealControl::UnsealWithPassphrase(const Secret& passphrase) {
  const token_cache::Kdf kdf = ports_.store.kdf();
  if (kdf.kind != token_cache::KdfKind::kArgon2id) {
    return Fail(ErrorCode::kInvalidRequest, "this store is not sealed with a passphrase");
  }
  return Opened(OrOutOfMemory([&]() -> Status {
    const auto kek = token_cache::DeriveKek(passphrase, kdf);
    return kek ? Unseal(*kek, /*by_next=*/false) : std::unexpected(kek.error());
  }));
}

// Only the first success counts: a wrong passphrase behind it changes nothing.
Status SealControl::Opened(Status done) {
  const std::scoped_lock lock(mutex_);
  if (done) usable_ = true;
  if (usable_) {
    trouble_.clear();
  } else {
    trouble_ = done.error().detail;
  }
  return done;
}

Status SealControl::Unseal(const Secret& kek, bool by_next) {
  const auto ledger = ports_.ledger.Query();
  if (!ledger) return std::unexpected(ledger.error());
  // A ledger that could not read its files knows of no generation.
  if (ledger->latched) {
    return Fail(ErrorCode::kUnavailable, "the ledger is latched: " + ledger->latch_reason);
  }
  Status opened = ports_.store.Unseal(
      kek, {.confirmed = ledger->store_confirmed, .intended = ledger->store_intended});
  if (opened) opened = on_unsealed_();
  if (!opened) return opened;
  opened_by_next_ = by_next && ports_.store.kdf().kind == token_cache::KdfKind::kNone;
  NoteKept(KeepForSuccessor(kek, opened_by_next_ ? "as-next" : ""));
  if (!ports_.store.rotation_pending()) return {};
  const auto resumed = ports_.store.ResumeRotation();
  return resumed ? Status{} : std::unexpected(resumed.error());
}

// Where the kernel has no memfd_secret a restarted broker waits for the operator, or reads the key
// file again: nothing is kept, and nothing else changes.
Status SealControl::KeepForSuccessor(const Secret& kek, const std::string& which) {
  const auto kept = KeepInMemfdSecret(kek);
  if (!kept) return std::unexpected(kept.error());
  return ports_.supervisor.Send(ipc::MessageType::kKeepUnsealed, which, {kept->get()});
}

void SealControl::NoteKept(const Status& kept) {
  const std::scoped_lock lock(mutex_);
  not_kept_ = kept ? "" : kept.error().detail;
}

void SealControl::AskForKeys() {
  if (usable_) return;
  [[maybe_unused]] const Status sent = ports_.supervisor.Send(ipc::MessageType::kOfferKeys);
}

broker::Result<uint64_t> SealControl::Rotate(const broker::policy::Seal& seal,
                                             const Secret& new_key) {
  token_cache::Kdf kdf;
  Secret kek;
  if (seal.kind == "passphrase") {
    kdf = token_cache::NewPassphraseKdf(ports_.random);
    auto derived = token_cache::DeriveKek(new_key, kdf);
    if (!derived) return std::unexpected(derived.error());
    kek = std::move(*derived);
  } else {
    auto parsed = token_cache::ParseKey(new_key.Clone(), "the new key");
    if (!parsed) return std::unexpected(parsed.error());
    kek = std::move(*parsed);
  }
  // From the first commit on only the new key opens the store; a successor is given both.
  NoteKept(KeepForSuccessor(kek, "next"));
  const auto report = ports_.store.RotateSeal(kek, kdf);
  if (report || ports_.store.rotation_pending()) NoteKept(KeepForSuccessor(kek, {}));
  if (!report) return std::unexpected(report.error());
  opened_by_next_ = false;
  return report->secrets;
}

std::string SealControl::trouble() {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

std::string SealControl::advice() const {
  if (opened_by_next_) {
    return "a rotation of the seal was interrupted: the key file of [seal] path opens the store no "
           "longer, the one beside it that ends with .next does; put that in its place";
  }
  // With a key file the successor reads it again, and nobody has to do anything.
  if (!usable_ || ports_.store.kdf().kind == token_cache::KdfKind::kNone) return {};
  const std::scoped_lock lock(mutex_);
  if (not_kept_.empty()) return {};
  return "the key could not be kept for a restart of the broker (" + not_kept_ +
         "): should it die, unseal the store again (purser unseal)";
}

}  // namespace sidecar::broker_role
