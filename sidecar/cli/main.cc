#include <curl/curl.h>
#include <sodium.h>

#include <iostream>

#include "sidecar/cli/app.h"

int main(int argc, char** argv) {
  if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    std::cerr << "purser: the cryptographic libraries do not start\n";
    return 1;
  }
  return sidecar::cli::RunPurser(argc, argv);
}
