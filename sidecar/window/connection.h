// sidecar/window/connection.h: one attested connection, from its first byte to its last.
#pragma once
#include <string>
#include <string_view>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/window/audit_reader.h"
#include "sidecar/window/broker_link.h"
#include "sidecar/window/framer.h"
#include "sidecar/window/http_server.h"
#include "sidecar/window/routes.h"
#include "sidecar/window/timing.h"

namespace sidecar::window {

/// What all connections of a window share. Thread-safe parts only; borrowed.
struct Shared {
  Socket socket = Socket::kAgent;
  Timing timing;
  HttpServer& server;
  AuditReader& audit;
  int stop_event = -1;  // readable once the window drains
};

/// Blocking code on a thread of its own. Reads a request, has it answered, writes the answer; and
/// again, until either side ends it.
class Connection {
 public:
  Connection(const Shared& shared, ipc::Fd peer, ipc::Fd pair)
      : shared_(shared), peer_(std::move(peer)), broker_(std::move(pair)) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Run();

 private:
  enum class Got { kRequest, kRefusal, kEnd };
  enum class Woken { kReadable, kDeadline, kEnd };

  Got Read();
  Woken WaitForBytes(Deadline deadline, bool started) const;
  bool ReceiveSome();
  void Linger();

  Reply AnswerRequest();
  Reply AnswerToken();
  Reply AnswerAudit();
  Reply AnswerAdmin();
  Reply Forward(std::string_view message);
  Reply Refuse(const broker::Refusal& refusal);
  Reply RefuseLocally(const broker::Refusal& refusal);
  bool WriteReply();

  const Shared& shared_;
  ipc::Fd peer_;
  BrokerLink broker_;
  Framer framer_;
  broker::Refusal refusal_;  // of the bytes that are no request
  std::string request_id_;
  std::string message_;  // to the broker
  std::string body_;     // of an answer made here
  std::string out_;
  bool close_ = false;      // after the answer
  bool peer_gone_ = false;  // nobody reads an answer
};

/// Tells a peer that there is no room for its connection, and ends it. Never waits.
void TurnAway(HttpServer& server, int peer);

}  // namespace sidecar::window
