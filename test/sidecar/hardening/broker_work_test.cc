// Under the broker's own filter: the real SQLite store, and TLS by the real libcurl and OpenSSL.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "sidecar/broker/curl_init.h"
#include "sidecar/broker/curl_transport.h"
#include "sidecar/broker/unseal_memory.h"
#include "sidecar/hardening/harden.h"
#include "test/sidecar/broker/tls_upstream.h"
#include "test/token_cache/store_folder.h"

using broker::Secret, broker::SecretId, broker::SecretKind;
using sidecar::hardening::Harden, sidecar::hardening::Role;

namespace {

/// Runs `work` in a child that has hardened itself as the broker; "" when it was done.
std::string FaultOf(const std::function<std::string()>& work) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto findings = Harden(Role::kBroker, {});
    std::string fault = !findings           ? findings.error().detail
                        : findings->empty() ? work()
                                            : ToJson(*findings);
    fault = fault.empty() ? "done" : fault;
    _exit(write(ends[1], fault.data(), fault.size()) > 0 ? 0 : 1);
  }
  close(ends[1]);
  char text[512];
  const ssize_t got = read(ends[0], text, sizeof(text));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  const std::string said(text, got > 0 ? static_cast<size_t>(got) : 0);
  return said == "done" ? "" : "said: " + said;
}

std::string WorkOnStore(token_cache::SealedStore& store) {
  // Enough for checkpoints of the write-ahead log, whose files were opened before the filter.
  for (int i = 0; i < 400; ++i) {
    const SecretId id{"credential-" + std::to_string(i % 40), SecretKind::kRefreshToken};
    const auto put = store.Put(id, Secret::CopyOf(std::string(900, 'x')), std::nullopt);
    if (!put) return "put: " + put.error().detail;
    const auto got = store.Get(id);
    if (!got) return "get: " + got.error().detail;
  }
  if (const auto rotated = store.RotateSeal(StoreFolder::Kek('n'), {}); !rotated) {
    return "rotate: " + rotated.error().detail;
  }
  const auto list = store.List();
  return list && list->size() == 40 ? "" : "list";
}

std::string FetchOverTls() {
  TlsUpstream::Script script;
  script.answer = [](const std::string&) { return TlsUpstream::Http("200 OK", "{}"); };
  TlsUpstream upstream(std::move(script));
  auto transport = sidecar::broker_role::CurlTransport::Create(
      upstream.ca_pem(), [&upstream] { return upstream.Open(); });
  if (!transport) return "transport: " + transport.error().detail;
  std::string fault;
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5; ++i) {
          broker::HttpRequest request;
          request.method = "POST";
          request.url = "https://login.test/token";
          request.body = Secret::CopyOf("grant_type=client_credentials");
          const auto answer = (*transport)->Send(request);
          const std::scoped_lock lock(mutex);
          if (!answer) fault = answer.error().detail;
        }
      });
    }
  }
  transport->reset();
  return fault;
}

std::string KeepTheKey() {
  const auto kept = sidecar::broker_role::KeepInMemfdSecret(StoreFolder::Kek('k'));
  if (!kept) return kept.error().detail.contains("ENOSYS") ? "" : kept.error().detail;
  const auto read = sidecar::broker_role::ReadFromMemfdSecret(kept->get());
  return read ? "" : read.error().detail;
}

}  // namespace

TEST_CASE("a hardened broker reads, writes and rotates its store") {
  StoreFolder folder;
  folder.Initialise();
  auto store = folder.Open();
  REQUIRE(store);
  CHECK(FaultOf([&]() -> std::string {
          const auto unsealed = (*store)->Unseal(StoreFolder::Kek('k'), folder.bounds());
          return unsealed ? WorkOnStore(**store) : "unseal: " + unsealed.error().detail;
        }) == "");
}

TEST_CASE("a hardened broker mints over TLS through the dialer's streams") {
  REQUIRE(sidecar::broker_role::InitCurl());
  CHECK(FaultOf(FetchOverTls) == "");
}

TEST_CASE("a hardened broker keeps its key for a successor") { CHECK(FaultOf(KeepTheKey) == ""); }
