// sidecar/broker/guarded_handler.h: no request ends the process.
#pragma once
#include "broker/base/log.h"
#include "sidecar/broker/connections.h"

namespace sidecar::broker_role {

/// Runs `work`, with an answer in place of an exception: `overloaded` when the arena of secrets is
/// full (Secret throws std::bad_alloc), `internal` for any other. The exception's own text is
/// dropped, for a parser's quotes what it read.
void RunGuarded(const Connections::Answerer& answerer, const broker::Log& log,
                const std::function<void()>& work);

/// A handler of which each call is guarded. Borrows `log`.
Connections::Handler Guarded(Connections::Handler handler, const broker::Log& log);

}  // namespace sidecar::broker_role
