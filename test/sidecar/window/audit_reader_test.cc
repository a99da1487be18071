// GET /v1/audit: one question at a time, over a channel of its own.
#include "test/sidecar/window/running_window.h"

using namespace window_test;

TEST_CASE("The ledger is asked one question at a time, and each asker gets its own page") {
  RunningWindow window;
  const ipc::Fd ledger = window.AttachReader();
  Ends gone = window.Connect();
  Write(gone.agent, Get("/v1/audit?after=1"));
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(ledger))->after == 1);
  const Ends second = window.Connect();
  const Ends third = window.Connect();
  Write(second.agent, Get("/v1/audit?after=2"));
  CheckServes(window);
  Write(third.agent, Get("/v1/audit?after=3"));
  CheckServes(window);
  gone.agent.Reset();  // its page is nobody's
  CHECK(RunningWindow::Receive(gone.broker).empty());
  const std::string large = "{\"page\":\"" + std::string(100'000, 'p') + "\"}";
  Send(ledger, Page("{\"page\":1}"));
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(ledger))->after == 2);
  Send(ledger, Page(large));
  CHECK(BodyOf(ReadAnswer(second.agent)) == large);
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(ledger))->after == 3);
  Send(ledger, Page("{\"page\":3}"));
  CHECK(BodyOf(ReadAnswer(third.agent)) == "{\"page\":3}");
}

TEST_CASE("A page that comes too late is nobody's, and the next asker gets its own") {
  RunningWindow window({.audit = kSoon});
  const ipc::Fd ledger = window.AttachReader();
  const Ends first = window.Connect();
  Write(first.agent, Get("/v1/audit?after=1"));
  CHECK(ReasonOf(ReadAnswer(first.agent)) == "ledger_unavailable");
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(ledger))->after == 1);
  Send(ledger, Page("{\"page\":1}"));  // late
  std::string answer;
  uint64_t asked = 1;
  while (answer.empty()) {  // on a busy machine the next page may be late, too
    const Ends next = window.Connect();
    Write(next.agent, Get("/v1/audit?after=" + std::to_string(++asked)));
    CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(ledger))->after == asked);
    Send(ledger, Page("{\"page\":" + std::to_string(asked) + "}"));
    const std::string got = BodyOf(ReadAnswer(next.agent));
    if (got.find("ledger_unavailable") == std::string::npos) answer = got;
  }
  CHECK(answer == "{\"page\":" + std::to_string(asked) + "}");
}

TEST_CASE("A ledger that keeps silent has a successor") {
  RunningWindow window({.audit = kSoon});
  const ipc::Fd silent = window.AttachReader();
  const Ends first = window.Connect();
  Write(first.agent, Get("/v1/audit"));
  CHECK(ReasonOf(ReadAnswer(first.agent)) == "ledger_unavailable");
  const ipc::Fd successor = window.AttachReader();
  const Ends third = window.Connect();  // taken after the successor
  Write(third.agent, Get("/v1/audit?after=9"));
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(successor))->after == 9);
}

TEST_CASE("A question under way keeps its channel when a successor is attached") {
  RunningWindow window;
  const ipc::Fd old = window.AttachReader();
  const Ends first = window.Connect();
  Write(first.agent, Get("/v1/audit?after=1"));
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(old))->after == 1);
  const ipc::Fd successor = window.AttachReader();
  const Ends second = window.Connect();
  Write(second.agent, Get("/v1/audit?after=2"));
  CheckServes(window);
  Send(old, Page("{\"page\":1}"));
  CHECK(BodyOf(ReadAnswer(first.agent)) == "{\"page\":1}");
  CHECK(RunningWindow::Receive(old).empty());
  CHECK(ipc::DecodeReadAudit(RunningWindow::Receive(successor))->after == 2);
  Send(successor, Page("{\"page\":2}"));
  CHECK(BodyOf(ReadAnswer(second.agent)) == "{\"page\":2}");
}
