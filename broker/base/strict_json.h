// broker/base/strict_json.h: JSON from outside, read so that there is one meaning or an error.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

#include "broker/base/result.h"

namespace broker {

// Details of two faults that deserve their own answer; every other one means that it is no JSON.
inline constexpr std::string_view kDuplicateKey = "duplicate key";
inline constexpr std::string_view kNotAnInteger = "a number that is not a 64-bit integer";

struct JsonLimits {
  int max_depth = 8;  // deeper than any document purser reads; bounds the parser's work
  bool allow_floats = false;
};

/// One JSON value (RFC 8259) that fills `text` completely.
/// Refuses what nlohmann accepts silently: duplicate keys (last wins), numbers beyond 64 bits (they
/// become floats), floats unless allowed, invalid UTF-8, NUL in a key, depth over the limit.
/// Errors: kInvalidRequest; the detail names the kind of fault and never quotes the input, which
/// may hold secrets. Thread-safe.
Result<nlohmann::json> ParseStrictJson(std::string_view text, JsonLimits limits = {});

}  // namespace broker
