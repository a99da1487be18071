// [notify.NAME] and the credentials that are addresses of webhooks.
#include <algorithm>

#include "broker/policy/chat_replies.h"
#include "broker/policy/config_parser.h"
#include "broker/policy/diff.h"
#include "broker/policy/egress.h"
#include "broker/policy/registrations.h"
#include "broker/policy/show.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Says;

namespace {

constexpr const char* kHook = "[credential.hook]\nkind = \"webhook-url\"\n";
constexpr const char* kHost = "host = \"https://hook.test\"\n";

std::string Notify(const std::string& body, const std::string& name = "leads") {
  return "[notify." + name + "]\n" + body;
}
std::string Webhook(const std::string& body) { return Notify("kind = \"webhook\"\n" + body); }
constexpr const char* kWriter =
    "[credential.writer]\nkind = \"refresh-token\"\n"
    "client_id = \"55555555-2222-3333-4444-555555555555\"\n"
    "user = \"66666666-7777-8888-9999-bbbbbbbbbbbb\"\nscopes = [\"ChatMessage.Send\"]\n";
std::string Chat(const std::string& more, const std::string& id = "19:0a1b-2c@thread.v2") {
  return Notify("kind = \"teams-chat\"\nchat = \"" + id + "\"\ncredential = \"writer\"\n" + more);
}
std::string With(const std::string& tables) { return fixture::With("", tables); }
constexpr const char* kReplies = "replies = true\n";
constexpr const char* kJo = "\"entra-user:99999999-7777-8888-9999-bbbbbbbbbbbb\"";
std::string Approving(const std::string& who, const std::string& tables) {
  return fixture::With(
             "[admin]",
             "[admin]\nclient_id = \"99999999-2222-3333-4444-555555555555\"\napprovers = [" + who +
                 "]") +
         tables;
}

}  // namespace

TEST_CASE("A webhook has a host, and its address is a credential of a kind of its own") {
  const std::string good = std::string(kHost) + "credential = \"hook\"\n";
  const Config config = fixture::Valid(With(kHook + Webhook(good + "notices = true\n")));
  const Notifier& leads = config.notifiers.at("leads");
  CHECK(leads.kind == "webhook");
  CHECK(leads.host == "https://hook.test");
  CHECK(leads.credential == "hook");
  CHECK(leads.notices);
  CHECK(config.credentials.at("hook").client_id.empty());
  const auto hosts = Hosts(config);
  CHECK(std::ranges::find(hosts, "hook.test:443") != hosts.end());
  const auto egress = Egress(config);
  const auto found = std::ranges::find(egress, "hook.test:443", &Destination::host);
  REQUIRE(found != egress.end());
  CHECK(found->reason == "cards of approvals for [notify.leads]");
  const std::string shown = ShowConfig(config);
  CHECK(shown.find("[notify.leads]\nkind = \"webhook\"\n") != std::string::npos);
  CHECK(shown.find("[credential.hook]\nkind = \"webhook-url\"\n\n") != std::string::npos);
}

TEST_CASE("A chat has a credential of its own, which can do nothing but write to it") {
  const Config config = fixture::Valid(With(kWriter + Chat("notices = true\n")));
  const Notifier& leads = config.notifiers.at("leads");
  CHECK(leads.kind == "teams-chat");
  CHECK(leads.chat == "19:0a1b-2c@thread.v2");
  CHECK(leads.credential == "writer");
  CHECK(leads.notices);
  const auto egress = Egress(config);
  const auto graph = std::ranges::find(egress, "graph.microsoft.com:443", &Destination::host);
  REQUIRE(graph != egress.end());
  CHECK(graph->reason.find("messages in the chat of [notify.leads]") != std::string::npos);
  const std::string shown = ShowConfig(config);
  CHECK(shown.find("kind = \"teams-chat\"\n") != std::string::npos);
  CHECK(shown.find("chat = \"19:0a1b-2c@thread.v2\"\n") != std::string::npos);
  const auto made = DeriveRegistrations(config);
  const auto writer = std::ranges::find(made, "writer", &Registration::credential);
  REQUIRE(writer != made.end());
  CHECK(writer->scopes == std::vector<std::string>{"ChatMessage.Send"});
}

TEST_CASE("A chat whose answers decide reads, too, and the check says what Microsoft's terms say") {
  const std::string writer = std::string(kWriter).replace(
      std::string(kWriter).find("\"ChatMessage.Send\""), 18, R"("ChatMessage.Send", "Chat.Read")");
  const Config config = fixture::Valid(Approving(kJo, writer + Chat(kReplies)));
  CHECK(config.notifiers.at("leads").replies);
  CHECK(ShowConfig(config).find("replies = true\n") != std::string::npos);
  const auto warnings = ReplyWarnings(config);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].message.find("once a day") != std::string::npos);
  CHECK(ReplyWarnings(fixture::Valid(With(kWriter + Chat("")))).empty());
  const Config without = fixture::Valid(Approving(kJo, kWriter + Chat("")));
  const RightsDiff diff = CompareRights(without, config);
  CHECK(diff.lost.empty());
  CHECK(diff.gained ==
        std::vector<std::string>{
            "approvers by object id may answer in chat 19:0a1b-2c@thread.v2 (leads)"});
  // clang-format off
  struct Row { const char* what; const char* oid; bool may; };
  const Row rows[] = {
      {"an approver by name",            "99999999-7777-8888-9999-bbbbbbbbbbbb", true},
      {"in another case",                "99999999-7777-8888-9999-BBBBBBBBBBBB", true},
      {"somebody else",                  "99999999-7777-8888-9999-cccccccccccc", false},
      {"whom the chat's credential speaks as", "66666666-7777-8888-9999-bbbbbbbbbbbb", false},
      {"nobody",                         "",                                     false},
      {"a name",                         "Jo",                                   false},
  };
  // clang-format on
  const Config both = fixture::Valid(
      Approving(std::string(kJo) + ", \"entra-user:66666666-7777-8888-9999-bbbbbbbbbbbb\"",
                writer + Chat(kReplies)));
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(MayReply(both, row.oid) == row.may);
  }
}

TEST_CASE("Answers alone satisfy only what names people of the directory") {
  Config config;
  ApprovalTerms terms;
  CHECK_FALSE(TakesReplies(config, terms));
  config.admin.approver_entra.users = {"a"};
  CHECK(TakesReplies(config, terms));
  ApprovalGroups leads{{"group:leads"}, {30}}, people{{"entra-user:a"}, {}}, team = people;
  people.entra.users = {"a"};
  team.entra.groups = {"g"};
  ApprovalGroups requester{{"requester"}, {}};
  requester.requester = true;
  // clang-format off
  struct Row { const char* what; std::vector<ApprovalGroups> by; bool takes; };
  const Row rows[] = {
      {"people",                      {people},            true},
      {"the person it is asked for",  {requester},         true},
      {"both",                        {people, requester}, true},
      {"a group of the machine",      {leads},             false},
      {"a group of the directory",    {team},              false},
      {"people, and a group as well", {people, leads},     false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    terms.by = row.by;
    CHECK(TakesReplies(config, terms) == row.takes);
  }
}

TEST_CASE("A chat whose credential is anything else's, too, or can do more, is a fault") {
  const std::string writer = kWriter;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = writer;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string more = R"(scopes = ["ChatMessage.Send", "Chat.Read"])";
  const std::string scopes = R"(scopes = ["ChatMessage.Send"])";
  const std::string both = R"(scopes = ["ChatMessage.Send", "Chat.Read"])";
  const std::string same = "55555555-2222-3333-4444-555555555555";
  // clang-format off
  struct Row { const char* why; std::string text; const char* says; };
  const Row rows[] = {
      {"no chat",                       With(writer + Notify("kind = \"teams-chat\"\ncredential = \"writer\"\n")), "needs chat"},
      {"a chat with a path",            With(writer + Chat("", "19:x/../me")),                    "the id of a chat"},
      {"a chat with a query",           With(writer + Chat("", "19:x?y")),                        "the id of a chat"},
      {"a chat with a step up",         With(writer + Chat("", "19:..")),                         "the id of a chat"},
      {"a chat that is a channel's name", With(writer + Chat("", "leads")),                       "the id of a chat"},
      {"a host",                        With(writer + Chat(kHost)),                               "has no host"},
      {"a webhook with a chat",         With(kHook + Webhook(std::string(kHost) + "credential = \"hook\"\nchat = \"19:x@thread.v2\"\n")), "has no chat"},
      {"answers of nobody",             With(with(scopes, both) + Chat(kReplies)),                "names as \"entra-user:GUID\""},
      {"answers of a group, of which nothing says who is in it", Approving("\"entra-group:99999999-7777-8888-9999-bbbbbbbbbbbb\"", with(scopes, both) + Chat(kReplies)), "names as \"entra-user:GUID\""},
      {"answers, and no right to read", Approving(kJo, writer + Chat(kReplies)),                  "scopes = [\"Chat.Read\", \"ChatMessage.Send\"] and no other"},
      {"answers, and no right to write", Approving(kJo, with(scopes, "scopes = [\"Chat.Read\"]") + Chat(kReplies)), "and no other"},
      {"answers, and more than reading", Approving(kJo, with(scopes, "scopes = [\"ChatMessage.Send\", \"Chat.ReadWrite\"]") + Chat(kReplies)), "and no other"},
      {"answers, and mail as well",     Approving(kJo, with(scopes, "scopes = [\"ChatMessage.Send\", \"Chat.Read\", \"Mail.Read\"]") + Chat(kReplies)), "and no other"},
      {"a right to read, and no answers", Approving(kJo, with(scopes, both) + Chat("replies = false\n")), "and no other"},
      {"answers to a webhook",          With(kHook + Webhook(std::string(kHost) + "credential = \"hook\"\nreplies = true\n")), "has no replies"},
      {"answers that an agent imports", Approving(kJo, with(scopes, both) + Chat(kReplies) + "[credential.app]\nkind = \"client-secret\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\nscopes = [\"Teamwork.Migrate.All\"]\n"), "in another person's name"},
      {"answers that an agent writes",  Approving(kJo, with(scopes, both) + Chat(kReplies) + "[credential.app]\nkind = \"client-secret\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\n[credential.web]\nkind = \"on-behalf-of\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\nproof = \"app\"\nscopes = [\"ChatMessage.Send\"]\n"), "in another person's name"},
      {"answers to all chats that an agent writes", Approving(kJo, with(scopes, both) + Chat(kReplies) + "[credential.app]\nkind = \"client-secret\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\n[credential.web]\nkind = \"on-behalf-of\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\nproof = \"app\"\nscopes = [\"Chat.ReadWrite.All\"]\n"), "in another person's name"},
      {"no such credential",            With(Chat("")),                                           "credential"},
      {"an address",                    With("[credential.writer]\nkind = \"webhook-url\"\n" + Chat("")), "writes as a user"},
      {"an application",                With(with("refresh-token\"", "client-secret\"") + Chat("")), "writes as a user"},
      {"one that reads the chat, too",  With(with(scopes, more) + Chat("")),                      "and no other"},
      {"one that cannot write",         With(with(scopes, "scopes = [\"Chat.Read\"]") + Chat("")), "and no other"},
      {"an agent's registration",       With(with(same, "11111111-2222-3333-4444-555555555555") + Chat("")), "a rule of agent helpdesk"},
      {"an agent's credential",         fixture::With("scopes = [\"Mail.Read\"]\ncredential = \"mail\"", "scopes = [\"ChatMessage.Send\"]\ncredential = \"writer\"") + writer + Chat(""), "a rule of agent helpdesk"},
      {"what ends others at Entra",     fixture::With("[admin]", "[admin]\nupstream = \"writer\"") + writer + Chat(""), "[admin] upstream"},
      {"what people sign in to",        fixture::With("[admin]", "[admin]\nclient_id = \"55555555-2222-3333-4444-555555555555\"") + writer + Chat(""), "[admin] client_id"},
      {"what rotates others",           With(writer + "[credential.app]\nkind = \"client-secret\"\nclient_id = \"77777777-2222-3333-4444-555555555555\"\nscopes = [\"User.Read.All\"]\nrotate_with = \"writer\"\n" + Chat("")), "rotate_with of credential app"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    std::string all;
    const bool said = Says(row.text, row.says, &all);
    CAPTURE(all);
    CHECK(said);
  }
}

TEST_CASE("A notifier that could tell nobody is a fault, and says what to write") {
  const std::string host = kHost, hook = "credential = \"hook\"\n";
  std::string many;
  for (char c = 'a'; c <= 'i'; ++c) {
    many += Notify("kind = \"webhook\"\n" + host + hook, std::string(1, c));
  }
  // clang-format off
  struct Row { const char* why; std::string text; const char* says; };
  const Row rows[] = {
      {"no kind",                     kHook + Notify(host + hook),                              "lacks \"kind\""},
      {"a kind there is not",         kHook + Notify("kind = \"pager\"\n" + host + hook),       "\"kind\" must be \"webhook\""},
      {"no host",                     kHook + Webhook(hook),                                    "needs host"},
      {"a host without TLS",          kHook + Webhook("host = \"http://hook.test\"\n" + hook),  "an https origin"},
      {"the whole address",           kHook + Webhook("host = \"https://hook.test/x?sig=1\"\n" + hook), "an https origin"},
      {"no credential",               kHook + Webhook(host),                                    "lacks \"credential\""},
      {"one that is not there",       Webhook(host + hook),                                     "credential"},
      {"one of another kind",         Webhook(host + "credential = \"mail\"\n"),                "takes a credential of kind \"webhook-url\""},
      {"an unknown key",              kHook + Webhook(host + hook + "url = \"x\"\n"),            "url"},
      {"a switch in quotes",          kHook + Webhook(host + hook + "notices = \"yes\"\n"),      "true or false"},
      {"more than there are threads", kHook + many,                                             "no more than 8"},
      {"an address with a client",    std::string(kHook) + "client_id = \"11111111-2222-3333-4444-000000000001\"\n", "has no client_id"},
      {"an address with scopes",      std::string(kHook) + "scopes = [\"Mail.Read\"]\n",         "has no scopes"},
      {"an address that rotates",     std::string(kHook) + "rotate_every = \"30d\"\n",           "has no rotate_every"},
      {"a rule with an address",      fixture::With("credential = \"mail\"", "credential = \"hook\"") + kHook, "can never issue"},
      {"an address that acts",        fixture::With("[admin]", "[admin]\nupstream = \"hook\"") + kHook, "gets no tokens"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    std::string all;
    const bool whole = row.text.find("[tenant]") != std::string::npos;
    const bool said = Says(whole ? row.text : With(row.text), row.says, &all);
    CAPTURE(all);
    CHECK(said);
  }
}
