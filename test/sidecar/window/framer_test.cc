#include "sidecar/window/framer.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using sidecar::window::Framer, sidecar::window::HeadLimits;

namespace {

// "ok" or "more" after what was complete, or the status of the refusal.
std::string Verdict(std::string_view bytes, size_t chunk, int* complete = nullptr) {
  Framer framer;
  while (true) {
    const Framer::State state = framer.Examine();
    if (state == Framer::State::kRefused) {
      return std::to_string(broker::Describe(framer.refusal().reason).http_status);
    }
    if (state == Framer::State::kComplete) {
      if (complete != nullptr) ++*complete;
      framer.Consume();
      continue;
    }
    if (bytes.empty()) return framer.started() ? "more" : "ok";
    framer.Append(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
  }
}

std::string Request(std::string_view body) {
  return "POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace

// A file's name begins with what must become of it. The corpus holds each hostile input that the
// packaged HTTP library was seen to fall for, and the fuzzer starts from the same files.
TEST_CASE("Each hostile input gets exactly its status, whole and byte by byte") {
  int files = 0;
  int refused = 0;
  for (const auto& file : std::filesystem::directory_iterator(FRAMER_CORPUS)) {
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::string name = file.path().filename().string();
    CAPTURE(name);
    const std::string want = name.substr(0, name.find('-'));
    CHECK(Verdict(bytes, bytes.size() + 1) == want);
    CHECK(Verdict(bytes, 1) == want);
    ++files;
    if (want != "ok" && want != "more") ++refused;
  }
  CHECK(files >= 110);
  CHECK(refused >= 85);
}

TEST_CASE("What a complete request says is read") {
  Framer framer;
  framer.Append(
      "GET /v1/audit?after=41 HTTP/1.1\r\nHost: x\r\nAUTHORIZATION:   Basic aTo=  \r\n"
      "traceparent: t\r\nConnection: keep-alive, Close\r\nPurser-Session: 5e55\r\n\r\n");
  REQUIRE(framer.Examine() == Framer::State::kComplete);
  CHECK(framer.head().method == "GET");
  CHECK(framer.head().path == "/v1/audit");
  CHECK(framer.head().query == "after=41");
  CHECK(framer.head().authorization == "Basic aTo=");
  CHECK(framer.head().traceparent == "t");
  CHECK(framer.head().session == "5e55");
  CHECK(framer.head().content_type.empty());
  CHECK(framer.head().close);
  CHECK(framer.body().empty());
}

TEST_CASE("A session is sent once, in one header, and no longer than one is") {
  const std::string longest(HeadLimits::kMaxSessionBytes, 'a');
  struct Row {
    const char* why;
    std::string headers;
    const char* verdict;
  };
  // clang-format off
  const Row rows[] = {
      {"as long as one may be",       "Purser-Session: " + longest + "\r\n",                 "ok"},
      {"in another case",             "PURSER-SESSION: s\r\n",                               "ok"},
      {"nobody's",                    "Purser-Session:\r\n",                                 "ok"},
      {"longer",                      "Purser-Session: " + longest + "a\r\n",                "431"},
      {"two of them",                 "Purser-Session: s\r\nPurser-Session: s\r\n",         "400"},
      {"two that differ in case",     "Purser-Session: s\r\npurser-session: t\r\n",         "400"},
      {"with an underscore",          "Purser_Session: s\r\n",                               "400"},
      {"encoded",                     "Purser-Session: %73\r\n",                             "400"},
      {"on two lines",                "Purser-Session: s\r\n t\r\n",                        "400"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const std::string bytes = "GET /v1/status HTTP/1.1\r\nHost: x\r\n" + row.headers + "\r\n";
    CHECK(Verdict(bytes, bytes.size()) == row.verdict);
  }
}

TEST_CASE("Pipelined requests are neither lost nor mixed") {
  Framer framer;
  framer.Append(Request("one") + Request("three") + Request(""));
  for (const char* body : {"one", "three", ""}) {
    REQUIRE(framer.Examine() == Framer::State::kComplete);
    CHECK(framer.body() == body);
    CHECK(framer.head().path == "/v1/token");
    framer.Consume();
  }
  CHECK(framer.Examine() == Framer::State::kMore);
  CHECK_FALSE(framer.started());
}

TEST_CASE("A body that arrives late does not leave the head pointing at an old buffer") {
  const std::string body(HeadLimits::kMaxBodyBytes, 'b');
  const std::string bytes = Request(body);
  Framer framer;
  for (size_t at = 0; at < bytes.size(); at += 1000) {
    framer.Append(std::string_view(bytes).substr(at, 1000));
    static_cast<void>(framer.Examine());
  }
  REQUIRE(framer.Examine() == Framer::State::kComplete);
  CHECK(framer.head().path == "/v1/token");
  CHECK(framer.head().content_type == "application/json");
  CHECK(framer.body() == body);
}

TEST_CASE("A refusal is final, and knows the route where the request line told it") {
  Framer framer;
  framer.Append("POST /v1/token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  REQUIRE(framer.Examine() == Framer::State::kRefused);
  CHECK(framer.head().path == "/v1/token");
  framer.Append(Request("{}"));
  CHECK(framer.Examine() == Framer::State::kRefused);
}

TEST_CASE("What may be refused early is not waited for") {
  // None of these has an end: a peer that stops here is answered at once.
  for (const char* bytes :
       {"GET / HTTP/1.1\r\nX: a\n", "\x16\x03\x01", "POST / HTTP/1.1\r\nX: \x80"}) {
    CAPTURE(bytes);
    CHECK(Verdict(bytes, 1) == "400");
  }
  CHECK(Verdict("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 1) == "413");
}
