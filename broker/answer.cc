#include "broker/answer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "broker/base/plain_run.h"

namespace broker {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
// Names, numbers and punctuation of a token answer, without its texts.
constexpr size_t kTokenFrameBytes = 320;
// A control character becomes \u00XX.
constexpr size_t kWorstEscape = 6;

// Bytes of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`; 0 if there is none.
size_t SequenceBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : size;
}

void AppendControl(char c, std::string* out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out->append("\\u00");
  out->push_back(kHex[static_cast<uint8_t>(c) >> 4]);
  out->push_back(kHex[static_cast<uint8_t>(c) & 0xf]);
}

void AppendNumber(int64_t value, std::string* out) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out->append(digits.data(), static_cast<size_t>(end - digits.data()));
}

// ,"name":
void AppendName(std::string_view name, std::string* out) {
  out->append(out->ends_with('{') ? "\"" : ",\"").append(name).append("\":");
}
void AppendText(std::string_view name, std::string_view value, std::string* out) {
  AppendName(name, out);
  AppendJsonString(value, out);
}
void AppendNumber(std::string_view name, int64_t value, std::string* out) {
  AppendName(name, out);
  AppendNumber(value, out);
}

void AppendAudit(const AuditRef& audit, std::string* out) {
  AppendName("audit", out);
  out->push_back('{');
  AppendText("log", audit.log, out);
  AppendNumber("seq", static_cast<int64_t>(audit.seq), out);
  AppendText("leaf", audit.leaf, out);
  out->push_back('}');
}

int64_t SecondsFrom(Clock::Steady now, Clock::Steady then) {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(then - now).count();
  return std::max<int64_t>(0, left);
}

std::string Join(const std::vector<std::string>& scopes) {
  std::string joined;
  for (const std::string& scope : scopes) {
    if (!joined.empty()) joined.push_back(' ');
    joined.append(scope);
  }
  return joined;
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const size_t run = PlainRun(text);  // tokens, ids and scopes are nothing else
    out->append(text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) break;
    const char c = text.front();
    const size_t size = SequenceBytes(text);
    if (size == 0) {
      out->append(kReplacement);
    } else if (c == '"' || c == '\\') {
      out->append({'\\', c});
    } else if (size == 1 && (c < 0x20 || c == 0x7f)) {
      AppendControl(c, out);
    } else {
      out->append(text.substr(0, size));
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  out->push_back('"');
}

std::string RenderRefusal(const Refusal& refusal, std::string_view request_id,
                          const std::optional<AuditRef>& audit) {
  const ReasonInfo& info = Describe(refusal.reason);
  std::string description(info.description);
  if (!refusal.hint.empty()) description.append(" ").append(refusal.hint);
  std::string out = "{";
  AppendText("error", info.error, &out);
  AppendText("reason", info.name, &out);
  AppendText("error_description", description, &out);
  AppendName("retryable", &out);
  out.append(info.retryable ? "true" : "false");
  AppendText("action", info.action, &out);
  if (!refusal.claims.empty()) AppendText("claims", refusal.claims, &out);
  if (refusal.approval) {
    AppendText("approval", refusal.approval->id, &out);
    AppendNumber("interval", refusal.approval->interval.count(), &out);
    AppendNumber("expires_in", refusal.approval->expires_in.count(), &out);
  }
  if (!request_id.empty()) AppendText("request_id", request_id, &out);
  if (audit) AppendAudit(*audit, &out);
  out.append("}\n");
  return out;
}

void RenderToken(const AccessToken& token, Clock::Steady now, std::string_view request_id,
                 const AuditRef& audit, std::string* out) {
  const std::string scope = Join(token.scopes);
  out->reserve(out->size() + kTokenFrameBytes +
               kWorstEscape * (token.value.size() + scope.size() + request_id.size() +
                               audit.log.size() + audit.leaf.size()));
  out->push_back('{');
  AppendText("token_type", "Bearer", out);
  AppendText("access_token", token.value.Expose(Exit::kHandToCaller), out);
  AppendNumber("expires_in", SecondsFrom(now, token.expires_at), out);
  AppendNumber("expires_on", token.exp_unix, out);
  AppendNumber("refresh_in", SecondsFrom(now, token.refresh_at), out);
  AppendText("scope", scope, out);
  AppendText("request_id", request_id, out);
  AppendAudit(audit, out);
  out->append("}\n");
}

}  // namespace broker
