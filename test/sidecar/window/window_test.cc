#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "broker/answer.h"
#include "window_process.h"

using namespace window_test;
using broker::Reason;
using nlohmann::json;

namespace {

const std::string kToken = R"({"token_type":"Bearer","access_token":"eyJ.canary.sig"})";

// Plays the broker: a token for Mail.Read, a recorded refusal for what the window refused.
std::string PlayBroker(const std::string& message) {
  if (const auto token = ipc::DecodeTokenRequest(message)) {
    if (token->request.scopes == std::vector<std::string>{"Mail.Read"}) return Answer(200, kToken);
    return Answer(403, broker::RenderRefusal({Reason::kNoRule, {}, {}, {}}, token->request_id, {}));
  }
  if (const auto rejected = ipc::DecodeRejected(message)) {
    const broker::AuditRef audit{"log", 7, "ab"};
    return Answer(static_cast<uint16_t>(broker::Describe(rejected->reason).http_status),
                  broker::RenderRefusal({rejected->reason, rejected->hint, {}, {}},
                                        rejected->request_id, audit));
  }
  if (const auto admin = ipc::DecodeAdminRequest(message)) {
    return Answer(
        200, json{{"method", admin->method}, {"path", admin->path}, {"body", admin->body}}.dump());
  }
  if (const auto plain = ipc::DecodePlainRequest(message)) {
    return Answer(200, plain->type == ipc::MessageType::kWhoami ? R"({"agent":"helpdesk"})"
                                                                : R"({"ready":true})");
  }
  return {};
}

json BodyOf(const std::string& answer) {
  return json::parse(answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4)), nullptr,
                     false);
}

struct AgentWindow : WindowProcess {
  explicit AgentWindow(Answerer broker = PlayBroker)
      : WindowProcess({"--agent", "helpdesk"}, std::move(broker)) {
    REQUIRE(ipc::TypeOf(Receive()) == ipc::MessageType::kStarted);
  }
};

}  // namespace

TEST_CASE("An agent gets its token, and another on the same connection") {
  AgentWindow window;
  const auto peer = window.Connect();
  for (int i = 0; i < 3; ++i) {
    Write(peer, Post(R"({"scopes":["Mail.Read"]})"));
    const std::string answer = ReadAnswer(peer);
    CHECK(StatusOf(answer) == 200);
    CHECK(BodyOf(answer) == json::parse(kToken));
    CHECK(answer.find("Cache-Control: no-store") != std::string::npos);
    CHECK(answer.find("Content-Type: application/json") != std::string::npos);
  }
}
