// test/devtenant/encoding.h: bytes to text and back, and random identifiers.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace devtenant {

/// RFC 4648 §5 without padding.
std::string ToBase64Url(std::string_view bytes);
/// Nothing for text that is not unpadded base64url.
std::optional<std::string> FromBase64Url(std::string_view text);
/// RFC 4648 §4, with padding. Nothing for other text.
std::optional<std::string> FromBase64(std::string_view text);
/// Upper case, as directories write thumbprints.
std::string ToHex(std::string_view bytes);
/// Seconds since the epoch and RFC 3339 in UTC, such as 2026-01-31T12:00:00Z. A fraction is read
/// and dropped; nothing for other text.
std::string ToIso8601(int64_t seconds);
std::optional<int64_t> FromIso8601(const std::string& text);
/// The same in milliseconds, with a fraction of three digits.
std::string ToIso8601Milliseconds(int64_t milliseconds);
std::optional<int64_t> FromIso8601Milliseconds(const std::string& text);
std::string Sha1(std::string_view bytes);
std::string Sha256(std::string_view bytes);
std::string RandomBytes(size_t count);
/// A random GUID (RFC 9562, version 4).
std::string NewGuid();

/// Percent-encoded but for RFC 3986's unreserved characters.
std::string ToPercentEncoded(std::string_view text);
/// The fields of an application/x-www-form-urlencoded body; nothing when it is malformed or names a
/// field twice.
std::optional<std::map<std::string, std::string>> ParseForm(std::string_view body);
/// Words that spaces separate.
std::set<std::string> Words(std::string_view text);

}  // namespace devtenant
