// [notify.NAME] and the credentials that are addresses of webhooks.
#include <algorithm>

#include "broker/policy/config_parser.h"
#include "broker/policy/egress.h"
#include "broker/policy/show.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;

namespace {

constexpr const char* kHook = "[credential.hook]\nkind = \"webhook-url\"\n";
constexpr const char* kHost = "host = \"https://hook.test\"\n";

std::string Notify(const std::string& body, const std::string& name = "leads") {
  return "[notify." + name + "]\n" + body;
}
std::string Webhook(const std::string& body) { return Notify("kind = \"webhook\"\n" + body); }
std::string With(const std::string& tables) { return fixture::With("", tables); }

bool Says(const std::string& text, const std::string& what, std::string* all) {
  const auto got = fixture::Parse(text);
  if (got) return false;
  for (const Diagnostic& fault : got.error()) {
    *all += Format(fault) + "\n";
    if (fault.message.find(what) != std::string::npos) return true;
  }
  return false;
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
