#include "broker/answer.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace broker;
using nlohmann::json;

namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, &out);
  return out;
}

AccessToken SomeToken(Clock::Steady now) {
  AccessToken token;
  token.value = Secret::CopyOf("eyJ0.eyJh.c2ln");
  token.expires_at = now + std::chrono::seconds(3599);
  token.refresh_at = now - std::chrono::seconds(5);
  token.exp_unix = 1795169819;
  token.scopes = {"Mail.Read", "User.Read"};
  return token;
}

}  // namespace

TEST_CASE("Whatever a peer sent becomes one valid JSON string") {
  // clang-format off
  struct Row { const char* what; std::string_view text; const char* want; };
  const Row rows[] = {
      {"plain",                   "Mail.Read",             "\"Mail.Read\""},
      {"quote and backslash",     "a\"b\\c",               "\"a\\\"b\\\\c\""},
      {"line feed",               "a\nb",                  "\"a\\u000ab\""},
      {"NUL",                     {"a\0b", 3},             "\"a\\u0000b\""},
      {"delete",                  "\x7f",                  "\"\\u007f\""},
      {"two bytes",               "\xc3\xa4",              "\"\xc3\xa4\""},
      {"four bytes",              "\xf0\x9f\x98\x80",      "\"\xf0\x9f\x98\x80\""},
      {"lone continuation",       "\x80",                  "\"\xef\xbf\xbd\""},
      {"cut sequence",            "\xe2\x82",              "\"\xef\xbf\xbd\xef\xbf\xbd\""},
      {"overlong slash",          "\xc0\xaf",              "\"\xef\xbf\xbd\xef\xbf\xbd\""},
      {"surrogate",               "\xed\xa0\x80",          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"beyond Unicode",          "\xf4\x90\x80\x80",      "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(Quoted(row.text) == row.want);
    CHECK(json::accept(Quoted(row.text)));
  }
}

TEST_CASE("A refusal says what happened, what to send, and nothing of the operator's detail") {
  const Refusal refusal{Reason::kUnknownField, "Remove \"color\".", "operator only", std::nullopt};
  const std::string text = RenderRefusal(refusal, "id-1", AuditRef{"log", 41, "ab"});
  const json body = json::parse(text);
  CHECK(body["error"] == "invalid_request");
  CHECK(body["reason"] == "unknown_field");
  CHECK(body["error_description"] == "A field is not known here; nothing is ignored. Remove \"color\".");
  CHECK(body["retryable"] == false);
  CHECK(body["action"] == "none");
  CHECK(body["request_id"] == "id-1");
  CHECK(body["audit"] == json{{"log", "log"}, {"seq", 41}, {"leaf", "ab"}});
  CHECK(text.find("operator only") == std::string::npos);
}

TEST_CASE("A refusal that the user's next sign-in can mend says what that must fulfil") {
  Refusal refusal{Reason::kInteractionRequired, {}, {}, {}};
  CHECK_FALSE(json::parse(RenderRefusal(refusal, "id", std::nullopt)).contains("claims"));
  refusal.claims = R"({"access_token":{"acrs":{}}})";
  CHECK(json::parse(RenderRefusal(refusal, "id", std::nullopt))["claims"] == refusal.claims);
}

TEST_CASE("Every reason renders to valid JSON, and without an entry there is no audit member") {
  for (const ReasonInfo& info : AllReasons()) {
    CAPTURE(info.name);
    const json body = json::parse(RenderRefusal({info.reason, {}, {}, {}}, "id", std::nullopt));
    CHECK(body["reason"] == info.name);
    CHECK_FALSE(body.contains("audit"));
  }
}

TEST_CASE("A token's answer counts from now and never below zero") {
  const Clock::Steady now{};
  std::string text;
  RenderToken(SomeToken(now), now, "id-1", {"log", 41, "ab"}, &text);
  const json body = json::parse(text);
  CHECK(body["token_type"] == "Bearer");
  CHECK(body["access_token"] == "eyJ0.eyJh.c2ln");
  CHECK(body["expires_in"] == 3599);
  CHECK(body["expires_on"] == 1795169819);
  CHECK(body["refresh_in"] == 0);
  CHECK(body["scope"] == "Mail.Read User.Read");
  CHECK(body["request_id"] == "id-1");
  CHECK(body["audit"]["seq"] == 41);
}

TEST_CASE("A token's answer grows its buffer once, so that no outgrown block keeps a copy") {
  AccessToken token = SomeToken({});
  token.value = Secret::CopyOf(std::string(4000, '"'));  // every byte doubles
  std::string text;
  RenderToken(token, {}, "id", {"log", 1, std::string(64, 'a')}, &text);
  const size_t capacity = text.capacity();
  std::string again;
  again.reserve(capacity);
  const char* before = again.data();
  RenderToken(token, {}, "id", {"log", 1, std::string(64, 'a')}, &again);
  CHECK(again.data() == before);
}
