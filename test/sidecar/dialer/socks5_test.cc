#include "sidecar/dialer/socks5.h"

#include <doctest/doctest.h>

#include <string>

using sidecar::dialer::HostPort, sidecar::dialer::ParseGreeting, sidecar::dialer::ParseRequest,
    sidecar::dialer::SocksReply;
using namespace std::string_literals;

namespace {

std::string Connect(const std::string& host, const std::string& port = "\x01\xbb"s) {
  return "\x05\x01\x00\x03"s + static_cast<char>(host.size()) + host + port;
}

}  // namespace

TEST_CASE("a greeting is answered only when it offers no authentication") {
  CHECK(ParseGreeting("\x05\x01\x00"s) == true);
  CHECK(ParseGreeting("\x05\x02\x00\x01"s) == true);
  CHECK(ParseGreeting("\x05\x02\x02\x00"s) == true);
  CHECK_FALSE(ParseGreeting("\x05\x01\x02"s));        // a password
  CHECK_FALSE(ParseGreeting("\x05\x00"s));            // nothing offered
  CHECK_FALSE(ParseGreeting("\x04\x01\x00"s));        // SOCKS4
  CHECK_FALSE(ParseGreeting("GET / HTTP/1.1\r\n"s));  // another protocol
  CHECK_FALSE(ParseGreeting("\x05\x01\x00\x05"s));    // more before the answer
}

TEST_CASE("a greeting cut anywhere waits for more") {
  const std::string whole = "\x05\x03\x01\x00\x02"s;
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(ParseGreeting(whole.substr(0, size)) == false);
  }
}

TEST_CASE("CONNECT names a host or an address") {
  CHECK(ParseRequest(Connect("Login.Example")) == HostPort{"login.example", 443});
  CHECK(ParseRequest("\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb"s) == HostPort{"127.0.0.1", 8443});
  CHECK(ParseRequest("\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x00\x50"s) ==
        HostPort{"::1", 80});
  // A name that is a literal is the address: the list has one spelling.
  CHECK(ParseRequest(Connect("127.0.0.1")) == HostPort{"127.0.0.1", 443});
}

TEST_CASE("a request cut anywhere waits for more") {
  for (const std::string& whole :
       {Connect("login.example"), "\x05\x01\x00\x01\x7f\x00\x00\x01\x20\xfb"s}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const auto parsed = ParseRequest(whole.substr(0, size));
      REQUIRE(parsed);
      CHECK_FALSE(*parsed);
    }
  }
}

TEST_CASE("everything else is refused with its reply") {
  struct Row {
    const char* says;
    std::string bytes;
    SocksReply reply;
  };
  // clang-format off
  const Row rows[] = {
      {"BIND",                         "\x05\x02\x00\x03"s,                       SocksReply::kCommandNotSupported},
      {"UDP ASSOCIATE",                "\x05\x03\x00\x03"s,                       SocksReply::kCommandNotSupported},
      {"Tor's RESOLVE",                "\x05\xf0\x00\x03"s,                       SocksReply::kCommandNotSupported},
      {"another address type",         "\x05\x01\x00\x02"s,                       SocksReply::kAddressTypeNotSupported},
      {"SOCKS4",                       "\x04\x01\x01\xbb\x7f\x00\x00\x01\x00"s,   SocksReply::kGeneralFailure},
      {"a reserved byte that is set",  "\x05\x01\x01\x03"s,                       SocksReply::kGeneralFailure},
      {"an empty name",                Connect(""),                               SocksReply::kGeneralFailure},
      {"data before the answer",       Connect("a.example") + "x",                SocksReply::kGeneralFailure},
      {"a NUL inside the name",        Connect("login.example\0.evil"s),          SocksReply::kNotAllowed},
      {"a newline inside the name",    Connect("a\r\nHost: b"),                   SocksReply::kNotAllowed},
      {"a number that is an address",  Connect("2130706433"),                     SocksReply::kNotAllowed},
      {"an octal address",             Connect("0177.1"),                         SocksReply::kNotAllowed},
      {"a name of 255 bytes",          Connect(std::string(255, 'a')),            SocksReply::kNotAllowed},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.says);
    const auto parsed = ParseRequest(row.bytes);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == row.reply);
  }
}

TEST_CASE("a reply is ten bytes with the code in the second") {
  const auto bytes = ReplyBytes(SocksReply::kNotAllowed);
  CHECK(std::string(bytes.data(), bytes.size()) == "\x05\x02\x00\x01\0\0\0\0\0\0"s);
}
