#include "broker/policy/config_values.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace broker::policy {
namespace {

constexpr uint32_t kMaxLimitCount = 1'000'000;  // beyond this a limit limits nothing

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return IsDigit(c) || IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::optional<uint32_t> ParseNumber(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view name;
  std::chrono::seconds length;
};
constexpr std::array<Unit, 4> kUnits = {{{"second", std::chrono::seconds{1}},
                                         {"minute", std::chrono::minutes{1}},
                                         {"hour", std::chrono::hours{1}},
                                         {"day", std::chrono::hours{24}}}};

bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.back() == '.' ||
      host.front() == '-' || host.find("..") != std::string_view::npos) {
    return false;
  }
  return std::ranges::all_of(
      host, [](char c) { return IsLower(c) || IsDigit(c) || c == '.' || c == '-'; });
}

bool IsIpv6Literal(std::string_view host) {
  return host.size() > 4 && host.front() == '[' && host.back() == ']' &&
         std::ranges::all_of(host.substr(1, host.size() - 2),
                             [](char c) { return IsHex(c) || c == ':' || c == '.'; });
}

// Where the port's colon stands in "host:port"; npos without one. A literal has colons of its own.
size_t PortColon(std::string_view authority) {
  const size_t bracket = authority.rfind(']');
  return authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
}

// "host:port" of a URL, without its path.
std::string_view AuthorityOf(std::string_view url) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  return rest.substr(0, rest.find('/'));
}

bool IsHostWithPort(std::string_view authority, bool port_required) {
  const size_t colon = PortColon(authority);
  const std::string_view host = authority.substr(0, colon);
  if (!IsHostName(host) && !IsIpv6Literal(host)) return false;
  if (colon == std::string_view::npos) return !port_required;
  const auto port = ParseNumber(authority.substr(colon + 1));
  return port && *port > 0 && *port <= 65535;
}

// Three characters, a digit, "Q~", and more than thirty: how Entra writes client secrets.
bool LooksLikeEntraSecret(std::string_view text) {
  const auto is_secret_char = [](char c) {
    return IsAlnum(c) || c == '_' || c == '~' || c == '.' || c == '-';
  };
  return text.size() >= 37 && text.size() <= 44 && IsDigit(text[3]) && text.substr(4, 2) == "Q~" &&
         std::ranges::all_of(text, is_secret_char);
}

}  // namespace

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && text.front() != '-' &&
         std::ranges::all_of(text, [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

std::optional<Limit> ParseLimit(std::string_view text) {
  if (text == "none") return Limit{};
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto count = ParseNumber(text.substr(0, slash));
  if (!count || *count == 0 || *count > kMaxLimitCount) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (text.substr(slash + 1) == unit.name) return Limit{*count, unit.length};
  }
  return std::nullopt;
}

std::string Format(const Limit& limit) {
  for (const Unit& unit : kUnits) {
    if (limit.count > 0 && limit.per == unit.length) {
      return std::to_string(limit.count) + "/" + std::string(unit.name);
    }
  }
  return "none";
}

namespace {

struct TimeUnit {
  char name;
  int64_t seconds;
};
constexpr std::array<TimeUnit, 4> kTimeUnits = {{{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
constexpr int64_t kLongestDuration = int64_t{365} * 86400;  // beyond it, somebody mistook the unit

}  // namespace

std::optional<std::chrono::seconds> ParseDuration(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto count = ParseNumber(text.substr(0, text.size() - 1));
  const auto unit = std::ranges::find(kTimeUnits, text.back(), &TimeUnit::name);
  if (!count || unit == kTimeUnits.end()) return std::nullopt;
  const int64_t seconds = static_cast<int64_t>(*count) * unit->seconds;
  if (seconds > kLongestDuration) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::string Format(std::chrono::seconds duration) {
  for (const TimeUnit& unit : kTimeUnits) {
    if (duration.count() % unit.seconds == 0 && duration.count() >= unit.seconds) {
      return std::to_string(duration.count() / unit.seconds) + unit.name;
    }
  }
  return "0s";
}

std::optional<uint32_t> ParseId(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, IsDigit)) return std::nullopt;
  return ParseNumber(text);
}

bool IsNobody(uint32_t id) { return id == 65534 || id == 65535 || id == UINT32_MAX; }

bool IsGuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !IsHex(text[i])) return false;
  }
  return true;
}

bool IsTenant(std::string_view text) {
  // "common", "organizations" and "consumers" are no tenants, and have no dot.
  return IsGuid(text) || (IsHostName(text) && text.find('.') != std::string_view::npos);
}

bool IsHttpsOrigin(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  return text.starts_with(kScheme) && IsHostWithPort(text.substr(kScheme.size()), false);
}

bool IsProxyUrl(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  return text.starts_with(kScheme) && IsHostWithPort(text.substr(kScheme.size()), true);
}

bool IsResourceId(std::string_view text) {
  return text.starts_with("/subscriptions/") && text.size() <= 2048 &&
         std::ranges::all_of(text, [](char c) {
           return IsAlnum(c) || std::string_view("/-._()").find(c) != std::string_view::npos;
         });
}

bool IsAbsolutePath(std::string_view text) {
  if (text.size() < 2 || text.size() > 4095 || text.front() != '/' || text.back() == '/') {
    return false;
  }
  const bool plain = std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
  return plain && text.find("//") == std::string_view::npos &&
         (std::string(text) + "/").find("/../") == std::string::npos;
}

bool IsSha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsSystemUnit(std::string_view text) {
  const bool suffix = text.ends_with(".service") || text.ends_with(".scope");
  return suffix && text.size() <= 255 && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return IsAlnum(c) || std::string_view(":-_.\\@").find(c) != std::string_view::npos;
         });
}

bool IsAccount(std::string_view text) {
  // What useradd and directory services allow; a number past 32 bits is no name either.
  if (text.empty() || text.size() > 256 || text.front() == '-') return false;
  if (std::ranges::all_of(text, IsDigit)) return ParseId(text).has_value();
  return std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != 0x7f && c != ':' && c != '/' && c != '"';
  });
}

bool IsRoleHolder(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == text.npos) return false;
  const std::string_view kind = text.substr(0, colon), name = text.substr(colon + 1);
  if (kind == "group") return IsAccount(name);
  return (kind == "entra-group" || kind == "entra-user") && IsGuid(name);
}

bool IsVaultSuffix(std::string_view text) { return IsHostName(text) && text.size() > 3; }

bool IsVaultAuth(std::string_view text) {
  constexpr std::string_view kCredential = "credential:";
  return text == "managed-identity" || text == "workload-identity" ||
         (text.starts_with(kCredential) && IsReference(text.substr(kCredential.size())));
}

bool IsReference(std::string_view text) { return !text.empty() && text.size() <= kMaxNameBytes; }

bool IsSecretName(std::string_view text) {
  return !text.empty() && text.size() <= 255 && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

bool IsKeyVaultName(std::string_view text) {
  return !text.empty() && text.size() <= 127 &&
         std::ranges::all_of(text, [](char c) { return IsAlnum(c) || c == '-'; });
}

bool IsKeyVaultVersion(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, IsHex);
}

bool LooksSecret(std::string_view text) {
  if (text.find("-----BEGIN") != std::string_view::npos) return true;
  if (text.starts_with("eyJ") && text.size() > 40) return true;
  return LooksLikeEntraSecret(text);
}

std::string_view HostOf(std::string_view origin) {
  const std::string_view authority = AuthorityOf(origin);
  return authority.substr(0, PortColon(authority));
}

std::string HostAndPort(std::string_view url) {
  const std::string_view authority = AuthorityOf(url);
  const bool has_port = PortColon(authority) != std::string_view::npos;
  const char* port = url.starts_with("http://") ? ":80" : ":443";
  return std::string(authority) + (has_port ? "" : port);
}

}  // namespace broker::policy
