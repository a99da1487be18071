// test/devtenant/misbehave.h: makes an endpoint do what a fault says.
#pragma once
#include <httplib.h>

#include <chrono>

#include "test/devtenant/faults.h"

namespace devtenant {

// Both may block: call them without the tenant's mutex.
/// Before serving: waits, drops the connection. False: dropped.
bool MisbehaveBefore(const Fault& fault);
/// After serving: spoils the body, adds headers, cuts the answer off.
void MisbehaveAfter(const Fault& fault, httplib::Response& response);

/// How many requests a `hold` keeps now; waits until there is one, but no longer than that.
int WaitForHeld(std::chrono::seconds longest);
/// Lets all go: their connections close without an answer.
void ReleaseHeld();

}  // namespace devtenant
