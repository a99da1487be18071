#include "sidecar/ledger/audit_reader.h"

#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/resource.h>

#include "test/sidecar/ledger/ledger_fixture.h"

using sidecar::ledger::AuditReader, sidecar::ledger::Disk;

TEST_CASE("a reader for which there is no thread is an error, not an end of the process") {
  const TemporaryFolder folder;
  const auto disk = *Disk::OpenFolder(folder.path());
  const CapturedLog log;
  const FakeClock clock;
  AuditReader reader(*disk, log.log(), clock);
  pthread_attr_t before, huge;
  REQUIRE(pthread_getattr_default_np(&before) == 0);
  pthread_attr_init(&huge);
  // More than there are addresses: the kernel has no room for its stack.
  REQUIRE(pthread_attr_setstacksize(&huge, size_t{1} << 47) == 0);
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  const auto started = reader.Start();
  REQUIRE(pthread_setattr_default_np(&before) == 0);
  pthread_attr_destroy(&huge);
  pthread_attr_destroy(&before);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == broker::ErrorCode::kUnavailable);
}

TEST_CASE("a poll that fails is logged once, and reading goes on when it works again") {
  const TemporaryFolder folder;
  const auto disk = *Disk::OpenFolder(folder.path());
  const CapturedLog log;
  const FakeClock clock;
  AuditReader reader(*disk, log.log(), clock);
  auto [near, far] = *sidecar::ipc::MakePair();
  REQUIRE(reader.Start());
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit one{1, before.rlim_max};  // the kernel polls no more than this
  REQUIRE(setrlimit(RLIMIT_NOFILE, &one) == 0);
  reader.AddChannel("helpdesk", std::move(far));
  while (log.Text().find("audit_reader_failed") == std::string::npos) std::this_thread::yield();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);

  std::string question;
  Encode(sidecar::ipc::ReadAudit{0, 10}, &question);
  REQUIRE(sidecar::ipc::Send(near.get(), question));
  sidecar::ipc::Message answer;
  REQUIRE(sidecar::ipc::Receive(near.get(), &answer));
  const auto page = sidecar::ipc::DecodeAuditPage(answer.bytes);
  REQUIRE(page);
  CHECK(page->body == "{\"entries\":[],\"next\":0}");
  reader.Stop();
  CHECK(log.Text().find("EINVAL") != std::string::npos);
}
