// test/devtenant/misbehave.h: makes an endpoint do what a fault says.
#pragma once
#include <httplib.h>

#include "test/devtenant/faults.h"

namespace devtenant {

/// Before serving: waits, drops the connection. Call without the tenant's mutex. False: dropped.
bool MisbehaveBefore(const Fault& fault);
/// After serving: spoils the body, adds headers, cuts the answer off.
void MisbehaveAfter(const Fault& fault, httplib::Response& response);

}  // namespace devtenant
