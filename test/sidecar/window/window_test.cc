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

TEST_CASE("Pipelined requests are answered in order, and the last one's wish to close is obeyed") {
  AgentWindow window;
  const auto peer = window.Connect();
  std::string closing = Get("/readyz");
  closing.insert(closing.find("\r\n") + 2, "Connection: close\r\n");
  Write(peer, Get("/healthz") + Post(R"({"scopes":["Mail.Read"]})") + Get("/v1/whoami") + closing);
  CHECK(BodyOf(ReadAnswer(peer))["status"] == "ok");
  CHECK(BodyOf(ReadAnswer(peer))["token_type"] == "Bearer");
  CHECK(BodyOf(ReadAnswer(peer))["agent"] == "helpdesk");
  const std::string last = ReadAnswer(peer);
  CHECK(BodyOf(last)["ready"] == true);
  CHECK(last.find("Connection: close") != std::string::npos);
  CHECK(AtEnd(peer));
}

TEST_CASE(
    "What the window refuses says what to send, is recorded for the token route, and is typed") {
  AgentWindow window;
  // clang-format off
  struct Row { std::string what; std::string bytes; int status; const char* reason; bool recorded; };
  const Row rows[] = {
      {"unknown field",      Post(R"({"scopes":["a"],"color":1})"),                             400, "unknown_field",          true},
      {"duplicate",          Post(R"({"scope":"a","scope":"b"})"),                              400, "duplicate_field",        true},
      {"text",               Post("hello", "text/plain"),                                       415, "unsupported_media_type", true},
      {"form as JSON",       Post("scope=a"),                                                   400, "malformed_json",         true},
      {"secret",             Post("grant_type=client_credentials&scope=a&client_secret=x", "application/x-www-form-urlencoded"), 400, "client_secret_sent", true},
      {"no rule",            Post(R"({"scopes":["Mail.Send"]})"),                               403, "no_rule",                false},
      {"a query",            "POST /v1/token?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, "unknown_field",       true},
      {"chunked",            "POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "length_required", true},
      {"too large",          "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413, "content_too_large",   true},
      {"expect",             "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", 417, "expectation_failed", true},
      {"HEAD",               "HEAD /v1/token HTTP/1.1\r\nHost: x\r\n\r\n",                       405, "",                       true},
      {"wrong method",       Get("/v1/token"),                                                   405, "method_not_allowed",     true},
      {"unknown route",      Get("/v1/tokens"),                                                  404, "not_found",              false},
      {"operators' route",   Get("/v1/status"),                                                  404, "not_found",              false},
      {"large head",         "GET / HTTP/1.1\r\nX: " + std::string(9000, 'a'),                   431, "head_too_large",         false},
      {"binary",             std::string("\x16\x03\x01\x00", 4),                                 400, "malformed_request",      false},
      {"bad query",          Get("/v1/audit?before=1"),                                          400, "unknown_field",          false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    const auto peer = window.Connect();
    Write(peer, row.bytes);
    const bool head_only = row.bytes.starts_with("HEAD");
    std::string answer;
    if (head_only) {
      shutdown(peer.get(), SHUT_WR);
      char c = 0;
      while (recv(peer.get(), &c, 1, 0) == 1) answer.push_back(c);
      CHECK(answer.ends_with("\r\n\r\n"));
    } else {
      answer = ReadAnswer(peer);
    }
    CHECK(StatusOf(answer) == row.status);
    if (row.status == 405) CHECK(answer.find("Allow: POST\r\n") != std::string::npos);
    if (head_only) continue;
    const json body = BodyOf(answer);
    CHECK(body["reason"] == row.reason);
    CHECK(body["request_id"].get<std::string>().size() == 36);
    CHECK(body.contains("audit") == row.recorded);
  }
}

TEST_CASE("Bytes that are no request end the connection; a request that is refused does not") {
  AgentWindow window;
  const auto kept = window.Connect();
  Write(kept, Get("/nowhere") + Get("/healthz"));
  CHECK(StatusOf(ReadAnswer(kept)) == 404);
  CHECK(StatusOf(ReadAnswer(kept)) == 200);

  const auto ended = window.Connect();
  Write(ended, "POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   Get("/healthz"));
  const std::string answer = ReadAnswer(ended);
  CHECK(StatusOf(answer) == 411);
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(AtEnd(ended));
}

TEST_CASE("A peer in the middle of a large body still gets to read why it was refused") {
  AgentWindow window;
  const auto peer = window.Connect();
  Write(peer, "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n");
  Write(peer, std::string(999999, 'a'));  // more than the socket's buffer
  CHECK(StatusOf(ReadAnswer(peer)) == 413);
}

TEST_CASE("A broker that dies in the middle of a request costs a clear answer and the connection") {
  AgentWindow window([](const std::string&) { return std::string(); });
  const auto peer = window.Connect();
  Write(peer, Post(R"({"scopes":["Mail.Read"]})"));
  const std::string answer = ReadAnswer(peer);
  CHECK(StatusOf(answer) == 503);
  CHECK(BodyOf(answer)["reason"] == "restarting");
  CHECK(answer.find("Retry-After: 1\r\n") != std::string::npos);
  CHECK(AtEnd(peer));
}

TEST_CASE("A broker that answers nonsense is treated as gone, and nothing of it is passed on") {
  AgentWindow window(
      [](const std::string&) { return std::string("\x06nonsense with eyJ.canary"); });
  const auto peer = window.Connect();
  Write(peer, Get("/v1/whoami"));
  const std::string answer = ReadAnswer(peer);
  CHECK(StatusOf(answer) == 503);
  CHECK(answer.find("canary") == std::string::npos);
}

TEST_CASE(
    "A broker that goes while a connection is idle ends the connection, so that a client makes a "
    "new one") {
  AgentWindow window([](const std::string& message) {
    static std::atomic<int> asked = 0;
    return asked++ == 0 ? PlayBroker(message) : std::string();
  });
  const auto first = window.Connect();
  Write(first, Get("/v1/whoami"));
  CHECK(StatusOf(ReadAnswer(first)) == 200);
  // The same broker process dies of another connection's request: here that channel alone ends.
  const auto second = window.Connect();
  Write(second, Get("/v1/whoami"));
  CHECK(StatusOf(ReadAnswer(second)) == 503);
  CHECK(AtEnd(second));
}

TEST_CASE("When the agent hangs up, the broker sees the end of that connection") {
  auto asked = ipc::MakePair();
  AgentWindow window([&asked](const std::string&) {
    static_cast<void>(ipc::Send(asked->first.get(), "asked"));
    ipc::Message go;  // the test lets the answer go when the agent has gone
    static_cast<void>(ipc::Receive(asked->first.get(), &go));
    return Answer(200, kToken);
  });
  auto peer = window.Connect();
  Write(peer, Post(R"({"scopes":["Mail.Read"]})"));
  ipc::Message message;
  REQUIRE(ipc::Receive(asked->second.get(), &message));
  peer.Reset();
  static_cast<void>(ipc::Send(asked->second.get(), "go"));
  // The window still serves.
  const auto other = window.Connect();
  Write(other, Get("/healthz"));
  CHECK(StatusOf(ReadAnswer(other)) == 200);
}

TEST_CASE("The trail comes from the ledger, not through the broker") {
  AgentWindow window([](const std::string&) { return std::string(); });
  const auto peer = window.Connect();
  Write(peer, Get("/v1/audit"));
  CHECK(BodyOf(ReadAnswer(peer))["reason"] == "ledger_unavailable");

  const auto attach = [&window](Answerer ledger) {
    auto reader = ipc::MakePair();
    std::string message;
    ipc::Encode(ipc::TextMessage{ipc::MessageType::kReaderChannel, "helpdesk"}, &message);
    window.Send(message, {reader->first.get()});
    window.Serve(std::move(reader->second), std::move(ledger));
  };
  attach([](const std::string& message) {
    const auto read = ipc::DecodeReadAudit(message);
    std::string out;
    ipc::Encode(ipc::AuditPage{"{\"entries\":[],\"next\":" + std::to_string(read->after) + "}"},
                &out);
    return out;
  });
  // Taken in order by the control loop: a connection made later sees the channel.
  const auto later = window.Connect();
  for (int i = 0; i < 2; ++i) {
    Write(later, Get("/v1/audit?after=41"));
    CHECK(BodyOf(ReadAnswer(later))["next"] == 41);
  }
  // A ledger that dies is said to be gone; its successor is asked.
  attach([](const std::string&) { return std::string(); });
  const auto during = window.Connect();
  Write(during, Get("/v1/audit"));
  CHECK(BodyOf(ReadAnswer(during))["reason"] == "ledger_unavailable");
}

TEST_CASE("A stop ends idle connections and lets a request in flight finish") {
  auto asked = ipc::MakePair();
  AgentWindow window([&asked](const std::string& message) {
    static_cast<void>(ipc::Send(asked->first.get(), "asked"));
    ipc::Message go;
    static_cast<void>(ipc::Receive(asked->first.get(), &go));
    return PlayBroker(message);
  });
  const auto idle = window.Connect();
  const auto busy = window.Connect();
  Write(busy, Post(R"({"scopes":["Mail.Read"]})"));
  ipc::Message message;
  REQUIRE(ipc::Receive(asked->second.get(), &message));
  window.Stop();
  CHECK(AtEnd(idle));
  static_cast<void>(ipc::Send(asked->second.get(), "go"));
  CHECK(StatusOf(ReadAnswer(busy)) == 200);
  CHECK(AtEnd(busy));
  CHECK(ipc::TypeOf(window.Receive()) == ipc::MessageType::kStopped);
  CHECK(window.WaitForExit() == 0);
}

TEST_CASE("A connection that is not this window's ends the window") {
  AgentWindow window;
  const auto peer = window.Connect("another");
  CHECK(ipc::TypeOf(window.Receive()) == ipc::MessageType::kStopped);
  CHECK(window.WaitForExit() == 1);
}

TEST_CASE("Many connections of one agent that sit idle or drip are bounded, and told so") {
  AgentWindow window;
  std::vector<ipc::Fd> held;
  // 256 is the window's limit; the ones beyond it are turned away at once.
  for (int i = 0; i < 500; ++i) {
    held.push_back(window.Connect());
    if (i % 2 == 0) Write(held.back(), "POST /v1/token HT");
  }
  int turned_away = 0;
  for (size_t i = 256; i < held.size(); ++i) {
    const std::string answer = ReadAnswer(held[i]);
    if (StatusOf(answer) == 503 && BodyOf(answer)["reason"] == "overloaded") ++turned_away;
  }
  CHECK(turned_away == 244);
  // Those inside are served as soon as they say something.
  Write(held[1], Get("/healthz"));
  CHECK(StatusOf(ReadAnswer(held[1])) == 200);

  // Another agent has another window, which knows nothing of all this.
  AgentWindow other;
  const auto peer = other.Connect();
  Write(peer, Post(R"({"scopes":["Mail.Read"]})"));
  CHECK(StatusOf(ReadAnswer(peer)) == 200);
}

TEST_CASE("Places are used again, and many short connections leave nothing behind") {
  AgentWindow window;
  for (int i = 0; i < 600; ++i) {
    const auto peer = window.Connect();
    Write(peer, Get("/healthz"));
    REQUIRE(StatusOf(ReadAnswer(peer)) == 200);
  }
  window.Stop();
  CHECK(ipc::TypeOf(window.Receive()) == ipc::MessageType::kStopped);
  CHECK(window.WaitForExit() == 0);
}

TEST_CASE("An operator's window forwards its list of routes and ends with its connection") {
  WindowProcess window({"--admin"}, PlayBroker);
  REQUIRE(ipc::TypeOf(window.Receive()) == ipc::MessageType::kStarted);
  {
    const auto peer = window.Connect("", true);
    Write(peer, Get("/v1/status"));
    CHECK(BodyOf(ReadAnswer(peer))["path"] == "/v1/status");
    const std::string sealed = R"({"sealed":"QUJD"})";
    Write(peer,
          "PUT /v1/credentials/aid-mail/secret HTTP/1.1\r\nHost: x\r\nContent-Type: "
          "application/json\r\n"
          "Content-Length: " +
              std::to_string(sealed.size()) + "\r\n\r\n" + sealed);
    const json put = BodyOf(ReadAnswer(peer));
    CHECK(put["method"] == "PUT");
    CHECK(put["path"] == "/v1/credentials/aid-mail/secret");
    CHECK(put["body"] == sealed);
    Write(peer, Post(R"({"scopes":["Mail.Read"]})"));
    CHECK(BodyOf(ReadAnswer(peer))["reason"] == "not_found");
  }
  CHECK(ipc::TypeOf(window.Receive()) == ipc::MessageType::kStopped);
  CHECK(window.WaitForExit() == 0);
}

TEST_CASE("A command line that is not understood is refused") {
  for (const std::vector<std::string>& line : {std::vector<std::string>{},
                                               {"--agent"},
                                               {"--agent", ""},
                                               {"helpdesk"},
                                               {"--admin", "x"},
                                               {"--agent", "a", "b"},
                                               {"--admin", "--off-limits"}}) {
    WindowProcess window(line, PlayBroker);
    CHECK(window.WaitForExit() == 2);
  }
}
