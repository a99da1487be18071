// sidecar/broker/curl_exchange.h: one HTTPS request and its answer.
#pragma once
#include <curl/curl.h>
#include <openssl/ossl_typ.h>

#include <memory>
#include <string>

#include "sidecar/broker/curl_transport.h"

namespace sidecar::broker_role {

/// Used once, by one thread. Borrows all that it is given.
class CurlExchange {
 public:
  CurlExchange(const broker::HttpRequest& request, const CurlTransport::OpenDialerStream& open,
               X509_STORE* roots)
      : request_(request), open_(open), roots_(roots) {}

  /// With the connections of `multi`, which no other thread uses meanwhile. Errors as in the port.
  broker::Result<broker::HttpResponse> Run(CURLM* multi);

 private:
  using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
  using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

  bool SetOptions(CURL* easy);
  bool SetRequest(CURL* easy);
  CURLcode Perform(CURLM* multi, CURL* easy);
  broker::Result<broker::HttpResponse> Answer(CURL* easy);
  broker::Error ErrorOf(CURL* easy, CURLcode code) const;

  static size_t OnBody(const char* bytes, size_t size, size_t count, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static CURLcode OnSslContext(CURL* easy, void* context, void* self);

  const broker::HttpRequest& request_;
  const CurlTransport::OpenDialerStream& open_;
  X509_STORE* roots_;
  Headers headers_{nullptr, &curl_slist_free_all};
  broker::Secret body_;
  bool too_large_ = false;
  bool no_memory_ = false;
  std::string dial_error_;
  char tls_error_[CURL_ERROR_SIZE] = {};
};

}  // namespace sidecar::broker_role
