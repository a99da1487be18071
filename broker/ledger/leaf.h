// broker/ledger/leaf.h: the hash of one line, and its spelling.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace broker::ledger {

/// RFC 6962 §2.1 leaf hash: SHA-256 of a zero byte and the line without its newline. A line's
/// `prev` is the leaf of the line before it; the same leaves can later stand in a Merkle tree.
using Leaf = std::array<uint8_t, 32>;

/// What the first line has as `prev`: all zero bytes.
inline constexpr Leaf kNoLeaf{};

/// Domain separation of leaves from inner nodes (RFC 6962 §2.1).
inline constexpr uint8_t kLeafPrefix = 0x00;

/// Thread-safe.
Leaf LeafHash(std::string_view line);

/// Plain SHA-256 in lower-case hex, for quarantined bytes.
std::string Sha256Hex(std::string_view bytes);

/// Lower-case hex of any bytes.
void AppendHex(const uint8_t* bytes, size_t count, std::string* out);
std::string LeafHex(const Leaf& leaf);
/// Exactly 64 lower-case hex digits, or nothing.
std::optional<Leaf> ParseLeafHex(std::string_view hex);

}  // namespace broker::ledger
