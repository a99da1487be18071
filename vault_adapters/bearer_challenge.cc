#include "vault_adapters/bearer_challenge.h"

#include <algorithm>
#include <map>

#include "broker/base/ascii.h"

namespace vault {
namespace {

using std::string_view;

using broker::IsAlnum, broker::Lowered, broker::SameIgnoringCase;

constexpr string_view kDefaultScope = "/.default";

// RFC 9110 §5.6.2.
bool IsTokenChar(char c) { return IsAlnum(c) || string_view("!#$%&'*+-.^_`|~").contains(c); }

// Reads a list of parameters from the front of a text.
class Scanner {
 public:
  explicit Scanner(string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  void SkipSpace() {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
  }
  bool Skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  string_view Token() {
    const auto end = std::ranges::find_if_not(rest_, IsTokenChar);
    const string_view token(rest_.begin(), end);
    rest_.remove_prefix(token.size());
    return token;
  }
  // Key Vault quotes URLs: a backslash has no business in there.
  std::optional<string_view> Value() {
    if (!Skip('"')) {
      const string_view token = Token();
      return token.empty() ? std::nullopt : std::optional(token);
    }
    const size_t end = rest_.find('"');
    const string_view text = rest_.substr(0, end);
    const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    if (end == string_view::npos || !plain || text.contains('\\')) return std::nullopt;
    rest_.remove_prefix(end + 1);
    return text;
  }

 private:
  string_view rest_;
};

using Parameters = std::map<std::string, std::string>;

std::optional<Parameters> ParseParameters(string_view text) {
  Parameters parameters;
  Scanner scan(text);
  for (;;) {
    scan.SkipSpace();
    const std::string name = Lowered(std::string(scan.Token()));
    if (name.empty() || !scan.Skip('=')) return std::nullopt;
    const auto value = scan.Value();
    if (!value || !parameters.emplace(name, *value).second) return std::nullopt;
    scan.SkipSpace();
    if (scan.done()) return parameters;
    if (!scan.Skip(',')) return std::nullopt;
  }
}

// The host of "https://host[:port][/…]"; empty for anything else.
string_view HttpsHost(string_view url) {
  constexpr string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return {};
  url.remove_prefix(kScheme.size());
  const string_view authority = url.substr(0, url.find_first_of("/?#"));
  if (authority.contains('@') || authority.contains('\\')) return {};
  return authority.substr(0, authority.find(':'));
}

// The last segment of the authority's path.
string_view TenantOf(string_view authorization) {
  while (authorization.ends_with('/')) authorization.remove_suffix(1);
  const size_t host = authorization.find("://");
  const size_t slash = authorization.rfind('/');
  if (host == string_view::npos || slash == string_view::npos || slash < host + 3) return {};
  return authorization.substr(slash + 1);
}

bool IsBelow(string_view host, string_view suffix) {
  return host.size() > suffix.size() + 1 &&
         SameIgnoringCase(host.substr(host.size() - suffix.size()), suffix) &&
         host[host.size() - suffix.size() - 1] == '.';
}

}  // namespace

std::optional<BearerChallenge> ParseBearerChallenge(string_view header) {
  constexpr string_view kScheme = "Bearer ";
  if (!SameIgnoringCase(header.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  auto parameters = ParseParameters(header.substr(kScheme.size()));
  if (!parameters) return std::nullopt;
  BearerChallenge challenge{(*parameters)["authorization"], (*parameters)["resource"]};
  if (challenge.resource.empty()) {
    std::string& scope = (*parameters)["scope"];
    if (!scope.ends_with(kDefaultScope)) return std::nullopt;
    challenge.resource = scope.substr(0, scope.size() - kDefaultScope.size());
  }
  if (challenge.resource.ends_with('/')) challenge.resource.pop_back();
  if (challenge.authorization.empty() || challenge.resource.empty()) return std::nullopt;
  return challenge;
}

std::expected<void, std::string> CheckChallenge(const BearerChallenge& challenge,
                                                const TrustedAuthority& trusted) {
  const string_view resource_host = HttpsHost(challenge.resource);
  if (resource_host.empty()) return std::unexpected("the challenge names no https resource");
  if (!trusted.custom_cloud && !IsBelow(trusted.vault_host, resource_host)) {
    return std::unexpected("the challenge asks for a token of a resource that this host is not of");
  }
  if (!SameIgnoringCase(challenge.resource, trusted.resource)) {
    return std::unexpected("the challenge asks for a token of another resource than " +
                           trusted.resource);
  }
  const string_view tenant = TenantOf(challenge.authorization);
  const bool ours = std::ranges::any_of(
      trusted.tenants, [&](const std::string& one) { return SameIgnoringCase(one, tenant); });
  if (!ours) {
    return std::unexpected(
        "the challenge points to another tenant: the vault must be in the tenant of [tenant] id");
  }
  return {};
}

}  // namespace vault
