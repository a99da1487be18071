#include "sidecar/broker/curl_exchange.h"

#include <openssl/ssl.h>
#include <sodium.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "broker/base/local_url.h"
#include "sidecar/broker/curl_sockets.h"

namespace sidecar::broker_role {
namespace {

using broker::Error;
using broker::ErrorCode;

// A path makes libcurl take the Unix way without any name lookup. Nothing is at that path.
constexpr const char* kDialer = "socks5h://localhost/dialer";
constexpr const char* kUserAgent = "purser";
// The year 2200: beyond 2262 the clock's nanoseconds would overflow.
constexpr time_t kLatestDate = 7'258'118'400;

// SSL_OP_CLEANSE_PLAINTEXT and SSL_MODE_RELEASE_BUFFERS: an idle connection holds no plaintext.
void KeepNoPlaintext(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

template <class Value>
bool Set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

// What may follow a colon without ending the header or the request (RFC 9110 §5.5).
bool IsHeaderText(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// The endpoints of managed identities speak no TLS.
bool IsLocal(std::string_view url) { return broker::IsLocalHttpUrl(url.substr(0, url.find('?'))); }

constexpr std::string_view kUntrustedAdvice =
    "; whoever signed that certificate is not trusted: if it is the authority of an inspecting "
    "proxy, or your own, add it to [network] ca_file";

// What the dialer means (sidecar/dialer/socks5.h), and what mends it.
std::string_view WhatFailed(long reply) {
  switch (reply) {
    case CURLPX_REPLY_NETWORK_UNREACHABLE:
      return "there is no route to the host";
    case CURLPX_REPLY_HOST_UNREACHABLE:
      return "the host is not found, or does not answer: check name resolution and firewall, or "
             "ask who runs the proxy";
    case CURLPX_REPLY_CONNECTION_REFUSED:
      return "the host refuses the connection";
    case CURLPX_REPLY_TTL_EXPIRED:
      return "the proxy of [network] proxy cannot be reached, or gives no answer: check its "
             "address "
             "and whether it runs";
    case CURLPX_REPLY_UNASSIGNED:
      return "the proxy of [network] proxy refuses (401, 403 or 407): purser gives no password; "
             "have it let this machine through to the hosts of `purser config egress`";
    default:
      return "the dialer failed; its lines in the log say how";
  }
}

long Milliseconds(std::chrono::milliseconds duration) {
  return static_cast<long>(std::max<int64_t>(1, duration.count()));  // 0 would mean none
}

}  // namespace

size_t CurlExchange::OnBody(const char* bytes, size_t size, size_t count, void* self) {
  auto* exchange = static_cast<CurlExchange*>(self);
  if (exchange->body_.size() + size * count > broker::HttpResponse::kMaxBodyBytes) {
    exchange->too_large_ = true;
    return 0;
  }
  try {
    exchange->body_.Append(std::string_view(bytes, size * count));
  } catch (const std::bad_alloc&) {  // the arena is full; no exception may cross libcurl
    exchange->no_memory_ = true;
    return 0;
  }
  return size * count;
}

curl_socket_t CurlExchange::OnOpenSocket(void* self, curlsocktype /*purpose*/,
                                         curl_sockaddr* /*address*/) {
  auto* exchange = static_cast<CurlExchange*>(self);
  try {
    auto fd = exchange->open_();
    if (fd) return *fd;
    exchange->dial_error_ = std::move(fd.error().detail);
  } catch (const std::exception&) {  // as above
    exchange->no_memory_ = true;
  }
  return CURL_SOCKET_BAD;
}

CURLcode CurlExchange::OnSslContext(CURL* /*easy*/, void* context, void* self) {
  auto* ssl_context = static_cast<SSL_CTX*>(context);
  KeepNoPlaintext(ssl_context);
  SSL_CTX_set1_cert_store(ssl_context, static_cast<CurlExchange*>(self)->roots_);
  return CURLE_OK;
}

bool CurlExchange::SetOptions(CURL* easy) {
  const auto deadline = request_.deadline;
  return Set(easy, CURLOPT_PROTOCOLS_STR, "https,http") && Set(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
         Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         Set(easy, CURLOPT_NOSIGNAL, 1L) && Set(easy, CURLOPT_TIMEOUT_MS, Milliseconds(deadline)) &&
         Set(easy, CURLOPT_CONNECTTIMEOUT_MS,
             Milliseconds(std::min(deadline, CurlTransport::kConnectDeadline))) &&
         Set(easy, CURLOPT_PROXY, kDialer) && Set(easy, CURLOPT_NOPROXY, "") &&
         Set(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlExchange::OnOpenSocket) &&
         Set(easy, CURLOPT_OPENSOCKETDATA, this) &&
         Set(easy, CURLOPT_SOCKOPTFUNCTION, &TellAlreadyConnected) &&
         Set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         Set(easy, CURLOPT_SSL_VERIFYPEER, 1L) && Set(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
         Set(easy, CURLOPT_CAINFO, nullptr) && Set(easy, CURLOPT_CAPATH, nullptr) &&
         Set(easy, CURLOPT_SSL_CTX_FUNCTION, &CurlExchange::OnSslContext) &&
         Set(easy, CURLOPT_SSL_CTX_DATA, this) && Set(easy, CURLOPT_ERRORBUFFER, tls_error_) &&
         Set(easy, CURLOPT_WRITEFUNCTION, &CurlExchange::OnBody) &&
         Set(easy, CURLOPT_WRITEDATA, this) && Set(easy, CURLOPT_USERAGENT, kUserAgent);
}

bool CurlExchange::SetRequest(CURL* easy) {
  auto add = [&](const std::string& line) {
    curl_slist* const head = headers_.release();
    curl_slist* const longer = curl_slist_append(head, line.c_str());
    headers_.reset(longer == nullptr ? head : longer);
    return longer != nullptr;
  };
  for (const auto& [name, value] : request_.headers) {
    if (!IsHeaderText(value)) return false;
    std::string line = name;
    if (!add(line.append(": ").append(value))) return false;
  }
  for (const auto& [name, value] : request_.secret_headers) {
    const std::string_view text = value.Expose(broker::Exit::kSendUpstream);
    if (!IsHeaderText(text)) return false;
    std::string line;
    line.reserve(name.size() + 2 + text.size());  // one block, which is wiped
    line.append(name).append(": ").append(text);
    const bool added = add(line);
    sodium_memzero(line.data(), line.size());
    if (!added) return false;
  }
  if (!Set(easy, CURLOPT_URL, request_.url.c_str())) return false;
  if (request_.content_type.empty()) {
    return Set(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str()) &&
           Set(easy, CURLOPT_HTTPHEADER, headers_.get());
  }
  const std::string_view body = request_.body.Expose(broker::Exit::kSendUpstream);
  return add("Content-Type: " + request_.content_type) &&
         Set(easy, CURLOPT_HTTPHEADER, headers_.get()) &&
         Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size())) &&
         Set(easy, CURLOPT_POSTFIELDS, body.data() == nullptr ? "" : body.data()) &&
         Set(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

CURLcode CurlExchange::Perform(CURLM* multi, CURL* easy) {
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  CURLcode code = CURLE_OK;
  int running = 1;
  while (running > 0) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    // Wakes by itself when the transfer's own deadline is due.
    if (running > 0) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  return code;
}

broker::Result<broker::HttpResponse> CurlExchange::Run(CURLM* multi) {
  if (!request_.url.starts_with("https://") && !IsLocal(request_.url)) {
    return broker::Fail(ErrorCode::kInvalidRequest, "only https leaves this machine");
  }
  const Easy easy(curl_easy_init(), &curl_easy_cleanup);
  if (!easy) return broker::Fail(ErrorCode::kUnavailable, "no memory for a request");
  if (!SetOptions(easy.get()) || !SetRequest(easy.get())) {
    return broker::Fail(ErrorCode::kInvalidRequest, "libcurl refuses an option");
  }
  const CURLcode code = Perform(multi, easy.get());
  auto response =
      code == CURLE_OK ? Answer(easy.get()) : std::unexpected(ErrorOf(easy.get(), code));
  curl_multi_remove_handle(multi, easy.get());
  return response;
}

broker::Result<broker::HttpResponse> CurlExchange::Answer(CURL* easy) {
  long status = 0;
  curl_off_t retry_after = 0;
  if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status < 100 ||
      status > 599) {
    return broker::Fail(ErrorCode::kCorrupt, "no HTTP status");
  }
  broker::HttpResponse response;
  response.status = static_cast<int>(status);
  response.body = std::move(body_);
  if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0) {
    response.retry_after = std::chrono::seconds(retry_after);
  }
  curl_header* challenge = nullptr;
  if (curl_easy_header(easy, "WWW-Authenticate", 0, CURLH_HEADER, -1, &challenge) == CURLHE_OK) {
    const std::string_view text = challenge->value;
    if (text.size() <= broker::HttpResponse::kMaxChallengeBytes) response.www_authenticate = text;
  }
  curl_header* date = nullptr;
  if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
    const time_t seconds = curl_getdate(date->value, nullptr);
    if (seconds != -1 && seconds < kLatestDate)
      response.date = std::chrono::system_clock::from_time_t(seconds);
  }
  return response;
}

Error CurlExchange::ErrorOf(CURL* easy, CURLcode code) const {
  if (too_large_) return {ErrorCode::kCorrupt, "the answer is larger than 256 KiB"};
  if (no_memory_) return {ErrorCode::kUnavailable, "no memory left in this process"};
  std::string detail = curl_easy_strerror(code);
  switch (code) {  // not an enum of ours: every other code is a way of being unavailable
    case CURLE_PROXY: {
      long reply = 0;
      curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &reply);
      if (reply == CURLPX_REPLY_NOT_ALLOWED) return {ErrorCode::kDenied, "the host is not listed"};
      return {ErrorCode::kUnavailable, std::string(WhatFailed(reply))};
    }
    case CURLE_URL_MALFORMAT:
      return {ErrorCode::kInvalidRequest, std::move(detail)};
    case CURLE_UNSUPPORTED_PROTOCOL:  // the URL is https, so it is the answer that is not HTTP
    case CURLE_WEIRD_SERVER_REPLY:
      return {ErrorCode::kCorrupt, "the answer is not HTTP"};
    default:
      break;
  }
  if (!dial_error_.empty()) detail = "dialer: " + dial_error_;
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR) {
    detail += std::string(": ") + tls_error_;
  }
  long verdict = X509_V_OK;  // and so it stays for a certificate of another host
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
  if (code == CURLE_PEER_FAILED_VERIFICATION && verdict != X509_V_OK) {
    detail.append(kUntrustedAdvice);
  }
  return {ErrorCode::kUnavailable, std::move(detail)};
}

}  // namespace sidecar::broker_role
