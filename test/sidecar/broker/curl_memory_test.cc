// Looks through the process's own writable memory for copies of what an exchange carried.
#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "broker/base/secret.h"
#include "sidecar/broker/curl_init.h"
#include "sidecar/broker/curl_transport.h"
#include "sidecar/hardening/wiping_free.h"
#include "test/sidecar/broker/tls_upstream.h"

#ifndef PURSER_SANITIZED

namespace {

using sidecar::broker_role::CurlTransport;

// Made, not written, so that the executable's own constants are not found.
std::string Canary(unsigned char seed) {
  std::string text;
  for (int i = 0; i < 24; ++i) text += static_cast<char>('a' + (seed * 7 + i * 11) % 26);
  return text;
}

/// "where" of every mapping outside the arena (and outside `needle` itself) that holds it.
std::vector<std::string> Copies(const std::string& needle) {
  const auto arena = broker::SecretArena::Range();
  std::vector<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::array<char, 5> access{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, access.data()) != 3) continue;
    if (access[0] != 'r' || access[1] != 'w') continue;
    const char* from = reinterpret_cast<const char*>(begin);  // NOLINT
    const char* to = reinterpret_cast<const char*>(end);      // NOLINT
    while (from < to) {
      from = static_cast<const char*>(
          memmem(from, static_cast<size_t>(to - from), needle.data(), needle.size()));
      if (from == nullptr) break;
      const bool in_arena = from >= arena.data() && from < arena.data() + arena.size();
      if (!in_arena && from != needle.data()) found.push_back(line);
      ++from;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("An idle transport holds no copy of a request or an answer outside the arena") {
  REQUIRE(sidecar::hardening::FreeWipes());
  REQUIRE(sidecar::broker_role::InitCurl().has_value());
  std::signal(SIGPIPE, SIG_IGN);
  TlsUpstream::Script script;
  const std::string in_request = Canary(3);
  const std::string in_header = Canary(9);
  const std::string in_answer = Canary(5);
  script.answer = [&](const std::string& request) {
    const bool arrived = request.find(in_request) != request.npos &&
                         request.find("Bearer " + in_header) != request.npos;
    return TlsUpstream::Http(arrived ? "200 OK" : "400 Bad Request",
                             "{\"token\":\"" + in_answer + std::string(5000, 'x') + "\"}");
  };
  script.in_other_process = true;
  TlsUpstream upstream(script);
  auto transport = CurlTransport::Create(upstream.ca_pem(), [&] { return upstream.Open(); });
  REQUIRE(transport.has_value());
  for (int i = 0; i < 3; ++i) {
    broker::HttpRequest request;
    request.method = "POST";
    request.url = "https://login.test/token";
    request.content_type = "application/x-www-form-urlencoded";
    request.body = broker::Secret::CopyOf(std::string(3000, 'y'));
    request.body.Append(in_request);
    request.secret_headers.emplace_back("Authorization", broker::Secret::CopyOf("Bearer "));
    request.secret_headers.back().second.Append(in_header);
    const auto response = (*transport)->Send(request);
    REQUIRE(response.has_value());
    CHECK(response->status == 200);
    CHECK(response->body.Expose(broker::Exit::kTest).find(in_answer) != std::string_view::npos);
  }
  for (const std::string* canary : {&in_request, &in_header, &in_answer}) {
    const auto copies = Copies(*canary);
    for (const std::string& where : copies) MESSAGE(where);
    CHECK(copies.empty());
  }
  std::string planted = in_answer;  // the search itself works
  CHECK(Copies(in_answer).size() == 1);
}

#endif
