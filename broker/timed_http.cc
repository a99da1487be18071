#include "broker/timed_http.h"

#include <utility>

namespace broker {
namespace {

std::string HostOf(std::string_view url) {
  const size_t start = url.find("://");
  const size_t host = start == url.npos ? 0 : start + 3;
  return std::string(url.substr(host, url.find('/', host) - host));
}

}  // namespace

TimedHttp::TimedHttp(HttpTransport& http, const Clock& clock, std::string_view url)
    : http_(http), clock_(clock), host_(HostOf(url)) {}

Result<HttpResponse> TimedHttp::Send(const HttpRequest& request) {
  asked_at_ = clock_.Now();
  host_ = HostOf(request.url);
  auto response = http_.Send(request);
  took_ = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - asked_at_);
  status_ = response ? response->status : 0;
  return response;
}

MintStep<entra::TokenResponse> TimedHttp::SendForToken(const HttpRequest& request,
                                                       std::string_view resource) {
  const auto response = Send(request);
  if (!response) return Stop(entra::ReadTransportError(response.error()));
  if (response->status != 200) return Stop(entra::ReadUpstreamError(*response));
  auto read = entra::ReadTokenResponse(response->body, resource);
  if (!read) return Stop(entra::ReadTransportError(read.error()));
  return std::move(*read);
}

}  // namespace broker
