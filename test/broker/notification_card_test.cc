#include "broker/notification_card.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/base/inert_text.h"
#include "broker/card_text.h"
#include "test/fakes/fake_clock.h"

using namespace broker;
using nlohmann::json;

namespace {

Approval Opened(const std::string& purpose, const std::string& exe = "/opt/agent",
                const std::vector<std::string>& can_also = {}) {
  ledger::Entry entry;
  entry.agent = "helpdesk";
  entry.caller = ledger::CallerRecord{.uid = 61001, .gid = 61001, .pid = 77};
  entry.scopes = {"Mail.Send"};
  entry.target_resource = "https://graph.microsoft.com";
  entry.policy_rule = "send-mail";
  entry.user_oid = "11111111-1111-4111-8111-111111111111";
  entry.claimed.purpose = purpose;
  const policy::Credential credential{.name = "mail", .kind = "refresh-token", .user = "jo"};
  const policy::ApprovalTerms terms;
  const FakeClock clock;
  return NewApproval({.entry = entry,
                      .terms = terms,
                      .credential = credential,
                      .exe = exe,
                      .claims = {},
                      .can_also = can_also,
                      .wanted = {},
                      .alive = {}},
                     "0123456789abcdef0123456789abcdef", {"Mail.Send: denied"}, clock);
}

// Each text of the card, wherever it stands.
void Texts(const json& node, std::vector<std::string>* texts) {
  if (node.is_object() && node.contains("text")) texts->push_back(node["text"]);
  if (!node.is_structured()) return;
  for (const json& inner : node) Texts(inner, texts);
}

}  // namespace

TEST_CASE("What an agent says means nothing to whatever draws it") {
  // clang-format off
  struct Row { const char* why; std::string said; const char* shown; };
  const Row rows[] = {
      {"plain words stay",              "answer ticket 1042",            "“answer ticket 1042”"},
      {"letters of others stay",        "für Jürg in Zürich",            "“für Jürg in Zürich”"},
      {"nothing",                       "",                              "“”"},
      {"a link is none",                "[approve](https://evil.test/)", "“［approve］(https：//evil․test/)”"},
      {"a bare address is none",        "see https://evil.test/x",       "“see https：//evil․test/x”"},
      {"nor one without its scheme",    "www.evil.test",                 "“www․evil․test”"},
      {"an image is none",              "![x](data:image/png)",          "“!［x］(data:image/png)”"},
      {"a mention is none",             "<at>Jo</at> please",            "“‹at›Jo‹/at› please”"},
      {"nor is a mail address",         "jo@evil.test",                  "“jo＠evil․test”"},
      {"emphasis is none",              "**granted** _by_ `Jo` ~~no~~",  "“∗∗granted∗∗ ＿by＿ ˋJoˋ ∼∼no∼∼”"},
      {"a heading is none",             "# Approved",                    "“＃ Approved”"},
      {"HTML is none",                  "<b onclick=x>&lt;",             "“‹b onclick=x›＆lt;”"},
      {"a card's function is none",     "{{DATE(2026-01-01T00:00:00Z)}}", "“｛｛DATE(2026-01-01T00:00:00Z)｝｝”"},
      {"a template is none",            "${secret} @{body}",             "“＄｛secret｝ ＠｛body｝”"},
      {"an escape escapes nothing",     "\\*x\\*",                       "“＼∗x＼∗”"},
      {"a table is none",               "|a|b|",                         "“∣a∣b∣”"},
      {"quotes do not end it",          "x” approved by Jo “",           "“x\" approved by Jo \"”"},
      {"nor do quotes of other kinds",  "„x‟",                           "“\"x\"”"},
      {"a new line is shown as text",   "x\npurser: approved",           "“\"x＼npurser: approved\"”"},
      {"so is a change of direction",   "x\u202Eevil",                   "“\"x＼u202eevil\"”"},
      {"so is a byte that is no text",  "x\xff",                         "“\"x＼ufffd\"”"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(QuotedText(row.said) == row.shown);
  }
}

TEST_CASE("Whatever is said, no character is left that a renderer acts on") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  for (const std::string& said : {all, std::string(5000, '*'), std::string(3000, '\xe2')}) {
    for (const std::string& shown : {QuotedText(said), CardText(said)}) {
      CHECK(shown.find_first_of("*_`~#[]<>&\\{}$@|\n\r\t") == std::string::npos);
      CHECK(shown.size() <= 1006);
    }
  }
  CHECK(CardText("Mail.Read 10% of it") == "Mail.Read 10% of it");
  CHECK(CardText("ääää", 6) == "ä…");
}

TEST_CASE("HTML has none of the characters that mean something in it") {
  // clang-format off
  struct Row { const char* why; const char* text; const char* html; };
  const Row rows[] = {
      {"plain words stay",          "Mail.Send for Jürg",       "Mail.Send for Jürg"},
      {"nothing",                   "",                         ""},
      {"an element is none",        "<script>x</script>",       "&lt;script&gt;x&lt;/script&gt;"},
      {"nor is a mention",          "<at id=0>Jo</at>",         "&lt;at id=0&gt;Jo&lt;/at&gt;"},
      {"nor an attachment",         "<attachment id=1>",        "&lt;attachment id=1&gt;"},
      {"nor a comment",             "<!-- x -->",               "&lt;!-- x --&gt;"},
      {"an attribute does not end", "\" onload=x '",            "&quot; onload=x &#39;"},
      {"an escape is text",         "&lt;b&gt;",                "&amp;lt;b&amp;gt;"},
      {"a half one, too",           "&#60;b",                   "&amp;#60;b"},
      {"all of them",               "<&>\"'",                   "&lt;&amp;&gt;&quot;&#39;"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(HtmlText(row.text) == row.html);
  }
}

TEST_CASE("A card of an approval says first what is so, then what the agent says") {
  const Approval approval = Opened("[yes](https://evil.test)", "/tmp/**granted**");
  const NotificationCard card = CardOf("helpdesk-zrh", approval);
  CHECK(card.headline == "helpdesk-zrh: agent helpdesk asks for approval");
  const auto fact = [&](const std::string& title) {
    const auto found = std::ranges::find(card.facts, title, &NotificationCard::Line::title);
    return found == card.facts.end() ? std::string("none") : found->text;
  };
  CHECK(fact("process") == "user 61001, process 77, program “/tmp/∗∗granted∗∗”");
  CHECK(fact("for user") == "11111111-1111-4111-8111-111111111111, proven");
  CHECK(fact("wants") == "Mail.Send at https://graph.microsoft.com");
  CHECK(fact("credential") == "mail, refresh-token, user jo");
  CHECK(fact("gets") == "one token within 10m of the last yes");
  CHECK(fact("lately") == "Mail.Send: denied");
  CHECK(fact("digest") == approval.digest);
  REQUIRE(card.claims.size() == 1);
  CHECK(card.claims[0].text == "“［yes］(https：//evil․test)”");
  CHECK(card.commands ==
        std::vector<std::string>{"purser approve " + approval.id, "purser deny " + approval.id});
}

TEST_CASE("A card names what the token can do besides, for the yes is to that, too") {
  const auto line = [](const NotificationCard& card) {
    const auto found = std::ranges::find(card.facts, "can also", &NotificationCard::Line::title);
    return found == card.facts.end() ? std::string("none") : found->text;
  };
  CHECK(line(CardOf("zrh", Opened("x"))) == "none");
  const NotificationCard card =
      CardOf("zrh", Opened("x", "/opt/agent", {"Mail.ReadWrite", "User.Read"}));
  CHECK(line(card) == "Mail.ReadWrite User.Read");
  CHECK(ToWorkflowMessage(card).find("Mail.ReadWrite User.Read") != std::string::npos);
  CHECK(ToHtml(card).find("Mail.ReadWrite User.Read") != std::string::npos);
}

TEST_CASE("The message is one card of texts: nothing in it can be pressed or followed") {
  const json message =
      json::parse(ToWorkflowMessage(CardOf("helpdesk-zrh", Opened("<at>Jo</at>"))));
  CHECK(message["type"] == "message");
  REQUIRE(message["attachments"].size() == 1);
  const json& attachment = message["attachments"][0];
  CHECK(attachment["contentType"] == "application/vnd.microsoft.card.adaptive");
  CHECK(attachment["contentUrl"].is_null());
  const json& card = attachment["content"];
  CHECK(card["type"] == "AdaptiveCard");
  CHECK_FALSE(card.contains("actions"));
  CHECK_FALSE(card.contains("msteams"));
  std::vector<std::string> texts;
  Texts(card, &texts);
  CHECK(std::ranges::find(texts, "“‹at›Jo‹/at›”") != texts.end());
  const std::string raw = message.dump();
  for (const char* element : {"\"TextBlock\"", "FactSet", "Image", "selectAction", "OpenUrl"}) {
    CAPTURE(element);
    CHECK(raw.find(element) == std::string::npos);
  }
}

TEST_CASE("A card that is too large for Teams still says who asks and how to decide") {
  NotificationCard card = CardOf("helpdesk-zrh", Opened("x"));
  for (int i = 0; i < 40; ++i) card.facts.push_back({"more", std::string(1000, 'x')});
  const std::string message = ToWorkflowMessage(card);
  CHECK(message.size() < 28 * 1000);
  for (const char* part : {"agent helpdesk asks", "purser approve 0123", "purser deny 0123"}) {
    CHECK(message.find(part) != std::string::npos);
  }
}

TEST_CASE("A chat's HTML holds no markup of an agent") {
  const std::string html = ToHtml(CardOf("helpdesk-zrh", Opened("<img src=x onerror=y> \"'&")));
  CHECK(html.find("‹img src=x onerror=y› &quot;&#39;＆") != std::string::npos);
  CHECK(html.find("<img") == std::string::npos);
  CHECK(html.find("<code>purser approve 0123") != std::string::npos);
}

TEST_CASE("A message that is too large for a chat still says who asks and how to decide") {
  NotificationCard card = CardOf("helpdesk-zrh", Opened("<x>"));
  const json small = json::parse(ToChatMessage(card));
  CHECK(small["body"]["contentType"] == "html");
  CHECK(small["body"]["content"] == ToHtml(card));
  CHECK(small.size() == 1);
  for (int i = 0; i < 40; ++i) card.facts.push_back({"more", std::string(1000, '&')});
  const std::string message = ToChatMessage(card);
  CHECK(message.size() < 28 * 1000);
  for (const char* part : {"agent helpdesk asks", "purser approve 0123", "more to it than fits"}) {
    CHECK(message.find(part) != std::string::npos);
  }
}

TEST_CASE("A notice tells of a token that was given, and asks nothing") {
  const NotificationCard card = CardOf("helpdesk-zrh", Notice{.seq = 42,
                                                              .unix_time = 0,
                                                              .agent = "helpdesk",
                                                              .rules = "read-mail",
                                                              .credential = "mail",
                                                              .scopes = {"Mail.Read"}});
  CHECK(card.headline == "helpdesk-zrh: agent helpdesk was given a token");
  CHECK(card.claims.empty());
  CHECK(card.commands == std::vector<std::string>{"purser revoke --token 42"});
}

TEST_CASE(
    "What is cut off anywhere in a fact is seen to be missing, and what an agent cuts is not") {
  // clang-format off
  struct Row { const char* what; std::string unit, exe; bool all; };
  const Row rows[] = {
      {"all of it",                 "helpdesk.service",     "/opt/agent",            true},
      {"three dots of its own",     "a….service",           "/opt/a…b",              true},
      {"the last text of a fact",   "helpdesk.service",     std::string(1500, 'x'),  false},
      {"one in the middle",         std::string(1500, 'x'), "/opt/agent",            false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Approval approval = Opened("x", row.exe);
    json shown = json::parse(approval.shown);
    shown["process"]["unit"] = row.unit;
    approval.shown = shown.dump();
    CHECK(ShowsAll(CardOf("zrh", approval, "K7QM-4XWT9H")) == row.all);
  }
}
