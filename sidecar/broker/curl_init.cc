#include "sidecar/broker/curl_init.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <cstdlib>

namespace sidecar::broker_role {

broker::Status InitCurl() {
  static const bool done = [] {
    // Whoever comes first decides about the configuration file; libcurl would load it.
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return false;
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) return false;
    // libcurl opens the key log here, once, and has no option against it.
    if (unsetenv("SSLKEYLOGFILE") != 0) return false;
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  }();
  if (!done)
    return broker::Fail(broker::ErrorCode::kUnavailable, "libcurl or OpenSSL did not start");
  return {};
}

}  // namespace sidecar::broker_role
