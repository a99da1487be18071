#include "sidecar/ipc/messages.h"

#include <doctest/doctest.h>

#include <functional>

#include "sidecar/ipc/frame.h"

using namespace sidecar::ipc;
using broker::ErrorCode;

namespace {

broker::ledger::Entry FullEntry() {
  broker::ledger::Entry entry;
  entry.type = broker::ledger::EntryType::kTokenIssued;
  entry.outcome = broker::ledger::Outcome::kSuccess;
  entry.reason = "r";
  entry.agent = "helpdesk";
  entry.caller = {.uid = 1, .gid = 2, .pid = 3, .exe_sha256 = "ab", .unit = "u", .loginuid = 7};
  entry.claimed = {.purpose = "p", .task = "t", .requested_by = "b"};
  entry.scopes = {"Mail.Read"};
  entry.token_exp = 42;
  entry.change = {{"count", int64_t{9}}, {"why", "x"}};
  return entry;
}

}  // namespace

TEST_CASE("Every byte string but a whole message is refused") {
  struct Row {
    const char* what;
    std::function<void(std::string*)> encode;
    std::function<bool(std::string_view)> decodes;
  };
  TokenRequestMessage token{"id", {}};
  token.request.scopes = {"Mail.Read"};
  token.request.context.purpose = "p";
  token.request.user_assertion =
      std::make_shared<const broker::Secret>(broker::Secret::CopyOf("eyJ"));
  const Row rows[] = {
      {"token request", [&](std::string* out) { Encode(token, out); },
       [](std::string_view b) { return DecodeTokenRequest(b).has_value(); }},
      {"whoami", [](std::string* out) { Encode(PlainRequest{MessageType::kWhoami, "id"}, out); },
       [](std::string_view b) { return DecodePlainRequest(b).has_value(); }},
      {"rejected",
       [](std::string* out) { Encode(Rejected{"id", broker::Reason::kNotFound, "hint"}, out); },
       [](std::string_view b) { return DecodeRejected(b).has_value(); }},
      {"admin request",
       [](std::string* out) { Encode(AdminRequest{"id", "GET", "/v1/status", ""}, out); },
       [](std::string_view b) { return DecodeAdminRequest(b).has_value(); }},
      {"answer", [](std::string* out) { Encode(Answer{200, 0, "{}"}, out); },
       [](std::string_view b) { return DecodeAnswer(b).has_value(); }},
      {"connection",
       [](std::string* out) { Encode(Connection{"a", false, {.uid = 5, .groups = {1, 2}}}, out); },
       [](std::string_view b) { return DecodeConnection(b).has_value(); }},
      {"append", [](std::string* out) { Encode(Append{7, FullEntry()}, out); },
       [](std::string_view b) { return DecodeAppends(b).has_value(); }},
      {"acks",
       [](std::string* out) {
         EncodeAcks({{7, 0, 1, std::string_view("0123456789abcdef0123456789abcdef"), ""}}, out);
       },
       [](std::string_view b) { return DecodeAcks(b).has_value(); }},
      {"ledger state",
       [](std::string* out) { Encode(LedgerState{.latched = true, .latch_reason = "x"}, out); },
       [](std::string_view b) { return DecodeLedgerState(b).has_value(); }},
      {"read audit", [](std::string* out) { Encode(ReadAudit{5, 10}, out); },
       [](std::string_view b) { return DecodeReadAudit(b).has_value(); }},
      {"audit page", [](std::string* out) { Encode(AuditPage{"{}"}, out); },
       [](std::string_view b) { return DecodeAuditPage(b).has_value(); }},
      {"text", [](std::string* out) { Encode(TextMessage{MessageType::kHosts, "a:443"}, out); },
       [](std::string_view b) { return DecodeText(b).has_value(); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    std::string bytes;
    row.encode(&bytes);
    CHECK(row.decodes(bytes));
    for (size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK_FALSE(row.decodes(std::string_view(bytes).substr(0, cut)));
    CHECK_FALSE(row.decodes(bytes + '\0'));
    bytes[0] = '\x7f';
    CHECK_FALSE(row.decodes(bytes));
  }
}

TEST_CASE("An entry crosses unchanged") {
  std::string bytes;
  Encode(Append{7, FullEntry()}, &bytes);
  const auto all = DecodeAppends(bytes);
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 1);
  const Append* got = all->data();
  CHECK(got->id == 7);
  CHECK(got->entry.agent == "helpdesk");
  CHECK(got->entry.caller->loginuid == 7);
  CHECK(got->entry.claimed.requested_by == "b");
  CHECK(got->entry.token_exp == 42);
  CHECK(std::get<int64_t>(got->entry.change.at("count")) == 9);
  CHECK(std::get<std::string>(got->entry.change.at("why")) == "x");
}

TEST_CASE("Several entries cross in one frame, whole or not at all") {
  std::string one, frame;
  Encode(Append{7, FullEntry()}, &one);
  frame = one;
  CHECK(JoinAppend(one, &frame));
  CHECK(DecodeAppends(frame)->size() == 2);
  for (size_t cut = one.size() + 1; cut < frame.size(); ++cut) {
    CHECK_FALSE(DecodeAppends(std::string_view(frame).substr(0, cut)));
  }
  while (JoinAppend(one, &frame)) {
  }
  CHECK(frame.size() < kMaxFrameBytes);
  CHECK(frame.size() + one.size() > kMaxFrameBytes);
}

TEST_CASE("A user's token crosses as a secret, and its absence as none") {
  TokenRequestMessage message{"id", {}};
  std::string bytes;
  Encode(message, &bytes);
  CHECK(DecodeTokenRequest(bytes)->request.user_assertion == nullptr);
  const size_t longest = broker::TokenRequest::kMaxUserAssertionBytes;
  for (const size_t size : {size_t{1}, longest, longest + 1}) {
    const std::string text(size, 'x');
    message.request.user_assertion =
        std::make_shared<const broker::Secret>(broker::Secret::CopyOf(text));
    bytes.clear();
    Encode(message, &bytes);
    const auto got = DecodeTokenRequest(bytes);
    REQUIRE(got.has_value() == (size <= longest));
    if (got) CHECK(got->request.user_assertion->Expose(broker::Exit::kTest) == text);
  }
}

TEST_CASE("A token request over the limits is refused although it is well formed") {
  TokenRequestMessage message{"id", {}};
  message.request.scopes.assign(broker::TokenRequest::kMaxScopes + 1, "Mail.Read");
  std::string bytes;
  Encode(message, &bytes);
  CHECK(DecodeTokenRequest(bytes).error().code == ErrorCode::kCorrupt);
}
