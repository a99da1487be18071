#include "sidecar/window/routes.h"

#include <doctest/doctest.h>

#include "sidecar/window/request_id.h"

using namespace sidecar::window;
using broker::Reason;

TEST_CASE("Each socket serves its own list and nothing else") {
  // clang-format off
  struct Row { std::string what; Socket socket; const char* method; const char* path; Reason want; };
  const Row refused[] = {
      {"an agent asks for the operators' status", Socket::kAgent, "GET",  "/v1/status",                 Reason::kNotFound},
      {"an agent unseals",                        Socket::kAgent, "POST", "/v1/unseal",                 Reason::kNotFound},
      {"an operator asks for a token",            Socket::kAdmin, "POST", "/v1/token",                  Reason::kNotFound},
      {"an operator reads as an agent",           Socket::kAdmin, "GET",  "/v1/audit",                  Reason::kNotFound},
      {"wrong method",                            Socket::kAgent, "GET",  "/v1/token",                  Reason::kMethodNotAllowed},
      {"HEAD",                                    Socket::kAgent, "HEAD", "/healthz",                   Reason::kMethodNotAllowed},
      {"OPTIONS",                                 Socket::kAgent, "OPTIONS", "/v1/token",               Reason::kMethodNotAllowed},
      {"lower case method",                       Socket::kAgent, "post", "/v1/token",                  Reason::kMethodNotAllowed},
      {"trailing slash",                          Socket::kAgent, "POST", "/v1/token/",                 Reason::kNotFound},
      {"double slash",                            Socket::kAgent, "POST", "//v1/token",                 Reason::kNotFound},
      {"upper case",                              Socket::kAgent, "POST", "/V1/token",                  Reason::kNotFound},
      {"dot segments",                            Socket::kAgent, "GET",  "/v1/../v1/whoami",           Reason::kNotFound},
      {"a prefix",                                Socket::kAgent, "GET",  "/v1",                        Reason::kNotFound},
      {"root",                                    Socket::kAgent, "GET",  "/",                          Reason::kNotFound},
      {"a pattern itself",                        Socket::kAdmin, "PUT",  "/v1/credentials/{name}/secret", Reason::kNotFound},
      {"a name in upper case",                    Socket::kAdmin, "PUT",  "/v1/credentials/Aid/secret", Reason::kNotFound},
      {"a name with a dot",                       Socket::kAdmin, "PUT",  "/v1/credentials/../secret",  Reason::kNotFound},
      {"an empty name",                           Socket::kAdmin, "PUT",  "/v1/credentials//secret",    Reason::kNotFound},
      {"a redirect read",                         Socket::kAdmin, "GET",  "/v1/credentials/aid/login/redirect", Reason::kMethodNotAllowed},
      {"a login of another way",                  Socket::kAdmin, "POST", "/v1/credentials/aid/login/x", Reason::kNotFound},
      {"a login below a redirect",                Socket::kAdmin, "POST", "/v1/credentials/aid/login/redirect/x", Reason::kNotFound},
      {"an agent logs in",                        Socket::kAgent, "POST", "/v1/credentials/aid/login/browser", Reason::kNotFound},
      {"an id that is not hex",                   Socket::kAdmin, "GET",  "/v1/logins/xyz",             Reason::kNotFound},
      {"wrong method on a name",                  Socket::kAdmin, "GET",  "/v1/credentials/aid/secret", Reason::kMethodNotAllowed},
      {"a secret posted",                         Socket::kAdmin, "POST", "/v1/credentials/aid/secret", Reason::kMethodNotAllowed},
  };
  // clang-format on
  for (const Row& row : refused) {
    CAPTURE(row.what);
    const auto route = Match(row.socket, row.method, row.path);
    REQUIRE_FALSE(route.has_value());
    CHECK(route.error().reason == row.want);
    CHECK_FALSE(route.error().hint.empty());
  }
  CHECK(Match(Socket::kAgent, "POST", "/v1/token") == Route::kToken);
  CHECK(Match(Socket::kAgent, "GET", "/v1/audit") == Route::kAudit);
  CHECK(Match(Socket::kAdmin, "GET", "/healthz") == Route::kHealth);
  CHECK(Match(Socket::kAdmin, "PUT", "/v1/credentials/aid-mail-2/secret") == Route::kAdmin);
  CHECK(Match(Socket::kAdmin, "GET", "/v1/logins/00ff") == Route::kAdmin);
  CHECK(Match(Socket::kAdmin, "POST", "/v1/credentials/aid/login/browser") == Route::kAdmin);
  CHECK(Match(Socket::kAdmin, "POST", "/v1/credentials/aid/login/redirect") == Route::kAdmin);
  CHECK(Match(Socket::kAdmin, "POST", "/v1/doctor/credentials/x") == Route::kAdmin);
}

TEST_CASE("A name is at most 64 characters") {
  const std::string path = "/v1/doctor/credentials/";
  CHECK(Match(Socket::kAdmin, "POST", path + std::string(64, 'a')).has_value());
  CHECK_FALSE(Match(Socket::kAdmin, "POST", path + std::string(65, 'a')).has_value());
}

TEST_CASE("A wrong method is answered with the right ones") {
  CHECK(AllowedMethods(Socket::kAgent, "/v1/token") == "POST");
  CHECK(AllowedMethods(Socket::kAdmin, "/v1/credentials") == "GET");
  CHECK(AllowedMethods(Socket::kAdmin, "/v1/token").empty());
}

TEST_CASE("Request ids are UUIDs of version 7 that sort by time") {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point when(1795169819123ms);
  const std::string first = NewRequestId(when);
  CHECK(first.size() == 36);
  CHECK(first.substr(0, 15) == "01a1f875-99f3-7");
  CHECK(std::string("89ab").find(first[19]) != std::string::npos);
  CHECK(first < NewRequestId(when + 1ms));
  CHECK(first != NewRequestId(when));
}
