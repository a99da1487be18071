#include "broker/entra/login_redirect.h"

#include <algorithm>
#include <optional>
#include <string>

namespace broker::entra {
namespace {

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kInvalidRequest, std::string("redirect: ") + what);
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// In the arena: what is decoded may be the code. Nothing for a broken escape or a control byte.
std::optional<Secret> Decode(std::string_view text) {
  Secret decoded = Secret::Allocate(text.size());
  const auto out = decoded.Writable();
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i, ++size) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < ' ') return std::nullopt;
    out[size] = c;
  }
  decoded.Truncate(size);
  return decoded;
}

struct Redirect {
  std::optional<Secret> code, state, error;
};

bool Take(std::string_view pair, Redirect* redirect) {
  const size_t equals = pair.find('=');
  const std::string_view name = pair.substr(0, equals);
  std::optional<Secret>* slot = nullptr;
  if (name == "code") slot = &redirect->code;
  if (name == "state") slot = &redirect->state;
  if (name == "error") slot = &redirect->error;
  if (slot == nullptr) return true;  // session_state and prose
  if (slot->has_value() || equals == pair.npos) return false;
  *slot = Decode(pair.substr(equals + 1));
  return slot->has_value();
}

// Only what looks like a protocol word may be shown.
std::string Word(const Secret& error) {
  const std::string_view text = error.Expose(Exit::kInspectClaims);
  const bool plain = !text.empty() && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
  });
  return plain ? std::string(text) : "an error";
}

}  // namespace

Result<Secret> ReadRedirect(std::string_view target, std::string_view state) {
  if (target.size() > kMaxRedirectBytes) return Bad("too long");
  const size_t question = target.find('?');
  if (question == target.npos) return Bad("no answer of a login");
  std::string_view query = target.substr(question + 1);
  query = query.substr(0, query.find('#'));
  Redirect redirect;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    if (!Take(query.substr(0, end), &redirect)) return Bad("malformed");
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  // The state first: another login's answer is none of this one's, whatever it says.
  const Secret expected = Secret::CopyOf(state);
  if (!redirect.state) return Bad("no state");
  if (expected.empty() || !redirect.state->Equals(expected)) {
    return Fail(ErrorCode::kConflict, "redirect: the answer of another login");
  }
  if (redirect.error) {
    return Fail(ErrorCode::kDenied, "redirect: Entra answered " + Word(*redirect.error));
  }
  if (!redirect.code || redirect.code->empty()) return Bad("no code");
  return std::move(*redirect.code);
}

}  // namespace broker::entra
