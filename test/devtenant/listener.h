// test/devtenant/listener.h: accepts connections and serves them with httplib's parser and router.
#pragma once
#include <httplib.h>

#include <functional>
#include <string>

#include "test/devtenant/keys.h"

namespace devtenant {

/// httplib's server without its sockets: ours can be cut and can spoil the handshake.
class Routes : public httplib::Server {
 public:
  using httplib::Server::process_request;
};

/// The connection that the calling thread serves. Handlers use it to misbehave.
class Connection : public httplib::Stream {
 public:
  /// Nothing more is written: the connection closes without an answer.
  void Drop() { writable_bytes_ = 0; }
  /// The answer's head is written whole, its body by half.
  void CutBody() { cut_body_ = true; }
  static Connection* Current();

 protected:
  size_t writable_bytes_ = SIZE_MAX;
  bool cut_body_ = false;
};

/// A TLS server's choices for one connection: how the handshake is to go wrong, or "".
using TlsTrouble = std::function<std::string()>;

/// Binds 127.0.0.1:`port` (0: any) and returns the descriptor; `port` is set to the one bound.
int BindLoopback(int& port);
/// Binds a Unix socket, replacing one that is there; mode 0666, since its folder decides.
int BindUnix(const std::string& path);

/// The certificates of a TLS server: the good one and the troublesome ones.
struct ServerIdentities {
  Identity good, wrong_ca, wrong_name, expired;
};

/// Serves connections of `listening` in detached threads until the process ends. `routes`,
/// `identities` must live as long.
void ServeTls(int listening, Routes& routes, const ServerIdentities& identities,
              const TlsTrouble& trouble);
void ServePlain(int listening, Routes& routes);

}  // namespace devtenant
