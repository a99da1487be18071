#include "sidecar/dialer/host_list.h"

#include <doctest/doctest.h>

#include <string>

using sidecar::dialer::CanonicalHost, sidecar::dialer::HostList, sidecar::dialer::HostPort;

TEST_CASE("only a listed host on its listed port is allowed") {
  const auto list = HostList::Parse(
      "login.microsoftonline.com:443\nGraph.Microsoft.com:443\n127.0.0.1:8443\n[::1]:8443\n");
  REQUIRE(list);
  struct Row {
    const char* says;
    std::string_view host;
    uint16_t port;
    bool allowed;
  };
  // clang-format off
  const Row rows[] = {
      {"a listed host",                         "login.microsoftonline.com",       443,  true},
      {"in any case",                           "LOGIN.microsoftonline.COM",       443,  true},
      {"listed in another case",                "graph.microsoft.com",             443,  true},
      {"a listed address",                      "127.0.0.1",                       8443, true},
      {"a listed address spelt at length",      "0:0:0:0:0:0:0:1",                 8443, true},
      {"another port",                          "login.microsoftonline.com",       80,   false},
      {"a listed port of another host",         "login.microsoftonline.com",       8443, false},
      {"a parent domain",                       "microsoftonline.com",             443,  false},
      {"a subdomain",                           "evil.login.microsoftonline.com",  443,  false},
      {"a host that ends alike",                "xlogin.microsoftonline.com",      443,  false},
      {"a host that begins alike",              "login.microsoftonline.com.evil.example", 443, false},
      {"another address",                       "127.0.0.2",                       8443, false},
      {"the metadata service",                  "169.254.169.254",                 80,   false},
      {"an unlisted name",                      "example.com",                     443,  false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.says);
    const auto host = CanonicalHost(row.host);
    REQUIRE(host);
    CHECK(list->Allows(HostPort{*host, row.port}) == row.allowed);
  }
}

TEST_CASE("an empty list allows nothing") {
  CHECK_FALSE(HostList{}.Allows({"login.microsoftonline.com", 443}));
  CHECK_FALSE(HostList::Parse("")->Allows({"login.microsoftonline.com", 443}));
}

TEST_CASE("what is neither a name nor an address has no canonical form") {
  const std::string too_long = std::string(250, 'a') + ".com";
  const std::string_view bad[] = {"",
                                  ".",
                                  "a..b",
                                  ".a",
                                  "a.",
                                  "a b",
                                  "a/b",
                                  "a:b",
                                  "a\r\n",
                                  "user@a",
                                  "[::1]",
                                  "a%41",
                                  "é.fr",
                                  "127.1",
                                  "2130706433",
                                  "0x7f.1.2.3.4",
                                  "1.2.3",
                                  "::ffff:g",
                                  std::string_view("login\0.evil", 11),
                                  std::string_view("1.2.3.4\0", 8)};
  for (const std::string_view host : bad) {
    CAPTURE(std::string(host));
    CHECK_FALSE(CanonicalHost(host));
  }
  CHECK_FALSE(CanonicalHost(too_long));
}

TEST_CASE("no proxy leads to what is on this machine") {
  const auto list =
      HostList::Parse("a.example:443\ndirect 169.254.169.254:80\nproxy http://proxy.corp:3128");
  REQUIRE(list);
  CHECK(list->Allows({"169.254.169.254", 80}));
  CHECK_FALSE(list->Allows({"169.254.169.254", 443}));
  CHECK_FALSE(list->ProxyFor({"169.254.169.254", 80}));
  CHECK(list->ProxyFor({"a.example", 443}));
  CHECK(list->ProxyFor({"169.254.169.254", 443}));
}

TEST_CASE("a proxy is one line, and the last") {
  const auto list = HostList::Parse("a.example:443\nproxy http://Proxy.corp:3128");
  REQUIRE(list);
  REQUIRE(list->ProxyFor({"a.example", 443}));
  CHECK(*list->ProxyFor({"a.example", 443}) == HostPort{"proxy.corp", 3128});
  CHECK_FALSE(list->Allows({"proxy.corp", 3128}));
}

TEST_CASE("a malformed list is refused whole, with its line") {
  struct Row {
    std::string_view text;
    std::string_view line;
  };
  const Row rows[] = {
      {"a.example", "line 1"},
      {"a.example:443\n\nb.example:443", "line 2"},
      {"a.example:0", "line 1"},
      {"a.example:65536", "line 1"},
      {"a.example:+443", "line 1"},
      {"a.example: 443", "line 1"},
      {"a.example:443 ", "line 1"},
      {"a.example:443\r\n", "line 1"},
      {"::1:443", "line 1"},
      {"*:443", "line 1"},
      {"*.example:443", "line 1"},
      {"https://a.example:443", "line 1"},
      {"direct a.example", "line 1"},
      {"direct", "line 1"},
      {"direct direct a.example:80", "line 1"},
      {"direct proxy http://p:1", "line 1"},
      {"proxy https://p:1", "line 1"},
      {"proxy http://p", "line 1"},
      {"proxy http://p:1/", "line 1"},
      {"proxy http://p:1\nproxy http://q:1", "line 2"},
      {"proxy http://p:1\na.example:443", "line 2"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto list = HostList::Parse(row.text);
    REQUIRE_FALSE(list);
    CHECK(list.error().detail.ends_with(row.line));
  }
}

TEST_CASE("a list has an upper bound") {
  std::string text;
  for (size_t i = 0; i < HostList::kMaxHosts; ++i) text += "h" + std::to_string(i) + ".x:1\n";
  CHECK(HostList::Parse(text));
  CHECK_FALSE(HostList::Parse(text + "one.more:1\n"));
}
