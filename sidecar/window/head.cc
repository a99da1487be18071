#include "sidecar/window/head.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "sidecar/window/header_text.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse;
using Checked = std::expected<void, broker::Refusal>;

constexpr std::array<std::string_view, 9> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// tchar of RFC 9110 §5.6.2 without '_': libraries turn X-Y and X_Y into one name, and the packaged
// HTTP library keeps facts of its own under such names.
bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return IsAlphanumeric(c) || std::string_view("!#$&'*+-.^`|~").contains(c);
  });
}

// No percent sign: no route needs one, and nothing is decoded twice if nothing is decoded.
bool IsTarget(std::string_view target) {
  return target.starts_with('/') && std::ranges::all_of(target, [](char c) {
           return IsAlphanumeric(c) || std::string_view("/-._~!$&'()*+,;=:@?").contains(c);
         });
}

// True if a comma-separated list has the element.
bool HasElement(std::string_view list, std::string_view lower) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (EqualsIgnoringCase(Trim(list.substr(0, comma)), lower)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

Checked ReadLength(std::string_view value, Head* head) {
  constexpr size_t kMaxDigits = 19;  // what fits 64 bits; more is no length that anybody means
  const bool decimal =
      !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
  if (!decimal || value.size() > kMaxDigits) {
    return Refuse(Reason::kMalformedRequest, "Send one Content-Length, in decimal.");
  }
  uint64_t length = 0;
  std::from_chars(value.data(), value.data() + value.size(), length);
  if (length > HeadLimits::kMaxBodyBytes) return Refuse(Reason::kContentTooLarge);
  head->content_length = length;
  return {};
}

// The headers that purser reads or refuses; every other one is of no consequence.
enum class Known {
  kHost,
  kContentLength,
  kContentType,
  kAuthorization,
  kTraceparent,
  kPrefer,
  kConnection,
  kTransferEncoding,
  kContentEncoding,
  kExpect,
  kRange,
  kIfRange,
  kPurserSession,
};
constexpr std::array<std::string_view, 13> kKnown = {
    "host",   "content-length", "content-type",      "authorization",    "traceparent",
    "prefer", "connection",     "transfer-encoding", "content-encoding", "expect",
    "range",  "if-range",       "purser-session"};

Checked Apply(Known header, std::string_view value, Head* head) {
  switch (header) {
    case Known::kContentLength:
      return ReadLength(value, head);
    case Known::kTransferEncoding:
      return Refuse(Reason::kLengthRequired);
    case Known::kContentEncoding:
      return Refuse(Reason::kUnsupportedMediaType);
    case Known::kExpect:
      return Refuse(Reason::kExpectationFailed);
    case Known::kRange:
    case Known::kIfRange:
      return Refuse(Reason::kMalformedRequest, "Ranges are not served; remove the header.");
    case Known::kContentType:
      head->content_type = value;
      if (value.size() >= 10 && EqualsIgnoringCase(value.substr(0, 10), "multipart/")) {
        return Refuse(Reason::kUnsupportedMediaType);
      }
      return {};
    case Known::kAuthorization:
      head->authorization = value;
      return {};
    case Known::kTraceparent:
      head->traceparent = value;
      return {};
    case Known::kPrefer:
      head->prefer = value;
      return {};
    case Known::kConnection:
      head->close = HasElement(value, "close");
      return {};
    case Known::kPurserSession:
      if (value.size() > HeadLimits::kMaxSessionBytes) return Refuse(Reason::kHeadTooLarge);
      head->session = value;
      return {};
    case Known::kHost:
      return {};
  }
  return {};
}

Checked ReadRequestLine(std::string_view line, Head* head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refuse(Reason::kMalformedRequest, "The request line is not \"METHOD /path HTTP/1.1\".");
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (line.substr(last + 1) != "HTTP/1.1") {
    return Refuse(Reason::kMalformedRequest, "Speak HTTP/1.1.");
  }
  if (!IsTarget(target)) {
    return Refuse(Reason::kMalformedRequest,
                  "The target is a path that begins with '/' and needs no percent-encoding.");
  }
  const size_t question = std::min(target.find('?'), target.size());
  head->method = line.substr(0, first);
  head->path = target.substr(0, question);
  head->query = target.substr(std::min(question + 1, target.size()));
  if (std::ranges::find(kMethods, head->method) == kMethods.end()) {
    return Refuse(Reason::kMethodNotAllowed);
  }
  return {};
}

Checked ReadHeader(std::string_view line, std::array<bool, kKnown.size()>* seen, Head* head) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsHeaderName(line.substr(0, colon))) {
    return Refuse(
        Reason::kMalformedRequest,
        "A header is \"Name: value\" on one line, its name without space and underscore.");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trim(line.substr(colon + 1));
  if (value.contains('%')) {
    return Refuse(Reason::kMalformedRequest, "Remove the percent sign from the value of a header.");
  }
  const auto* known = std::ranges::find_if(
      kKnown, [name](std::string_view lower) { return EqualsIgnoringCase(name, lower); });
  if (known == kKnown.end()) return {};
  const auto index = static_cast<size_t>(known - kKnown.begin());
  if (std::exchange((*seen)[index], true)) {
    return Refuse(Reason::kMalformedRequest,
                  "The header " + std::string(*known) + " occurs twice.");
  }
  return Apply(static_cast<Known>(index), value, head);
}

// What only the whole head can tell.
Checked CheckWhole(const std::array<bool, kKnown.size()>& seen, const Head& head) {
  const auto has = [&seen](Known header) { return seen[static_cast<size_t>(header)]; };
  if (!has(Known::kHost)) {
    return Refuse(Reason::kMalformedRequest, "Send a Host header; its value does not matter.");
  }
  const bool carries = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  if (carries && !has(Known::kContentLength)) return Refuse(Reason::kLengthRequired);
  if (!carries && head.content_length > 0) {
    return Refuse(Reason::kMalformedRequest, "Send this method without a body.");
  }
  return {};
}

}  // namespace

Checked ParseHead(std::string_view bytes, Head* head) {
  std::array<bool, kKnown.size()> seen{};
  for (size_t lines = 0;; ++lines) {
    const size_t end = bytes.find("\r\n");
    const std::string_view line = bytes.substr(0, end);
    if (lines > 0 && line.empty()) return CheckWhole(seen, *head);
    if (lines > HeadLimits::kMaxHeaders) {
      return Refuse(Reason::kHeadTooLarge, "Send at most 64 headers.");
    }
    const Checked read = lines == 0 ? ReadRequestLine(line, head) : ReadHeader(line, &seen, head);
    if (!read) return read;
    bytes.remove_prefix(end + 2);
  }
}

}  // namespace sidecar::window
