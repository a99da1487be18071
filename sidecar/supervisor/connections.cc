#include "sidecar/supervisor/connections.h"

#include <sys/socket.h>

#include <utility>

namespace sidecar::supervisor {

bool Connections::HasRoom(const std::string& agent) const {
  const auto count = per_agent_.find(agent);
  const size_t open = count == per_agent_.end() ? 0 : count->second;
  // Whatever the agents hold open, an operator gets in.
  if (agent.empty()) return open < kMaxAdmin;
  if (open < kFewConnections) return open_.size() < kMaxTotal;
  return open_.size() < kMaxTotal - kReservedForFew && open < kMaxPerAgent;
}

broker::Result<uint64_t> Connections::Add(Connection connection) {
  const uint64_t id = next_id_++;
  // No event asked for: a hang-up is told all the same, and data wakes nobody.
  auto watch = loop_.Add(connection.socket.get(), 0, [this, id](uint32_t) { OnHangUp(id); });
  if (!watch) return std::unexpected(watch.error());
  connection.watch = std::move(*watch);
  ++per_agent_[connection.agent];
  open_.emplace(id, std::move(connection));
  return id;
}

Connections::Connection* Connections::Find(uint64_t id) {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

void Connections::Remove(uint64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return;
  const auto count = per_agent_.find(found->second.agent);
  if (--count->second == 0) per_agent_.erase(count);
  open_.erase(found);
}

void Connections::Close(uint64_t id) {
  if (const Connection* connection = Find(id); connection != nullptr) {
    shutdown(connection->socket.get(), SHUT_RDWR);
    Remove(id);
  }
}

std::vector<uint64_t> Connections::Select(
    const std::function<bool(const Connection&)>& which) const {
  std::vector<uint64_t> ids;
  for (const auto& [id, connection] : open_) {
    if (which(connection)) ids.push_back(id);
  }
  return ids;
}

void Connections::OnHangUp(uint64_t id) {
  auto node = open_.extract(id);
  if (node.empty()) return;
  const auto count = per_agent_.find(node.mapped().agent);
  if (--count->second == 0) per_agent_.erase(count);
  ended_(node.mapped());
}

}  // namespace sidecar::supervisor
