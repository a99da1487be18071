#include "sidecar/window/wire.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "broker/base/strict_json.h"
#include "sidecar/window/header_text.h"
#include "sidecar/window/media_type.h"
#include "sidecar/window/token_fields.h"

namespace sidecar::window {

using broker::Reason, broker::Refuse, broker::Refusal, broker::TokenRequest;

std::expected<TokenRequest, Refusal> ParseTokenRequest(const Head& head, std::string_view body) {
  const MediaType type = MediaTypeOf(head.content_type);
  if (type == MediaType::kOther) return Refuse(Reason::kUnsupportedMediaType);
  if (CarriesSecret(head.authorization)) {
    return Refuse(Reason::kClientSecretSent, "Remove the Authorization header.");
  }
  auto draft = type == MediaType::kJson ? ReadTokenJson(body) : ReadTokenForm(body);
  if (!draft) return std::unexpected(std::move(draft.error()));
  if (!draft->has_scopes) {
    return Refuse(Reason::kMissingField, "Send scopes, e.g. {\"scopes\":[\"Mail.Read\"]}.");
  }
  draft->request.trace = TraceIdOf(head.traceparent);
  draft->request.wait = WaitOf(head.prefer);
  return std::move(draft->request);
}

std::expected<uint64_t, Refusal> ParseAuditQuery(std::string_view query) {
  constexpr std::string_view kAfter = "after=";
  if (query.empty()) return 0;
  if (!query.starts_with(kAfter)) {
    return Refuse(Reason::kUnknownField, "The query is after=N, the last sequence number seen.");
  }
  const std::string_view digits = query.substr(kAfter.size());
  uint64_t after = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), after);
  if (error != std::errc{} || end != digits.data() + digits.size() || after > INT64_MAX) {
    return Refuse(Reason::kValueOutOfRange, "after is a sequence number, e.g. after=41.");
  }
  return after;
}

Checked CheckAdminBody(const Head& head, std::string_view body) {
  if (body.empty()) return {};
  if (MediaTypeOf(head.content_type) != MediaType::kJson) {
    return Refuse(Reason::kUnsupportedMediaType, "Send application/json here.");
  }
  const auto root = broker::ParseStrictJson(body);
  if (!root) {
    Refusal refusal = NotJson(root.error().detail).error();
    if (refusal.reason == Reason::kMalformedJson) refusal.hint.clear();  // it shows a token request
    return std::unexpected(std::move(refusal));
  }
  if (!root->is_object()) return Refuse(Reason::kMalformedJson);
  return {};
}

std::chrono::seconds WaitOf(std::string_view prefer) {
  while (!prefer.empty()) {
    const size_t comma = std::min(prefer.find(','), prefer.size());
    const std::string_view one = Trim(prefer.substr(0, comma));
    prefer.remove_prefix(std::min(comma + 1, prefer.size()));
    constexpr std::string_view kWait = "wait=";
    if (one.size() <= kWait.size() || !EqualsIgnoringCase(one.substr(0, kWait.size()), kWait)) {
      continue;
    }
    const std::string_view digits = one.substr(kWait.size());
    uint32_t seconds = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (error != std::errc{} || end != digits.data() + digits.size()) return {};
    return std::chrono::seconds(std::min(seconds, TokenRequest::kMaxWait));
  }
  return {};
}

std::string TraceIdOf(std::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags
  constexpr size_t kBytes = 55;
  const auto hex = [](std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  };
  const auto zero = [](std::string_view text) { return text.find_first_not_of('0') == text.npos; };
  if (traceparent.size() < kBytes) return {};
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace = traceparent.substr(3, 32);
  const std::string_view parent = traceparent.substr(36, 16);
  const bool dashes = traceparent[2] == '-' && traceparent[35] == '-' && traceparent[52] == '-';
  const bool length =
      traceparent.size() == kBytes || (version != "00" && traceparent[kBytes] == '-');
  const bool digits = hex(version) && hex(trace) && hex(parent) && hex(traceparent.substr(53, 2));
  if (!dashes || !length || !digits || version == "ff" || zero(trace) || zero(parent)) return {};
  return std::string(trace);
}

}  // namespace sidecar::window
