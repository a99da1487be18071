// Answers in a Teams chat: whose decide, what they decide, and what decides nothing.
#include "test/broker/chat_replies_bench.h"

using namespace chat_replies;

namespace {

constexpr const char* kEve = "eeeeeeee-0000-4000-8000-000000000003";  // in the chat, no approver

}  // namespace

TEST_CASE("An approver's answer decides, and the entry says who, how and with which message") {
  for (const bool yes : {true, false}) {
    Bench b;
    const std::string id = b.Ask();
    const std::string code = b.Card(id).text();
    b.Say(kAda, (yes ? "yes " : "no ") + code);
    b.Look();
    CHECK(b.StateOf(id) == (yes ? ApprovalState::kGranted : ApprovalState::kDenied));
    const auto entries =
        b.Entries(yes ? ledger::EntryType::kApprovalGranted : ledger::EntryType::kApprovalDenied);
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].user_oid == kAda);
    CHECK(entries[0].approval_by == std::string("oid:") + kAda);
    CHECK(std::get<std::string>(entries[0].change.at("how")) == "teams-chat");
    CHECK(std::get<std::string>(entries[0].change.at("message")) == "1795000000001");
    CHECK(b.Entries(ledger::EntryType::kAdminDenied).empty());
  }
}

TEST_CASE("The chat is listed from the card on, with a token that is kept between two looks") {
  Bench b;
  const std::string id = b.Ask();
  const auto written = b.clock.WallNow();
  b.Card(id);
  b.Look();
  b.Look();
  REQUIRE(b.http.seen.size() == 3);  // one token, two looks
  CHECK(b.http.seen[1].method == "GET");
  CHECK(b.http.seen[1].url ==
        std::string(kGraph) +
            "/v1.0/chats/19:0a1b@thread.v2/messages?$top=20&$orderby=lastModifiedDateTime%20desc&"
            "$filter=lastModifiedDateTime%20gt%20" +
            TimeText(written));
  const auto access = b.Entries(ledger::EntryType::kCredentialAccess);
  REQUIRE_FALSE(access.empty());
  CHECK(access[0].target_kind == "notifier");
  CHECK(access[0].credential_name == "writer");
}

TEST_CASE("What anybody else says, or an approver otherwise, decides nothing") {
  const auto hour_ago = [](Bench& b) { return TimeText(b.clock.WallNow() - 1h); };
  // clang-format off
  struct Row { const char* what; std::function<void(Bench&, const ReplyCode&)> say; size_t refused; };
  const Row rows[] = {
      {"nobody says anything",             [](Bench&, const ReplyCode&) {},                                             0},
      {"somebody who is no approver",      [](Bench& b, const ReplyCode& c) { b.Say(kEve, "yes " + c.text()); },        0},
      {"an impostor with Ada's name",      [](Bench& b, const ReplyCode& c) { b.Say(kEve, "yes " + c.text())["from"]["user"]["displayName"] = kAda; }, 0},
      {"the chat's own credential",        [](Bench& b, const ReplyCode& c) { b.Say(kUser, "yes " + c.text()); },       0},
      {"the user as whom the agent acts",  [](Bench& b, const ReplyCode& c) { b.Say(kAgentsUser, "yes " + c.text()); }, 0},
      {"an application in Ada's name",     [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.text())["from"]["application"] = {{"id", "x"}}; }, 0},
      {"a guest with Ada's id",            [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.text())["from"]["user"]["userIdentityType"] = "federatedUser"; }, 0},
      {"an edited message",                [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.text())["lastEditedDateTime"] = TimeText(b.clock.WallNow()); }, 0},
      {"a deleted message",                [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.text())["deletedDateTime"] = TimeText(b.clock.WallNow()); }, 0},
      {"a message from before the card",   [&](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.text())["createdDateTime"] = hour_ago(b); }, 0},
      {"no code",                          [](Bench& b, const ReplyCode&) { b.Say(kAda, "yes"); },                      0},
      {"a code of no card",                [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes ZZZZ-" + c.secret); },   0},
      {"a wrong code",                     [](Bench& b, const ReplyCode& c) { b.Say(kAda, "yes " + c.tag + "-ZZZZZZ"); }, 1},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Bench b;
    const std::string id = b.Ask();
    row.say(b, b.Card(id));
    b.Look();
    CHECK(b.Looks() == 1);
    CHECK(b.StateOf(id) == ApprovalState::kPending);
    CHECK(b.approvals.Find(id)->votes.empty());
    const auto refused = b.Entries(ledger::EntryType::kAdminDenied);
    REQUIRE(refused.size() == row.refused);
    for (const auto& one : refused) {
      CHECK(one.approval_id == id);
      CHECK(one.user_oid == kAda);
      CHECK(std::get<std::string>(one.change.at("how")) == "teams-chat");
    }
  }
}

TEST_CASE("The person in whose name it is asked decides only where the rule wants just them") {
  SUBCASE("not otherwise") {
    Bench b;
    b.entry.user_oid = kAda;
    const std::string id = b.Ask();
    b.Say(kAda, "yes " + b.Card(id).text());
    b.Look();
    CHECK(b.StateOf(id) == ApprovalState::kPending);
    REQUIRE(b.Entries(ledger::EntryType::kAdminDenied).size() == 1);
    CHECK(b.Entries(ledger::EntryType::kAdminDenied)[0].reason == "own_request");
  }
  SUBCASE("there nobody else does") {
    Bench b;
    b.entry.user_oid = kAda;
    b.terms.by = {{{"requester"}, {}, {}, true}};
    const std::string id = b.Ask();
    const std::string code = b.Card(id).text();
    b.Say(kBob, "yes " + code);
    b.Look();
    CHECK(b.StateOf(id) == ApprovalState::kPending);
    b.Say(kAda, "yes " + code);
    b.Look();
    CHECK(b.StateOf(id) == ApprovalState::kGranted);
  }
}

TEST_CASE("An approver whom the rule does not name is refused, and the one it names is not") {
  Bench b;
  policy::ApprovalGroups by{{"entra-user:…"}, {}};
  by.entra.users = {kBob};
  b.terms.by = {by};
  const std::string id = b.Ask();
  const std::string code = b.Card(id).text();
  b.Say(kAda, "yes " + code);
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  CHECK(b.Entries(ledger::EntryType::kAdminDenied)[0].reason == "role_missing");
  b.Say(kBob, "yes " + code);
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kGranted);
}

TEST_CASE("A card has no code where no answer could decide it") {
  // clang-format off
  struct Row { const char* what; std::function<void(Bench&)> change; };
  const Row rows[] = {
      {"answers are not wanted",                   [](Bench& b) { b.config.notifiers.at("leads").replies = false; }},
      {"no user of the directory is an approver",  [](Bench& b) { b.config.admin.approver_entra.users.clear(); }},
      {"the rule wants a group of the machine",    [](Bench& b) { b.terms.by = {{{"group:leads"}, {30}}}; }},
      {"a person's login started what asks",       [](Bench& b) { b.entry.caller->loginuid = 2001; }},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Bench b;
    row.change(b);
    CHECK_FALSE(b.IsOffered(b.Ask()));
  }
}

TEST_CASE("A code decides its own approval, once") {
  Bench b;
  b.terms.uses = 2;
  const std::string one = b.Ask("one"), other = b.Ask("other");
  const ReplyCode first = b.Card(one), second = b.Card(other);
  SUBCASE("not with the secret of another one") {
    b.Say(kAda, "yes " + first.tag + "-" + second.secret);
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kPending);
    CHECK(b.StateOf(other) == ApprovalState::kPending);
  }
  SUBCASE("and never another one") {
    b.Say(kAda, "yes " + first.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kGranted);
    CHECK(b.StateOf(other) == ApprovalState::kPending);
  }
  SUBCASE("a second answer with it is neither a vote nor a guess") {
    b.Say(kAda, "yes " + first.text());
    b.Look();
    b.Say(kBob, "no " + first.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kGranted);
    CHECK(b.Entries(ledger::EntryType::kAdminDenied).empty());
  }
  SUBCASE("a no that was said before anybody looked goes before a yes") {
    b.Say(kAda, "yes " + first.text());
    b.clock.Advance(1s);
    b.Say(kBob, "no " + first.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kDenied);
    CHECK(b.Entries(ledger::EntryType::kApprovalGranted).empty());
  }
  SUBCASE("and the earlier of two counts") {
    b.Say(kAda, "no " + first.text());
    b.clock.Advance(1s);
    b.Say(kBob, "yes " + first.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kDenied);
  }
  SUBCASE("a later card's code replaces it") {
    const ReplyCode again = b.Card(one);
    b.Say(kAda, "yes " + first.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kPending);
    b.Say(kAda, "yes " + again.text());
    b.Look();
    CHECK(b.StateOf(one) == ApprovalState::kGranted);
  }
}

TEST_CASE("A code ends with its approval, its notifier, its chat, and with a stop") {
  // clang-format off
  struct Row { const char* what; std::function<void(Bench&, const std::string&)> end; };
  const Row rows[] = {
      {"it expired",                   [](Bench& b, const std::string&) { b.clock.Advance(601s); }},
      {"the agent is stopped",         [](Bench& b, const std::string&) { b.stopped = true; b.approvals.EndAll("helpdesk"); }},
      {"the stop is not there yet, but under way", [](Bench& b, const std::string&) { b.stopped = true; }},
      {"its credential was revoked",   [](Bench& b, const std::string&) { b.approvals.EndOf({"mail"}); }},
      {"answers are not wanted now",   [](Bench& b, const std::string&) { b.config.notifiers.at("leads").replies = false; }},
      {"the notifier is gone",         [](Bench& b, const std::string&) { b.config.notifiers.clear(); }},
      {"another chat is configured",   [](Bench& b, const std::string&) { b.config.notifiers.at("leads").chat = "19:other@thread.v2"; }},
      {"approvers are others now",     [](Bench& b, const std::string&) { b.config.admin.approver_entra.users.clear(); }},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Bench b;
    const std::string id = b.Ask();
    b.Say(kAda, "yes " + b.Card(id).text());
    row.end(b, id);
    b.Look();
    CHECK(b.Looks() == 0);
    CHECK(b.StateOf(id) != ApprovalState::kGranted);
    CHECK(b.Entries(ledger::EntryType::kApprovalGranted).empty());
  }
}

TEST_CASE("An approver who is one no longer decides nothing") {
  Bench b;
  const std::string id = b.Ask();
  b.Say(kAda, "yes " + b.Card(id).text());
  b.config.admin.approver_entra.users = {kBob};
  b.Look();
  CHECK(b.Looks() == 1);
  CHECK(b.StateOf(id) == ApprovalState::kPending);
}

TEST_CASE("A stop between the look and the answer holds") {
  Bench b;
  const std::string id = b.Ask();
  b.Say(kAda, "yes " + b.Card(id).text());
  b.http.respond = [&](const HttpRequest& request) {
    auto answer = b.Answer(request);
    if (request.method == "GET") b.stopped = true;
    return answer;
  };
  b.Look();
  CHECK(b.Looks() == 1);
  CHECK(b.Entries(ledger::EntryType::kApprovalGranted).empty());
}

TEST_CASE(
    "After a few wrong codes no answer decides that approval, and strangers guess nothing away") {
  Bench b;
  const std::string id = b.Ask();
  const ReplyCode code = b.Card(id);
  for (int i = 0; i < 3 * ChatReplies::kMaxWrong; ++i) b.Say(kEve, "yes " + code.tag + "-ZZZZZZ");
  for (int i = 0; i < ChatReplies::kMaxWrong - 1; ++i) b.Say(kAda, "yes " + code.tag + "-ZZZZZZ");
  b.Look();
  b.Look();  // each counts once
  CHECK(b.IsOffered(id));
  CHECK(b.Entries(ledger::EntryType::kAdminDenied).size() == ChatReplies::kMaxWrong - 1);
  b.Say(kBob, "no " + code.tag + "-ZZZZZY");
  b.clock.Advance(1s);
  b.Say(kAda, "yes " + code.text());
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  CHECK_FALSE(b.IsOffered(id));
  const auto refused = b.Entries(ledger::EntryType::kAdminDenied);
  REQUIRE(refused.size() == ChatReplies::kMaxWrong);
  CHECK(std::get<int64_t>(refused.back().change.at("wrong_codes")) == ChatReplies::kMaxWrong);
}

TEST_CASE("Where two must say yes, the second one answers a card and a code of their own") {
  Bench b;
  b.terms.quorum = 2;
  const std::string id = b.Ask();
  const ReplyCode first = b.Card(id);
  b.Say(kAda, "yes " + first.text());
  b.clock.Advance(1s);
  b.Say(kBob, "yes " + first.text());
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  REQUIRE(b.told_again.size() == 1);
  CHECK(b.told_again[0].id == id);
  const ReplyCode second = b.Card(id);
  b.Say(kAda, "yes " + second.text());
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kPending);
  CHECK(b.Entries(ledger::EntryType::kAdminDenied).size() == 1);
  b.Say(kBob, "yes " + second.text());
  b.Look();
  CHECK(b.StateOf(id) == ApprovalState::kGranted);
}
