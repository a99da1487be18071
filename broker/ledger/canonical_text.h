// broker/ledger/canonical_text.h: which text may stand in a line, and where the scanner stops.
#pragma once
#include <cstdint>
#include <string_view>

namespace broker::ledger {

/// Longest line with its newline. Log Analytics truncates fields of 64 KiB, and a tile entry of
/// C2SP tlog-tiles holds 65,535 bytes: 16 KiB passes both, escaped or not.
inline constexpr size_t kMaxLineBytes = size_t{16} << 10;

/// RFC 8785 numbers are IEEE 754 doubles: integers beyond 2^53 - 1 would change in another reader.
inline constexpr int64_t kMaxInteger = (int64_t{1} << 53) - 1;

/// The length of the one character beyond ASCII at the start of `text`, or 0 if it is not well
/// formed UTF-8 (RFC 3629: overlong forms, surrogates and values above U+10FFFF are not) or a
/// control character (U+0080 to U+009F).
size_t WideCharacter(std::string_view text);

/// Whether `text` is a leaf hash as a line's prev has it: 64 lower-case hex digits.
bool IsLeafHex(std::string_view text);

}  // namespace broker::ledger
