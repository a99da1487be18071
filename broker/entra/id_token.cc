#include "broker/entra/id_token.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "broker/base/ascii.h"
#include "broker/base/base64.h"
#include "broker/base/strict_json.h"
#include "broker/entra/discovery.h"

namespace broker::entra {
namespace {

using nlohmann::json;

// Entra writes 200 of them at most into one token.
constexpr size_t kMaxGroups = 1000;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("id_token: ") + what);
}
std::unexpected<Error> No(const char* what) {
  return Fail(ErrorCode::kDenied, std::string("id_token: ") + what);
}

std::string Text(const json& claims, const char* name) {
  const auto it = claims.find(name);
  return it != claims.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<Clock::Wall> Time(const json& claims, const char* name) {
  const auto it = claims.find(name);
  if (it == claims.end() || !it->is_number_integer()) return std::nullopt;
  const auto seconds = it->get<int64_t>();
  constexpr int64_t kFarFuture = int64_t{1} << 40;  // no overflow where it is compared
  if (seconds <= 0 || seconds > kFarFuture) return std::nullopt;
  return Clock::Wall(std::chrono::seconds(seconds));
}

Result<json> ReadClaims(const Secret& token) {
  const std::string_view text = token.Expose(Exit::kInspectClaims);
  const size_t first = text.find('.'), second = text.rfind('.');
  const auto bytes = Base64UrlDecode(text.substr(first + 1, second - first - 1));
  if (!bytes) return Bad("not base64url");
  auto claims = ParseStrictJson(bytes->Expose(Exit::kInspectClaims));
  if (!claims || !claims->is_object()) return Bad("the claims are no object");
  return std::move(*claims);
}

// Either spelling of "there are more than fit": see "Groups overage claim".
bool LeavesGroupsOut(const json& claims) {
  const auto names = claims.find("_claim_names");
  const bool elsewhere =
      names != claims.end() && (!names->is_object() || names->contains("groups"));
  return elsewhere || claims.contains("hasgroups") || claims.contains("groups:src1");
}

}  // namespace

Result<Secret> TakeIdToken(const Secret& body) {
  auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims));
  if (!parsed) return Bad(parsed.error().detail.c_str());
  if (!parsed->is_object()) return Bad("the answer is no object");
  Secret id_token;
  for (const char* name : {"id_token", "access_token", "refresh_token"}) {
    const auto it = parsed->find(name);
    if (it == parsed->end() || !it->is_string()) continue;
    Secret taken = Secret::TakeFrom(it->get_ref<std::string&>());
    if (name == std::string_view("id_token")) id_token = std::move(taken);
  }
  if (id_token.empty()) return Bad("the answer has none");
  return id_token;
}

Result<SignedIn> VerifyIdToken(const Secret& token, const VerificationKey& key,
                               const AssertionTerms& terms) {
  if (const Status verified = VerifySignedFor(token, key, terms); !verified) {
    return std::unexpected(verified.error());
  }
  const auto claims = ReadClaims(token);
  if (!claims) return std::unexpected(claims.error());
  if (std::ranges::find(terms.issuers, Text(*claims, "iss")) == terms.issuers.end()) {
    return No("iss");
  }
  if (!SameGuid(terms.tenant, Text(*claims, "tid"))) return No("tid");
  if (!SameGuid(terms.app_id, Text(*claims, "aud"))) return No("aud");
  if (claims->contains("nonce")) return No("nonce");
  const auto expires = Time(*claims, "exp"), begins = Time(*claims, "nbf");
  if (!expires || *expires + kClockSkew <= terms.now) return No("expired");
  if (!begins || *begins > terms.now + kClockSkew) return No("nbf");
  SignedIn who{Lowered(Text(*claims, "oid")), {}, LeavesGroupsOut(*claims)};
  if (!IsGuid(who.oid)) return No("oid");
  const auto groups = claims->find("groups");
  if (groups == claims->end()) return who;
  if (!groups->is_array() || groups->size() > kMaxGroups) return Bad("groups");
  for (const json& group : *groups) {
    if (!group.is_string()) return Bad("groups");
    // Groups that came from a Windows domain may be written by name: no such is in [admin].
    if (const auto& id = group.get_ref<const std::string&>(); IsGuid(id)) {
      who.groups.push_back(Lowered(id));
    }
  }
  return who;
}

}  // namespace broker::entra
