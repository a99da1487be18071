#include "sidecar/broker/curl_transport.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sidecar/broker/curl_init.h"
#include "test/sidecar/broker/tls_upstream.h"

using broker::ErrorCode;
using sidecar::broker_role::CurlTransport;

namespace {

// Set before anything of OpenSSL or libcurl runs: every test here runs in a hostile environment.
struct HostileEnvironment {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("curl_transport_test." + std::to_string(getpid()));
  std::filesystem::path key_log = folder / "keys";
  HostileEnvironment() {
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "openssl.cnf")
        << "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = none\n"
           "[none]\nMaxProtocol = TLSv1.1\nCipherString = NULL\n";
    setenv("SSLKEYLOGFILE", key_log.c_str(), 1);
    setenv("OPENSSL_CONF", (folder / "openssl.cnf").c_str(), 1);
    for (const char* name : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
      setenv(name, "http://127.0.0.1:9", 1);
    }
    for (const char* name : {"no_proxy", "NO_PROXY"}) setenv(name, "*", 1);
    setenv("CURL_CA_BUNDLE", "/dev/null", 1);
    setenv("SSL_CERT_FILE", "/dev/null", 1);
    if (!sidecar::broker_role::InitCurl()) std::abort();
    std::signal(SIGPIPE, SIG_IGN);  // as in every role
  }
  ~HostileEnvironment() { std::filesystem::remove_all(folder); }
} hostile;

struct Pair {
  explicit Pair(TlsUpstream::Script script) : upstream(std::move(script)) {
    auto created = CurlTransport::Create(upstream.ca_pem(), [this] { return upstream.Open(); });
    REQUIRE(created.has_value());
    transport = std::move(*created);
  }
  TlsUpstream upstream;
  std::unique_ptr<CurlTransport> transport;  // goes first: its streams close
};

broker::HttpRequest Post(const std::string& body,
                         const std::string& url = "https://login.test/token") {
  broker::HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers = {{"Accept", "application/json"}};
  request.content_type = "application/x-www-form-urlencoded";
  request.body = broker::Secret::CopyOf(body);
  return request;
}

std::string TextOf(const broker::HttpResponse& response) {
  return std::string(response.body.Expose(broker::Exit::kTest));
}

TlsUpstream::Script Answering(const std::string& answer) {
  TlsUpstream::Script script;
  script.answer = [answer](const std::string&) { return answer; };
  return script;
}

}  // namespace

TEST_CASE("A request goes through the dialer's stream, unresolved, and its answer comes back") {
  std::string seen;
  TlsUpstream::Script script;
  script.answer = [&](const std::string& request) {
    seen = request;
    return TlsUpstream::Http("200 OK", "{\"a\":1}");
  };
  Pair pair(script);
  const auto response = pair.transport->Send(Post("grant_type=x&secret=y"));
  REQUIRE_MESSAGE(response.has_value(), (response ? "" : response.error().detail));
  CHECK(response->status == 200);
  CHECK(TextOf(*response) == "{\"a\":1}");
  CHECK_FALSE(response->retry_after.has_value());
  CHECK(pair.upstream.asked_for() == "login.test:443");
  CHECK(seen.starts_with("POST /token HTTP/1.1\r\n"));
  CHECK(seen.find("Accept: application/json\r\n") != seen.npos);
  CHECK(seen.find("Content-Type: application/x-www-form-urlencoded\r\n") != seen.npos);
  CHECK(seen.ends_with("\r\n\r\ngrant_type=x&secret=y"));
  CHECK_FALSE(std::filesystem::exists(hostile.key_log));
}

TEST_CASE("A GET has no body, and another port is asked for by number") {
  std::string seen;
  TlsUpstream::Script script;
  script.answer = [&](const std::string& request) {
    seen = request;
    return TlsUpstream::Http("404 Not Found", "");
  };
  Pair pair(script);
  broker::HttpRequest request;
  request.method = "GET";
  request.url = "https://login.test:8443/x/.well-known/openid-configuration";
  const auto response = pair.transport->Send(request);
  REQUIRE(response.has_value());
  CHECK(response->status == 404);
  CHECK(seen.starts_with("GET /x/.well-known/openid-configuration HTTP/1.1\r\n"));
  CHECK(seen.find("Content-") == seen.npos);
  CHECK(pair.upstream.asked_for() == "login.test:8443");
}

TEST_CASE("A connection is used again, and a closed one is replaced") {
  Pair pair(Answering(TlsUpstream::Http("200 OK", "{}")));
  for (int i = 0; i < 5; ++i) REQUIRE(pair.transport->Send(Post("a=b")).has_value());
  CHECK(pair.upstream.streams() == 1);

  auto closing = Answering(TlsUpstream::Http("200 OK\r\nConnection: close", "{}"));
  closing.close_after_answer = true;
  Pair other(closing);
  for (int i = 0; i < 3; ++i) REQUIRE(other.transport->Send(Post("a=b")).has_value());
  CHECK(other.upstream.streams() == 3);
}

TEST_CASE("The server's clock arrives where it shows a date that can be read") {
  Pair good(Answering(TlsUpstream::Http("200 OK\r\nDate: Fri, 20 Nov 2026 08:49:37 GMT", "{}")));
  const auto date = good.transport->Send(Post(""))->date;
  REQUIRE(date.has_value());
  CHECK(std::chrono::system_clock::to_time_t(*date) == 1795164577);
  Pair none(Answering(TlsUpstream::Http("200 OK", "{}")));
  CHECK_FALSE(none.transport->Send(Post(""))->date.has_value());
  Pair nonsense(Answering(TlsUpstream::Http("200 OK\r\nDate: yesterday", "{}")));
  CHECK_FALSE(nonsense.transport->Send(Post(""))->date.has_value());
  Pair far(Answering(TlsUpstream::Http("200 OK\r\nDate: Fri, 20 Nov 2611 08:49:37 GMT", "{}")));
  CHECK_FALSE(far.transport->Send(Post(""))->date.has_value());
}

TEST_CASE("A secret header is sent as it is, and a challenge comes back") {
  std::string seen;
  TlsUpstream::Script script;
  script.answer = [&](const std::string& request) {
    seen = request;
    return TlsUpstream::Http("401 No\r\nWWW-Authenticate: Bearer resource=\"https://x.test\"", "");
  };
  Pair pair(script);
  auto request = Post("");
  request.secret_headers.emplace_back("Authorization", broker::Secret::CopyOf("Bearer abc.def"));
  const auto response = pair.transport->Send(request);
  REQUIRE(response.has_value());
  CHECK(response->www_authenticate == "Bearer resource=\"https://x.test\"");
  CHECK(seen.find("\r\nAuthorization: Bearer abc.def\r\n") != seen.npos);
}

TEST_CASE("A secret that would end its header is not sent") {
  Pair pair(Answering(TlsUpstream::Http("200 OK", "")));
  for (const char* value : {"", "a\r\nX: y", "a\nb", "a\tb", "\x80"}) {
    CAPTURE(value);
    auto request = Post("");
    request.secret_headers.emplace_back("Authorization", broker::Secret::CopyOf(value));
    CHECK(pair.transport->Send(request).error().code == ErrorCode::kInvalidRequest);
  }
  CHECK(pair.upstream.streams() == 0);
}

TEST_CASE("A challenge that is too long to be one is not looked at") {
  Pair pair(
      Answering(TlsUpstream::Http("401 No\r\nWWW-Authenticate: " + std::string(5000, 'x'), "")));
  CHECK(pair.transport->Send(Post(""))->www_authenticate.empty());
}

TEST_CASE("No header's value ends its line, be it made of an agent's request") {
  Pair pair(Answering(TlsUpstream::Http("200 OK", "{}")));
  for (const char* value : {"a\r\nX: y", "a\nX: y", "a\rb", "a\tb", "\x7f", "", "\xc2\x85"}) {
    CAPTURE(value);
    broker::HttpRequest request = Post("");
    request.headers.emplace_back("client-request-id", value);
    const auto got = pair.transport->Send(request);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::kInvalidRequest);
  }
  CHECK(pair.upstream.streams() == 0);
}

TEST_CASE("Retry-After arrives in seconds, also where it is a date") {
  Pair seconds(Answering(TlsUpstream::Http("429 Too Many Requests\r\nRetry-After: 17", "")));
  CHECK(seconds.transport->Send(Post(""))->retry_after == std::chrono::seconds(17));
  Pair date(
      Answering(TlsUpstream::Http("503 No\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT", "")));
  CHECK(date.transport->Send(Post(""))->retry_after > std::chrono::hours(24));
}

TEST_CASE("A redirect is an answer, not an instruction") {
  Pair pair(Answering(TlsUpstream::Http("302 Found\r\nLocation: https://evil.test/", "")));
  const auto response = pair.transport->Send(Post("secret=y"));
  REQUIRE(response.has_value());
  CHECK(response->status == 302);
  CHECK(pair.upstream.streams() == 1);
}

TEST_CASE("What is not a trustworthy exchange is a typed error") {
  const std::string fine = TlsUpstream::Http("200 OK", "{}");
  const std::string big(broker::HttpResponse::kMaxBodyBytes + 1, 'x');
  struct Row {
    const char* what;
    TlsUpstream::Script script;
    ErrorCode code;
  };
  auto wrong_host = Answering(fine);
  wrong_host.host = "other.test";
  auto refused = Answering(fine);
  refused.socks_reply = 2;
  auto unreachable = Answering(fine);
  unreachable.socks_reply = 5;
  auto old_tls = Answering(fine);
  old_tls.max_tls = TLS1_1_VERSION;
  auto cut = Answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  cut.close_after_answer = true;
  auto garbage = Answering("220 smtp.test ESMTP\r\n");
  garbage.close_after_answer = true;
  auto chunked = Answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50000\r\n" + big);
  const Row rows[] = {
      {"a certificate for another host", wrong_host, ErrorCode::kUnavailable},
      {"a host that is not listed", refused, ErrorCode::kDenied},
      {"a host that cannot be reached", unreachable, ErrorCode::kUnavailable},
      {"TLS 1.1", old_tls, ErrorCode::kUnavailable},
      {"a body that is too large", Answering(TlsUpstream::Http("200 OK", big)),
       ErrorCode::kCorrupt},
      {"a body that is too large and does not say so", chunked, ErrorCode::kCorrupt},
      {"a body that ends early", cut, ErrorCode::kUnavailable},
      {"an answer that is not HTTP", garbage, ErrorCode::kCorrupt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Pair pair(row.script);
    const auto response = pair.transport->Send(Post("secret=y"));
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().code == row.code);
    CHECK(response.error().detail.find("secret") == std::string::npos);
  }
}

TEST_CASE("Whatever closes the way there is said with what mends it") {
  struct Row {
    unsigned char socks_reply;
    const char* says;
  };
  for (const Row& row : {Row{1, "the dialer failed"}, Row{3, "no route"}, Row{4, "name resolution"},
                         Row{5, "refuses the connection"}, Row{6, "whether it runs"},
                         Row{9, "have it let this machine through"}}) {
    auto script = Answering("");
    script.socks_reply = row.socks_reply;
    Pair pair(script);
    const auto response = pair.transport->Send(Post("secret=y"));
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().code == ErrorCode::kUnavailable);
    CHECK(response.error().detail.find(row.says) != std::string::npos);
  }
}

TEST_CASE("A root that was not given is not trusted, whatever the system trusts") {
  TlsUpstream known(Answering(TlsUpstream::Http("200 OK", "{}")));
  TlsUpstream unknown(Answering(TlsUpstream::Http("200 OK", "{}")));
  auto transport = CurlTransport::Create(known.ca_pem(), [&] { return unknown.Open(); });
  REQUIRE(transport.has_value());
  const auto response = (*transport)->Send(Post(""));
  REQUIRE_FALSE(response.has_value());
  CHECK(response.error().code == ErrorCode::kUnavailable);
  CHECK(response.error().detail.find("[network] ca_file") != std::string::npos);
  CHECK_FALSE(CurlTransport::Create("no certificate", [&] { return unknown.Open(); }).has_value());
  CHECK_FALSE(CurlTransport::Create("", [&] { return unknown.Open(); }).has_value());
}

TEST_CASE("What is on this machine is asked without TLS, through the dialer all the same") {
  std::string seen;
  TlsUpstream::Script script;
  script.plain = true;
  script.answer = [&](const std::string& request) {
    seen = request;
    return TlsUpstream::Http("200 OK", "{}");
  };
  Pair pair(script);
  broker::HttpRequest request;
  request.method = "GET";
  request.url = "http://localhost:40342/metadata/identity/oauth2/token?resource=https%3A%2F%2Fx";
  request.headers = {{"Metadata", "true"}};
  const auto response = pair.transport->Send(request);
  REQUIRE_MESSAGE(response.has_value(), (response ? "" : response.error().detail));
  CHECK(TextOf(*response) == "{}");
  CHECK(pair.upstream.asked_for() == "localhost:40342");
  CHECK(seen.starts_with("GET /metadata/identity/oauth2/token?resource=https%3A%2F%2Fx HTTP/1.1"));
  CHECK(seen.find("Metadata: true\r\n") != seen.npos);
}

TEST_CASE("Only https leaves, and only through the dialer") {
  TlsUpstream upstream(Answering(TlsUpstream::Http("200 OK", "{}")));
  auto transport = CurlTransport::Create(upstream.ca_pem(), []() -> broker::Result<int> {
    return broker::Fail(ErrorCode::kUnavailable, "gone");
  });
  REQUIRE(transport.has_value());
  for (const char* url : {"http://login.test/", "file:///etc/passwd", "socks5://login.test/", "",
                          "http://127.0.0.1@login.test/", "http://login.test/?http://127.0.0.1/",
                          "http://10.0.0.1/metadata", "ftp://127.0.0.1/x"}) {
    CAPTURE(url);
    const auto response = (*transport)->Send(Post("", url));
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().code == ErrorCode::kInvalidRequest);
  }
  const auto response = (*transport)->Send(Post(""));
  REQUIRE_FALSE(response.has_value());
  CHECK(response.error().code == ErrorCode::kUnavailable);
  CHECK(response.error().detail.find("gone") != std::string::npos);
}

TEST_CASE("An upstream that says nothing is given up at the deadline") {
  TlsUpstream::Script script;
  script.silent = true;
  Pair pair(script);
  auto request = Post("a=b");
  request.deadline = std::chrono::milliseconds(50);
  const auto response = pair.transport->Send(request);
  REQUIRE_FALSE(response.has_value());
  CHECK(response.error().code == ErrorCode::kUnavailable);
}

TEST_CASE("Many threads share one transport") {
  TlsUpstream::Script script;
  script.answer = [](const std::string& request) {
    return TlsUpstream::Http("200 OK", request.substr(request.find("\r\n\r\n") + 4));
  };
  Pair pair(script);
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string body = "thread=" + std::to_string(t) + "&turn=" + std::to_string(i);
        const auto response = pair.transport->Send(Post(body));
        if (response && TextOf(*response) == body) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 30);
}
