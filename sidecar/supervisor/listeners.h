// sidecar/supervisor/listeners.h: the sockets that one configuration asks for.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "sidecar/supervisor/listener.h"

namespace sidecar::supervisor {

/// Not accepting yet. By agent; "" is the admin socket.
using Listeners = std::map<std::string, Listener>;

/// Opens the sockets of `config` that are not in `open` already, and one beside each of those that
/// others may connect to now: it is to take the old one's place (Listener::TakePlaceOf). All or
/// none. Errors: kInvalidRequest.
broker::Result<Listeners> OpenListeners(const broker::policy::Config& config,
                                        const Listeners& open);

/// All groups of [admin], sorted, each once.
std::vector<uint32_t> AdminGroups(const broker::policy::Config& config);

}  // namespace sidecar::supervisor
