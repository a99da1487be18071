// sidecar/ipc/messages.h: every message between the roles. IPC.md says who sends which, and when.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/ledger/entry.h"
#include "broker/policy/facts.h"
#include "broker/token_request.h"

namespace sidecar::ipc {

/// First byte of every message. Append only.
enum class MessageType : uint8_t {
  // window -> broker, on a connection's own pair
  kTokenRequest = 1,
  kWhoami,
  kReady,
  kRejected,      // the window refused the bytes itself: for the trace in the ledger
  kAdminRequest,  // admin windows only
  kAnswer,        // broker -> window, one for each of these
  kApproval,      // an agent asks what became of one of its own

  // supervisor -> role, on the role's control pair (descriptor 3)
  kConnection = 20,    // to window: fds {peer, pair}; to broker: fds {pair, pidfd if any}
  kConfigure,          // to broker: fds {sealed memfd with the configuration, CA bundle (PEM)};
                       // answered by kConfigured
  kCommitConfig,       // the last kConfigure takes effect
  kAbortConfig,        // it does not
  kHosts,              // to dialer: the host list, answered by kConfigured
  kBrokerChannel,      // to ledger, dialer: fd {pair to the broker}
  kSupervisorChannel,  // to ledger: fd {pair to the supervisor, for its own entries}
  kDialerChannel,      // to broker: fd {pair to the dialer}; to ledger: fd {pair to the dialer}
  kLedgerChannel,      // to broker, dialer: fd {pair to the ledger}
  kReaderChannel,      // to ledger, window: fd {pair between the two}, with the agent's name
  kUnseal,             // to broker: fd {key file, or memfd_secret kept from its predecessor}; one
                       // for each key there is, the first that opens the store counts
  kStop,               // drain and exit
  kStatusReport,       // to broker: JSON about the roles, the answer to kStatusQuery
  kReloadReport,       // to broker: the answer to kReloadRequest
  kPing,               // to broker, ledger, dialer: answered by kWatchdog
  kOpenedFile,         // to broker: fd {the file}, or why there is none; the answer to kOpenFile
  kStopAgents,         // to broker: all agents are stopped, from now on ("") or for as long as a
                       // file is there ("file"), which is over with "file-gone"
  kKeysDestroyed,      // to broker: what became of each, as JSON; the answer to kDestroyKeys

  // role -> supervisor, on the control pair
  kStarted = 60,   // hardened and listening; carries the self-test's findings
  kConfigured,     // prepared, or the reason why not
  kKeepUnsealed,   // broker: fd {memfd_secret}
  kStatusQuery,    // broker: for an operator
  kReloadRequest,  // broker: for an operator
  kStopped,        // drained
  kWatchdog,       // the answer to kPing, from the thread that does the role's work
  kOfferKeys,      // broker: answered by kUnseal, with all keys there are
  kLatched,        // ledger: why it denies from now on, or empty: it writes again
  kOpenFile,       // broker: a place that the configuration names
  kDestroyKeys,    // broker: a step of a teardown, as JSON: the keys and the store, or the end

  // to the ledger, on the channels of broker, supervisor and dialer
  kAppend = 80,
  kAcks,          // ledger -> appender: one or more results
  kLedgerQuery,   // state: latched, head, store generations
  kLedgerState,   // its answer
  kLedgerResume,  // an operator's `purser ledger resume`
  // window -> ledger, on the window's reader channel
  kReadAudit,
  kAuditPage,  // its answer
  // broker -> ledger
  kLedgerArchive,   // an operator's `purser ledger archive`: what to move, as JSON
  kLedgerArchived,  // ledger -> broker: what was moved, as JSON

  // broker -> dialer: fd {stream socket end that SOCKS5 is spoken on}
  kDial = 100,
};

/// The type byte, or nothing for an empty message or an unknown type.
std::optional<MessageType> TypeOf(std::string_view message);

// Each message has EncodeX (appends to *out, type byte first) and DecodeX (kCorrupt on anything
// but exactly one well-formed message of that type, within the limits of its fields).

struct TokenRequestMessage {
  std::string request_id;  // UUIDv7 made by the window
  broker::TokenRequest request;
};
void Encode(const TokenRequestMessage& message, std::string* out);
broker::Result<TokenRequestMessage> DecodeTokenRequest(std::string_view bytes);

/// kWhoami and kReady.
struct PlainRequest {
  MessageType type;
  std::string request_id;
};
void Encode(const PlainRequest& message, std::string* out);
broker::Result<PlainRequest> DecodePlainRequest(std::string_view bytes);

/// kApproval.
struct ApprovalQuestion {
  std::string request_id;
  std::string id;
};
void Encode(const ApprovalQuestion& message, std::string* out);
broker::Result<ApprovalQuestion> DecodeApprovalQuestion(std::string_view bytes);

struct Rejected {
  std::string request_id;
  broker::Reason reason;
  std::string hint;  // for the answer alone, where it follows the reason's description
};
void Encode(const Rejected& message, std::string* out);
broker::Result<Rejected> DecodeRejected(std::string_view bytes);

struct AdminRequest {
  std::string request_id;
  std::string method;        // "GET", "POST", "PUT"
  std::string path;          // "/v1/status"
  std::string body;          // JSON or empty; secrets in it are sealed to the broker's key
  std::string session = {};  // of a person who is signed in, as the broker gave it out; empty: none
};
void Encode(const AdminRequest& message, std::string* out);
broker::Result<AdminRequest> DecodeAdminRequest(std::string_view bytes);

/// What the window writes to its peer. The body is JSON, made by the broker.
struct Answer {
  uint16_t status = 500;
  uint32_t retry_after_s = 0;  // 0: no header
  std::string_view body;       // borrowed from the message on decoding
};
void Encode(const Answer& message, std::string* out);
broker::Result<Answer> DecodeAnswer(std::string_view bytes);

/// To window and broker. The broker gets the facts, the window only the peer's name.
struct Connection {
  std::string agent;  // "" on the admin socket
  bool admin = false;
  broker::policy::Facts facts;
};
void Encode(const Connection& message, std::string* out);
broker::Result<Connection> DecodeConnection(std::string_view bytes);

/// Messages that carry one text (or none) beside their type: kConfigured (empty: prepared; else the
/// reason), kReaderChannel (agent), kUnseal ("file" | "next" | "systemd-credential" |
/// "kept" | "kept-next"), kKeepUnsealed ("" | "next": besides the one before | "as-next": the key
/// of the file "next"), kHosts ("host:port" lines, "direct " before those that no proxy leads to,
/// then "proxy <url>"), kStarted (findings as JSON, see IPC.md), kStatusReport,
/// kReloadReport, kReloadRequest ("" | "dry-run"), kLatched (reason), kOpenFile (place),
/// kOpenedFile (empty, or an error), and all without content.
struct TextMessage {
  MessageType type;
  std::string text;
};
void Encode(const TextMessage& message, std::string* out);
broker::Result<TextMessage> DecodeText(std::string_view bytes);

struct Append {
  uint64_t id = 0;  // chosen by the appender; unique on its channel while unanswered
  broker::ledger::Entry entry;
};
void Encode(const Append& message, std::string* out);
/// Adds an encoded Append to a frame that holds others; false: it does not fit.
bool JoinAppend(std::string_view message, std::string* frame);
/// All of a frame, one at least, or an error.
broker::Result<std::vector<Append>> DecodeAppends(std::string_view bytes);

struct Ack {
  uint64_t id = 0;
  uint8_t error = 0;  // 0: durable; else a broker::ErrorCode
  uint64_t seq = 0;
  std::string_view leaf;    // 32 bytes; borrowed
  std::string_view detail;  // with an error; borrowed
};
void EncodeAcks(const std::vector<Ack>& acks, std::string* out);
broker::Result<std::vector<Ack>> DecodeAcks(std::string_view bytes);

struct LedgerState {
  bool latched = false;
  std::string latch_reason;  // "sync failed: EIO"
  uint64_t seq = 0;
  std::string leaf_hex;
  uint64_t store_intended = 0;   // highest store generation announced
  uint64_t store_confirmed = 0;  // highest store generation confirmed
  bool all_killed = false;
  std::vector<std::string> killed;  // agents stopped by name
};
void Encode(const LedgerState& message, std::string* out);
broker::Result<LedgerState> DecodeLedgerState(std::string_view bytes);

struct ReadAudit {
  uint64_t after = 0;
  uint32_t limit = 0;
};
void Encode(const ReadAudit& message, std::string* out);
broker::Result<ReadAudit> DecodeReadAudit(std::string_view bytes);

/// `body` is the JSON answer of GET /v1/audit: {"entries":[…],"next":N}.
struct AuditPage {
  std::string_view body;  // borrowed
};
void Encode(const AuditPage& message, std::string* out);
broker::Result<AuditPage> DecodeAuditPage(std::string_view bytes);

}  // namespace sidecar::ipc
