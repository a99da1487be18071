#include "sidecar/broker/head_keeper.h"

#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Fail, broker::Status;

std::string TextOf(const ipc::LedgerState& state) {
  return std::to_string(state.seq) + ":" + state.leaf_hex;
}

// The number in front of the colon.
std::optional<uint64_t> SeqOf(const std::string& head) {
  uint64_t seq = 0;
  const char* const end = head.data() + head.size();
  const auto read = std::from_chars(head.data(), end, seq);
  if (read.ec != std::errc() || read.ptr == end || *read.ptr != ':') return std::nullopt;
  return seq;
}

}  // namespace

Status HeadKeeper::Compare() {
  const auto kept = ports_.kept();
  if (!kept && kept.error().code == ErrorCode::kNotFound) return {};
  if (!kept) return std::unexpected(kept.error());
  const auto seq = SeqOf(*kept);
  if (!seq) return Fail(ErrorCode::kCorrupt, "the ledger's head in the store is malformed");
  const auto ledger = ports_.ledger();
  if (!ledger) return std::unexpected(ledger.error());
  if (ledger->seq > *seq || TextOf(*ledger) == *kept) return {};
  return Fail(
      ErrorCode::kConflict,
      "the ledger ends at entry " + std::to_string(ledger->seq) + ", but entry " +
          std::to_string(*seq) +
          " was acknowledged: its end was cut, or an older copy was put back (a backup that you "
          "put back yourself: purser restore --accept)");
}

Status HeadKeeper::Keep() {
  const auto ledger = ports_.ledger();
  if (!ledger) return std::unexpected(ledger.error());
  const std::string head = TextOf(*ledger);
  const auto kept = ports_.kept();
  if (kept && *kept == head) return {};
  if (!kept && kept.error().code != ErrorCode::kNotFound) return std::unexpected(kept.error());
  return ports_.keep(head);
}

void HeadKeeper::Run(const std::stop_token& stop, const std::function<bool()>& usable) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
    // What cannot be noted now is noted a minute later; a latched ledger shows in the status.
    if (usable()) [[maybe_unused]]
      const Status noted = Keep();
    if (stop.stop_requested()) return;
  }
}

}  // namespace sidecar::broker_role
