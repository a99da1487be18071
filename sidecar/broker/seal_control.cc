#include "sidecar/broker/seal_control.h"

#include <exception>
#include <utility>

#include "sidecar/broker/unseal_memory.h"
#include "token_cache/key_encryption_key.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Secret, broker::Status;
using token_cache::KdfKind;

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
  // This is the thread that serves the supervisor: it does not wait for a vault. If that does not
  // open the store, the supervisor is asked for its keys again.
  const std::unique_lock turn(vault_turn_, std::try_to_lock);
  if (!turn) return {};
  return Opened(OrOutOfMemory([&]() -> Status {
    const auto kek = ReadKey(kind, fd);
    if (!kek) return std::unexpected(kek.error());
    return Unseal(*kek, kind == "next" || kind == "kept-next");
  }));
}

Status SealControl::UnsealFromVault() {
  const std::scoped_lock turn(vault_turn_);
  if (usable_) return {};
  if (std::exchange(vault_unasked_, false)) NoteTrouble("sealed: a key vault is asked for the key");
  return Opened(OrOutOfMemory([&]() -> Status {
    const token_cache::Kdf kdf = ports_.store.kdf();
    if (ports_.vault == nullptr || kdf.kind != KdfKind::kKeyVault) {
      return Fail(
          ErrorCode::kInvalidRequest,
          "the store was made with another [seal] kind than \"azure-key-vault\": write that "
          "one again, or move the store away, make a new one (purser init) and enrol anew");
    }
    if (!ports_.store.has_keys()) return SealFirst();
    const auto kek = ports_.vault->Unwrap(kdf.wrapping);
    return kek ? Unseal(*kek, /*by_next=*/false) : std::unexpected(kek.error());
  }));
}

Result<Secret> SealControl::ReadKey(const std::string& kind, int fd) {
  using token_cache::KeySource;
  if (kind == "kept" || kind == "kept-next") return ReadFromMemfdSecret(fd);
  const bool from_systemd = kind == "systemd-credential";
  return token_cache::ReadKey(fd, from_systemd ? KeySource::kSystemdCredential : KeySource::kFile,
                              "the key of [seal]");
}

Status SealControl::UnsealWithPassphrase(const Secret& passphrase) {
  const token_cache::Kdf kdf = ports_.store.kdf();
  if (kdf.kind != KdfKind::kArgon2id) {
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
    accepts_restored_ = false;
  } else {
    trouble_ = done.error().detail;
    does_not_fit_ = done.error().code == ErrorCode::kConflict;
  }
  return done;
}

Result<token_cache::GenerationBounds> SealControl::Bounds() {
  const auto ledger = ports_.ledger.Query();
  if (!ledger) return std::unexpected(ledger.error());
  // A ledger that could not read its files knows of no generation.
  if (ledger->latched) {
    return Fail(ErrorCode::kUnavailable, "the ledger is latched: " + ledger->latch_reason);
  }
  return token_cache::GenerationBounds{.confirmed = ledger->store_confirmed,
                                       .intended = ledger->store_intended,
                                       .accept_restored = accepts_restored_};
}

// What the vault has wrapped is kept with the first keys or not at all: after a crash in between
// the next start makes another key.
Status SealControl::SealFirst() {
  const auto bounds = Bounds();
  if (!bounds) return std::unexpected(bounds.error());
  const Secret kek = token_cache::NewKek(ports_.random);
  const auto kdf = ports_.vault->Wrap(kek);
  if (!kdf) return std::unexpected(kdf.error());
  Status sealed = ports_.store.FirstSeal(kek, *kdf, *bounds);
  if (sealed) sealed = on_unsealed_();
  if (sealed) NoteKept(KeepForSuccessor(kek, {}));
  return sealed;
}

Status SealControl::Unseal(const Secret& kek, bool by_next) {
  if (forgotten_) return Fail(ErrorCode::kUnavailable, "torn down");
  const auto bounds = Bounds();
  if (!bounds) return std::unexpected(bounds.error());
  Status opened = ports_.store.Unseal(kek, *bounds);
  if (opened) opened = on_unsealed_();
  if (!opened) return opened;
  opened_by_next_ = by_next && ports_.store.kdf().kind == KdfKind::kNone;
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

Status SealControl::AcceptRestored() {
  const std::scoped_lock lock(mutex_);
  if (usable_) {
    return Fail(ErrorCode::kConflict,
                "the store is open and fits the ledger: there is nothing to accept");
  }
  if (!does_not_fit_) {
    return Fail(ErrorCode::kConflict, "the store is closed, but for another reason: " + trouble_);
  }
  accepts_restored_ = true;
  return {};
}

std::string SealControl::Forget() {
  forgotten_ = true;
  usable_ = false;
  ports_.store.Forget();
  NoteTrouble("torn down");
  const auto read = ports_.store.List();
  return read ? "STILL OPEN" : read.error().detail;
}

void SealControl::AskForKeys() {
  if (usable_) return;
  [[maybe_unused]] const Status sent = ports_.supervisor.Send(ipc::MessageType::kOfferKeys);
}

Result<SealControl::NewKey> SealControl::MakeNewKey(const broker::policy::Seal& seal,
                                                    const Secret& typed) {
  NewKey made;
  if (seal.kind == "azure-key-vault") {
    made.kek = token_cache::NewKek(ports_.random);
    auto wrapped = ports_.vault->Wrap(made.kek);
    if (!wrapped) return std::unexpected(wrapped.error());
    made.kdf = std::move(*wrapped);
    return made;
  }
  if (seal.kind == "passphrase") made.kdf = token_cache::NewPassphraseKdf(ports_.random);
  auto kek = seal.kind == "passphrase" ? token_cache::DeriveKek(typed, made.kdf)
                                       : token_cache::ParseKey(typed.Clone(), "the new key");
  if (!kek) return std::unexpected(kek.error());
  made.kek = std::move(*kek);
  return made;
}

Result<uint64_t> SealControl::Rotate(const broker::policy::Seal& seal, const Secret& typed) {
  if (!usable_) return Fail(ErrorCode::kUnavailable, "the store is sealed");
  const auto made = MakeNewKey(seal, typed);
  if (!made) return std::unexpected(made.error());
  const auto& [kek, kdf] = *made;
  // From the first commit on only the new key opens the store; a successor is given both.
  NoteKept(KeepForSuccessor(kek, "next"));
  const auto report = ports_.store.RotateSeal(kek, kdf);
  if (report || ports_.store.rotation_pending()) NoteKept(KeepForSuccessor(kek, {}));
  if (!report) return std::unexpected(report.error());
  opened_by_next_ = false;
  return report->secrets;
}

void SealControl::NoteTrouble(const std::string& trouble) {
  const std::scoped_lock lock(mutex_);
  trouble_ = trouble;
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
  // A successor reads the key file or asks the key vault again, and nobody has to do anything.
  if (!usable_ || ports_.store.kdf().kind != KdfKind::kArgon2id) return {};
  const std::scoped_lock lock(mutex_);
  if (not_kept_.empty()) return {};
  return "the key could not be kept for a restart of the broker (" + not_kept_ +
         "): should it die, unseal the store again (purser unseal)";
}

}  // namespace sidecar::broker_role
