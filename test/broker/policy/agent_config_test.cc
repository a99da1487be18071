// Agents and their rules: which tables mean nothing, contradict others, or could never issue.
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::CheckFaults, fixture::With;
using Row = fixture::FaultRow;

namespace {

std::string Of(std::string_view body) { return With("user = \"helpdesk\"", body); }
std::string MailRule(std::string_view body) { return With("credential = \"mail\"\n", body); }

}  // namespace

TEST_CASE("An agent that the kernel cannot tell from others, or that could be purser, is refused") {
  // clang-format off
  const Row rows[] = {
      {"no selector",               Of(""),                                                 14, "has no selector that the kernel vouches for"},
      {"a program alone",           Of("exe = \"/usr/bin/agent\""),                         14, "write user = "},
      {"a unit alone",              Of("systemd_unit = \"helpdesk.service\""),              14, "write user = "},
      {"an unknown user",           Of("user = \"nosuch\""),                                15, "no user \"nosuch\""},
      {"an unknown group",          Of("group = \"nosuch\""),                               15, "no group \"nosuch\""},
      {"nobody by name",            Of("user = \"nobody\""),                                15, "every unmapped user"},
      {"nobody by number",          Of("user = 65534"),                                     15, "every unmapped user"},
      {"nogroup by name",           Of("group = \"nogroup\""),                              15, "every unmapped user"},
      {"nogroup by number",         Of("group = 65534"),                                    15, "every unmapped user"},
      {"nobody beside a group",     Of("user = \"nobody\"\ngroup = \"helpdesk\""),          15, "every unmapped user"},
      {"no id at all",              Of("user = 4294967295"),                                15, "every unmapped user"},
      {"a negative number",         Of("user = -1"),                                        15, "name or number of a user"},
      {"a number beyond ids",       Of("user = 4294967296"),                                15, "name or number of a user"},
      {"purser itself",             Of("user = \"purser\""),                                15, "purser itself runs as this user"},
      {"purser by number",          Of("user = \"2000\""),                                  15, "purser itself runs as this user"},
      {"an operator",               Of("user = \"boss\""),                                  15, "in a group of [admin] operators"},
      {"the operators' group",      Of("group = \"purser-operators\""),                     15, "one of [admin] operators"},
      {"a socket path too long",    With("[seal]", "[paths]\nrun = \"/" + std::string(90, 'r') + "\"\n[seal]"), 16, "shorten the agent's name"},
      {"an admin path too long",    With("[seal]", "[paths]\nrun = \"/" + std::string(97, 'r') + "\"\n[seal]"), 6, "write a shorter one"},
  };
  // clang-format on
  CheckFaults(rows);
}

TEST_CASE("A rule that means nothing, or can never issue, is refused") {
  const std::string two =
      "[credential.two]\nkind = \"refresh-token\"\nclient_id = "
      "\"11111111-2222-3333-4444-666666666666\"\nuser = "
      "\"66666666-7777-8888-9999-bbbbbbbbbbbb\"\nscopes = [\"Mail.Read\", "
      "\"Calendars.Read\"]\n";
  const auto rule = [](const char* name, const char* scopes, const char* more) {
    return std::string("[[agent.helpdesk.allow]]\nname = \"") + name + "\"\nscopes = " + scopes +
           "\n" + more + "\n";
  };
  // clang-format off
  const Row rows[] = {
      {"a missing credential",      MailRule("credential = \"male\"\n"),                       19, "there is no [credential.male]: add it, or name one of mail"},
      {"no credential named",       MailRule(""),                                              16, "lacks \"credential\""},
      {"no name",                   With("name = \"read-mail\"\n", ""),                        16, "lacks \"name\""},
      {"a name twice",              With("", rule("read-mail", "[\"Mail.Read\"]", "credential = \"mail\"")), 21, "in line 16"},
      {"nothing granted",           With("scopes = [\"Mail.Read\"]\ncredential", "scopes = []\ncredential"), 18, "grants nothing"},
      {".default granted",          With("scopes = [\"Mail.Read\"]\ncredential", "scopes = [\".default\"]\ncredential"), 18, "this is no scope"},
      {"what policy never grants",  With("[admin]", "[policy]\nnever = [\"mail.READ\"]\n[admin]"), 20, "[policy] never forbids Mail.Read"},
      {"not consented",             With("scopes = [\"Mail.Read\"]\ncredential", "scopes = [\"Mail.Read\", \"Mail.Send\"]\ndecision = \"log\"\ncredential"), 18, "can never issue: mail is not consented to Mail.Send"},
      {"consented in another case", With("scopes = [\"Mail.Read\"]\ncredential", "scopes = [\"mail.read\"]\ndecision = \"log\"\ncredential"), 18, "write Mail.Read, case matters"},
      {"consented to more",         With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"Mail.Send\"]"), 16, "rule read-mail can never issue: mail is also consented to Mail.Send"},
      {"the rest has a limit",      With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"Mail.Send\"]") + rule("send", "[\"Mail.Send\"]", "credential = \"mail\"\nlimit = \"5/day\"\ndecision = \"log\""), 16, "rule read-mail can never issue: mail is also consented to Mail.Send"},
      {"the rest is another's",     With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"Mail.Send\"]") + "[agent.billing]\nuser = \"billing\"\n[[agent.billing.allow]]\nname = \"send\"\nscopes = [\"Mail.Send\"]\ncredential = \"mail\"\ndecision = \"log\"\n", 16, "rule read-mail can never issue"},
      {"two identities",            With("", two + rule("both", "[\"Mail.Read\", \"Calendars.Read\"]", "credential = \"two\"")), 27, "could not say which identity"},
      {"purser's own upstream",     With("[admin]", "[admin]\nupstream = \"mail\""),        20, "registration that [admin] upstream names"},
      {"its registration",          With("[admin]", "[credential.own]\nkind = \"client-secret\"\nclient_id = \"11111111-2222-3333-4444-555555555555\"\nscopes = [\"Mail.Read\"]\n[admin]\nupstream = \"own\""), 24, "registration that [admin] upstream names"},
      {"writing, undecided",        With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"Mail.Send\"]") + rule("send", "[\"Mail.Send\"]", "credential = \"mail\""), 20, "rule send grants Mail.Send, which does more than read"},
      {"brokered calls",            MailRule("credential = \"mail\"\ndeliver = \"call\"\n"),   20, "this version serves only \"token\""},
      {"paths",                     MailRule("credential = \"mail\"\npaths = [\"GET /me\"]\n"), 20, "not served by this version"},
  };
  // clang-format on
  CheckFaults(rows);
}

TEST_CASE("What waits for approval says who may give it, for how long, and that a token is meant") {
  const auto rule = [](const std::string& more) {
    return With("credential = \"mail\"\n",
                "credential = \"mail\"\ndecision = \"approve\"\n" + more);
  };
  const auto led = [&](const std::string& more) {
    std::string text = rule("approve_bearer = true\n" + more);
    const std::string_view admin = "[admin]\n";
    return text.replace(text.find(admin), admin.size(),
                        "[admin]\napprovers = [\"group:helpdesk-leads\"]\n");
  };
  // clang-format off
  const Row rows[] = {
      {"a token for one yes",       rule(""),                                              20, "approve_bearer = true to accept that"},
      {"nobody to give it",         rule("approve_bearer = true\n"),                       16, "approvers = [\"group:NAME\"]"},
      {"terms without approval",    MailRule("credential = \"mail\"\napproval = { quorum = 1 }\n"), 20, "or write decision = \"approve\""},
      {"a bearer without approval", MailRule("credential = \"mail\"\napprove_bearer = true\n"), 20, "nothing of rule read-mail waits"},
      {"terms that are no table",   led("approval = \"leads\"\n"),                        23, "must be a table"},
      {"an unknown term",           led("approval = { expire = \"10m\" }\n"),             23, "did you mean \"expires\""},
      {"who is no approver",        led("approval = { by = [\"group:purser-operators\"] }\n"), 23, "not among [admin] approvers"},
      {"by nobody",                 led("approval = { by = [] }\n"),                       23, "names nobody"},
      {"by no group",               led("approval = { by = [\"leads\"] }\n"),             23, "group:NAME"},
      {"by the person it is for",   led("approval = { by = [\"requester\"] }\n"),         23, "acts for no such person"},
      {"by them twice",             led("approval = { by = [\"requester\", \"requester\"] }\n"), 23, "occurs twice"},
      {"an approver who is them",   led("approval = { by = [\"Requester\"] }\n"),         23, "group:NAME"},
      {"by two who are one",        led("approval = { by = [\"requester\"], quorum = 2 }\n"), 23, "only one person is the requester"},
      {"too little time",           led("approval = { expires = \"1s\" }\n"),             23, "from 5s to 24h"},
      {"too much time",             led("approval = { within = \"2d\" }\n"),              23, "from 5s to 24h"},
      {"no uses",                   led("approval = { uses = 0, within = \"1h\" }\n"),    23, "from 1 to 100"},
      {"uses without a time",       led("approval = { uses = 3 }\n"),                      23, "several uses need a time"},
      {"a quorum of nobody",        led("approval = { quorum = 0 }\n"),                    23, "from 1 to 10"},
      {"a quorum as a text",        led("approval = { quorum = \"2\" }\n"),               23, "from 1 to 10"},
  };
  // clang-format on
  CheckFaults(rows);
  const auto config = fixture::Valid(
      led("approval = { by = [\"group:helpdesk-leads\"], expires = \"5m\", quorum = 2, uses "
          "= 3, within = \"1h\" }\n"));
  const auto& got = config.agents.at("helpdesk").rules[0];
  CHECK(got.approval_by.gids == config.admin.approver_gids);
  CHECK(got.approval.expires == std::chrono::minutes(5));
  CHECK(got.approval.within == std::chrono::hours(1));
  CHECK(got.approval.quorum == 2);
  CHECK(got.approval.uses == 3);
}
