#include "sidecar/broker/curl_transport.h"

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <utility>

#include "sidecar/broker/curl_exchange.h"

namespace sidecar::broker_role {

using broker::ErrorCode;
using broker::Fail;
using broker::Result;

struct CurlTransport::Roots {
  std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store{X509_STORE_new(), &X509_STORE_free};
};

// Each exchange has an easy handle of its own, so that nothing of a request or an answer can
// outlive it there. What lives on is the multi handle with its connections.
struct CurlTransport::Connection {
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi{curl_multi_init(),
                                                              &curl_multi_cleanup};
};

CurlTransport::CurlTransport(std::unique_ptr<Roots> roots, OpenDialerStream open)
    : roots_(std::move(roots)), open_(std::move(open)) {}
CurlTransport::~CurlTransport() = default;

Result<std::unique_ptr<CurlTransport>> CurlTransport::Create(std::string_view ca_pem,
                                                             OpenDialerStream open) {
  auto roots = std::make_unique<Roots>();
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())), &BIO_free);
  if (!roots->store || !bio) return Fail(ErrorCode::kUnavailable, "no memory for the roots");
  size_t added = 0;
  while (X509* root = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    added += X509_STORE_add_cert(roots->store.get(), root) == 1 ? 1 : 0;
    X509_free(root);
  }
  ERR_clear_error();  // the end of the file is an error to OpenSSL
  if (added == 0) return Fail(ErrorCode::kInvalidRequest, "the CA file holds no certificate");
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::move(roots), std::move(open)));
}

std::unique_ptr<CurlTransport::Connection> CurlTransport::TakeConnection() {
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  auto connection = std::make_unique<Connection>();
  if (!connection->multi) return nullptr;
  curl_multi_setopt(connection->multi.get(), CURLMOPT_MAXCONNECTS, 2L);
  return connection;
}

void CurlTransport::GiveBack(std::unique_ptr<Connection> connection) {
  const std::scoped_lock lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

Result<broker::HttpResponse> CurlTransport::Send(const broker::HttpRequest& request) {
  auto connection = TakeConnection();
  if (!connection) return Fail(ErrorCode::kUnavailable, "no memory for a connection");
  CurlExchange exchange(request, open_, roots_->store.get());
  auto response = exchange.Run(connection->multi.get());
  GiveBack(std::move(connection));
  return response;
}

}  // namespace sidecar::broker_role
