// sidecar/dialer/dialer.h: the role: control channel, the broker's channel, the streams.
#pragma once
#include <optional>
#include <string_view>

#include "broker/base/log.h"
#include "sidecar/dialer/connection_count.h"
#include "sidecar/dialer/host_list.h"
#include "sidecar/dialer/stream_threads.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/ledger_client.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::dialer {

/// One thread runs it; streams have their own. Until the first kHosts is committed connections
/// wait, without a ledger it makes none.
class Dialer {
 public:
  /// Borrows `control` and `log`.
  Dialer(int control, const broker::Log& log);

  /// Says kStarted with `findings`, serves until the supervisor is gone, or after kStop until the
  /// broker is gone (it drains through this), and writes what was counted. Streams may still run
  /// then. Errors: kCorrupt (the control channel carried something else than IPC.md says).
  broker::Status Run(std::string_view findings);

 private:
  using Time = ConnectionCount::Time;
  [[nodiscard]] Time NextFlush();
  void FlushWhatIsDue();
  broker::Status TakeControl();
  broker::Status Obey(ipc::MessageType type);
  broker::Status TakeChannel(ipc::Fd* channel);
  void Prepare();
  void Reply(ipc::MessageType type, std::string_view text = {});
  void TakeDial();

  const broker::Log& log_;
  int control_;
  ipc::Fd broker_;
  ipc::LedgerClient ledger_;
  ConnectionCount count_;
  CurrentHosts hosts_;
  std::optional<HostList> prepared_;
  Time retry_{};            // no flush before this: the last one failed
  bool has_hosts_ = false;  // some were committed
  bool stopping_ = false;
  bool abandoned_ = false;  // the supervisor is gone
  ipc::Message message_;
  std::string reply_;
  StreamThreads streams_;
};

}  // namespace sidecar::dialer
