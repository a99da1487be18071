// broker/rotation_journal.h: how far the rotation of one credential has come, kept in the store.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/random.h"
#include "broker/ports/sealed_store.h"

namespace broker {

/// Written by its name: see RotationStepName().
enum class RotationStep : uint8_t {
  kIdle,       // none is under way; the rest says how the last one ended
  kAdding,     // Entra may or may not have the new one
  kProving,    // Entra has it; whether it works everywhere is not known yet
  kSwitching,  // it was proven; the vault may or may not have it
  kGrace,      // it is in use; the old one is still good at Entra
  kUndoing,    // it is given up: removed at Entra; the old one is in use
};
std::string_view RotationStepName(RotationStep step);

/// One row of the store for each credential that was ever rotated, or is to be on a schedule. It is
/// never deleted: of a key that never leaves its vault it also says which version is in use.
/// Times in seconds since the epoch; 0: never.
struct RotationJournal {
  RotationStep step = RotationStep::kIdle;
  std::string object_id;  // the application's
  // The ids of the two at Entra. While idle old_key is empty and new_key is the one in use, if its
  // id is known.
  std::string old_key, new_key;
  std::string label;  // what the new one is called at Entra: of this rotation alone
  std::string old_version, new_version;  // of the secret in its vault
  std::string place;                     // of a key that never leaves it: KeyPlace(); else empty
  std::string request_id;                // of the request that began it
  std::string failure;                   // idle: why the last one failed; empty: it did not
  bool blind = false;                    // the registration cannot be read
  int64_t since = 0;                     // when the step began
  int64_t started = 0;
  int64_t grace = 0;         // how long the old one stays good, in seconds
  int64_t remove_after = 0;  // kGrace
  int64_t rotated = 0;       // when one was last in use for the first time
  int64_t jitter = 0;        // of the schedule, in thousandths
  Secret secret;  // the new one, from before Entra knows it (a certificate) or from the moment that
                  // Entra has made it (a client secret), until the vault has it
};

/// For RotationJournal::jitter.
int64_t NewJitter(Random& random);

/// Of a key that never leaves its vault. A credential that names another one later starts anew.
std::string KeyPlace(const std::string& vault, const std::string& name);
/// The version in use of the key at `place`: what a rotation switches. Empty: no rotation of this
/// key ever began, and the newest is.
std::string ActiveVersion(const RotationJournal& journal, const std::string& place);
/// The same by the row in the store. Errors: those of the store · kCorrupt.
Result<std::string> ActiveVersion(SealedStore& store, const std::string& credential,
                                  const std::string& place);

/// Where it is kept. No credential's name has a slash.
SecretId RotationJournalId(const std::string& credential);

/// The secret goes from arena to arena. Canonical JSON in one line, a newline, the secret.
Secret EncodeRotationJournal(const RotationJournal& journal);
/// Errors: kCorrupt; the detail names the field.
Result<RotationJournal> ParseRotationJournal(const Secret& row);

}  // namespace broker
