// sidecar/broker/curl_init.h: libcurl and OpenSSL, deaf to environment and configuration files.
#pragma once
#include "broker/base/result.h"

namespace sidecar::broker_role {

/// Initialises both libraries once, before anything else in the process uses either and before the
/// seccomp filter: no openssl.cnf (whatever OPENSSL_CONF says) and no key log (SSLKEYLOGFILE) from
/// then on. Further calls do nothing. Not thread-safe: call it while there is one thread.
/// Errors: kUnavailable.
broker::Status InitCurl();

}  // namespace sidecar::broker_role
