// broker/ledger/sha256.h: the digest of a file that is read in pieces.
#pragma once
#include <nettle/sha2.h>

#include <string>
#include <string_view>

namespace broker::ledger {

/// SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  /// Lower-case hex; begins anew.
  std::string Finish();

 private:
  sha256_ctx context_;
};

}  // namespace broker::ledger
