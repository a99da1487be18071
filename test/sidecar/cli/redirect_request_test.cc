#include "sidecar/cli/redirect_request.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using sidecar::cli::RedirectRequest;
using State = RedirectRequest::State;

namespace {

// The state after all of `bytes`, or after the first that it does not want more behind.
State Fed(RedirectRequest& request, std::string_view bytes, size_t chunk) {
  State state = State::kMore;
  while (state == State::kMore && !bytes.empty()) {
    const size_t count = std::min({chunk, bytes.size(), request.Room().size()});
    std::ranges::copy(bytes.substr(0, count), request.Room().begin());
    state = request.Filled(count);
    bytes.remove_prefix(count);
  }
  return state;
}

}  // namespace

TEST_CASE("What a browser asks for is its target, however its bytes arrive") {
  const std::string request =
      "GET /?code=1.AQ%2Bx&state=s HTTP/1.1\r\nHost: localhost:40123\r\nUser_Agent: \xc3\xbc "
      "100%\r\n"
      "Cookie: a=b%20c\r\n\r\n";
  for (const size_t chunk : {request.size(), size_t{1}, size_t{7}, size_t{64}}) {
    CAPTURE(chunk);
    RedirectRequest read;
    CHECK(Fed(read, request, chunk) == State::kComplete);
    CHECK(read.target() == "/?code=1.AQ%2Bx&state=s");
  }
  RedirectRequest old;
  CHECK(Fed(old, "GET / HTTP/1.0\r\n\r\n", 1) == State::kComplete);
  CHECK(old.target() == "/");
}

TEST_CASE("Other requests are told by what is wrong with them") {
  struct Row {
    const char* why;
    std::string bytes;
    State want;
  };
  const std::string host = " HTTP/1.1\r\nHost: x\r\n\r\n";
  const Row rows[] = {
      {"nothing", "", State::kMore},
      {"half a line", "GET /?code=", State::kMore},
      {"a head without its end", "GET / HTTP/1.1\r\nHost: x\r\n", State::kMore},
      {"line feeds alone", "GET / HTTP/1.1\n\n", State::kMore},
      {"the browser's icon", "GET /favicon.ico" + host, State::kOtherPath},
      {"a path below", "GET /callback?code=x" + host, State::kOtherPath},
      {"a double slash", "GET //?code=x" + host, State::kOtherPath},
      {"a form", "POST /?code=x" + host, State::kOtherMethod},
      {"a head only", "HEAD /" + host, State::kOtherMethod},
      {"a method in lower case", "get /" + host, State::kOtherMethod},
      {"a proxy's request", "GET http://localhost/?code=x" + host, State::kMalformed},
      {"a tunnel", "CONNECT localhost:443" + host, State::kMalformed},
      {"all of the server", "OPTIONS *" + host, State::kMalformed},
      {"no target", "GET" + host, State::kMalformed},
      {"an empty target", "GET " + host, State::kMalformed},
      {"a space in the target", "GET /?a b" + host, State::kMalformed},
      {"a tab in the target", "GET /?a\tb" + host, State::kMalformed},
      {"a nul in the target", std::string("GET /?a\0b", 9) + host, State::kMalformed},
      {"a byte beyond ASCII", "GET /?\xc3\xbc" + host, State::kMalformed},
      {"no version", "GET /\r\n\r\n", State::kMalformed},
      {"another version", "GET / HTTP/2.0\r\n\r\n", State::kMalformed},
      {"a version and more", "GET / HTTP/1.1 \r\n\r\n", State::kMalformed},
      {"an empty line first", "\r\n\r\nGET /" + host, State::kMalformed},
      {"a TLS hello", "\x16\x03\x01\x02\r\n\r\n", State::kMalformed},
      {"a long target", "GET /?" + std::string(RedirectRequest::kMaxTargetBytes, 'x') + host,
       State::kTooLarge},
      {"a long header", "GET / HTTP/1.1\r\nCookie: " + std::string(40'000, 'x'), State::kTooLarge},
      {"a long line", std::string(40'000, 'x'), State::kTooLarge},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    for (const size_t chunk : {std::max<size_t>(row.bytes.size(), 1), size_t{1}}) {
      RedirectRequest request;
      CHECK(Fed(request, row.bytes, chunk) == row.want);
    }
  }
}
