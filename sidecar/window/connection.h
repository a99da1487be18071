// sidecar/window/connection.h: one attested connection, from its first byte to its last.
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/window/broker_link.h"
#include "sidecar/window/framer.h"
#include "sidecar/window/shared.h"

namespace sidecar::window {

/// Reads a request, has it answered, writes the answer; and again, until either side ends it. Never
/// waits: each On… does what can be done and returns. One request at a time: what a peer sends
/// meanwhile stays in the kernel. Not thread-safe; an exception leaves it fit for End() alone.
class Connection {
 public:
  /// `slot` is its place among the connections: for Poller, deadlines, turns and AuditReader.
  Connection(Shared& shared, uint32_t slot, ipc::Fd peer, ipc::Fd pair)
      : shared_(shared), slot_(slot), peer_(std::move(peer)), broker_(std::move(pair)) {}
  ~Connection() { End(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Starts to listen to both sides. Ends it where the kernel lacks memory for that.
  void Start();
  /// `what` happened to the agent's socket, or to the pair with the broker.
  void OnPeer(uint32_t what);
  void OnBroker(uint32_t what);
  /// The answer to a question to AuditReader.
  void OnAudit(std::optional<std::string_view> page);
  void OnDeadline();
  /// Another complete request was already there, and it is this connection's turn again.
  void OnTurn();
  /// The window drains: without a request under way this is the end.
  void OnDrain();

  /// Closes both sides and gives the slot back. May be called again.
  void End();
  [[nodiscard]] bool ended() const { return state_ == State::kEnded; }

 private:
  enum class State {
    kReading,    // a request, or waiting for one
    kTurn,       // a complete request waits for the next round
    kAsking,     // the broker
    kAuditing,   // AuditReader
    kWriting,    // an answer that the peer does not take as fast as it is written
    kLingering,  // a refused peer may still be sending
    kEnded,
  };

  // connection.cc: bytes
  void Read();
  void Examine();
  void AwaitRequest();
  void Send(const Reply& reply);
  void SendRest();
  void WipeRest();
  void AfterAnswer();
  void Linger();
  void Listen(uint32_t interest);
  void LoseBroker();
  [[nodiscard]] bool unwanted() const { return shared_.draining || broker_.fd() < 0; }

  // answers.cc: what is answered
  void Begin(const broker::Refusal* refusal);
  void Answer();
  void AnswerToken();
  void AnswerAudit();
  void AnswerApproval();
  void AnswerAdmin();
  void AnswerPlain(ipc::MessageType type);
  void Ask();
  void AskRest();
  void ReceiveAnswer();
  void FailAsking(broker::Reason reason);
  void Refuse(const broker::Refusal& refusal);
  void RefuseLocally(const broker::Refusal& refusal);

  Shared& shared_;
  const uint32_t slot_;
  State state_ = State::kReading;
  ipc::Fd peer_;
  uint32_t interest_ = 0;  // what the poller reports of the peer
  BrokerLink broker_;
  Framer framer_;
  size_t served_ = 0;
  // Of the request that is served:
  bool framed_ = false;     // it was one: where the next begins is known
  bool head_only_ = false;  // a HEAD: the answer has no body
  bool close_ = false;      // the connection ends after the answer
  bool answered_ = false;   // the answer has begun to be sent
  std::string request_id_;
  std::optional<broker::Refusal> recorded_;  // what the broker was asked to record
  std::string rest_;                         // of an answer
  size_t rest_sent_ = 0;
  size_t lingered_ = 0;  // bytes thrown away
};

/// Tells a peer that there is no room for its connection, and ends it. Never waits.
void TurnAway(HttpServer& server, int peer);

}  // namespace sidecar::window
