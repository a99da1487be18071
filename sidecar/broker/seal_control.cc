#include "sidecar/broker/seal_control.h"

#include <utility>

#include "sidecar/broker/unseal_memory.h"
#include "token_cache/key_encryption_key.h"

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Secret, broker::Status;

Status SealControl::UnsealFromDescriptor(const std::string& kind, int fd) {
  const bool from_systemd = kind == "systemd-credential";
  auto kek = kind == "kept"
                 ? ReadFromMemfdSecret(fd)
                 : token_cache::ReadKey(fd,
                                        from_systemd ? token_cache::KeySource::kSystemdCredential
                                                     : token_cache::KeySource::kFile,
                                        "the key of [seal]");
  Status done = Opened(kek ? Unseal(*kek) : std::unexpected(kek.error()));
  if (done) opened_by_next_ = kind == "next";
  return done;
}

Status SealControl::UnsealWithPassphrase(const Secret& passphrase) {
  const token_cache::Kdf kdf = ports_.store.kdf();
  if (kdf.kind != token_cache::KdfKind::kArgon2id) {
    return Fail(ErrorCode::kInvalidRequest, "this store is not sealed with a passphrase");
  }
  const auto kek = token_cache::DeriveKek(passphrase, kdf);
  return Opened(kek ? Unseal(*kek) : std::unexpected(kek.error()));
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

Status SealControl::Unseal(const Secret& kek) {
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
  KeepForSuccessor(kek, {});
  if (!ports_.store.rotation_pending()) return {};
  const auto resumed = ports_.store.ResumeRotation();
  return resumed ? Status{} : std::unexpected(resumed.error());
}

// Where the kernel has no memfd_secret a restarted broker waits for the operator, or reads the key
// file again: nothing is kept, and nothing else changes.
void SealControl::KeepForSuccessor(const Secret& kek, const std::string& which) {
  const auto kept = KeepInMemfdSecret(kek);
  if (!kept) return;
  [[maybe_unused]] const Status sent =
      ports_.supervisor.Send(ipc::MessageType::kKeepUnsealed, which, {kept->get()});
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
  KeepForSuccessor(kek, "next");
  const auto report = ports_.store.RotateSeal(kek, kdf);
  if (report || ports_.store.rotation_pending()) KeepForSuccessor(kek, {});
  if (!report) return std::unexpected(report.error());
  opened_by_next_ = false;
  return report->secrets;
}

std::string SealControl::trouble() {
  const std::scoped_lock lock(mutex_);
  return trouble_;
}

std::string SealControl::advice() const {
  if (!opened_by_next_) return {};
  return "a rotation of the seal was interrupted: the key file of [seal] path opens the store no "
         "longer, the one beside it that ends with .next does; put that in its place";
}

}  // namespace sidecar::broker_role
