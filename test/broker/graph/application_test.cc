#include "broker/graph/application.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using broker::Exit, broker::HttpRequest, broker::Secret;
using namespace broker::graph;
using nlohmann::json;

namespace {

constexpr const char* kApp = "11111111-2222-3333-4444-555555555555";
const std::string kKey = "aaaaaaaa-2222-3333-4444-555555555555";
const ApplicationAddress kAt{"https://graph.microsoft.com", kApp, false};
const ApplicationAddress kBlueprint{"https://graph.microsoft.com", kApp, true};
const std::string kUrl =
    std::string("https://graph.microsoft.com/v1.0/applications(appId='") + kApp + "')";

json BodyOf(const HttpRequest& request) {
  return json::parse(request.body.Expose(Exit::kTest), nullptr, false);
}
Secret Text(const json& body) { return Secret::CopyOf(body.dump()); }
Secret Proof() { return Secret::CopyOf("e30.e30.c2ln"); }

}  // namespace

TEST_CASE("Each request is what Graph documents") {
  const NewCredential about{"purser", broker::Clock::Wall(std::chrono::seconds(1'795'000'000))};
  const HttpRequest read = ReadApplication(kAt);
  CHECK(read.method == "GET");
  CHECK(read.url == kUrl + "?$select=id,appId,keyCredentials,passwordCredentials");

  const HttpRequest key = AddKey(kAt, about, "\x30\x82\x01", Proof());
  CHECK(key.method == "POST");
  CHECK(key.url == kUrl + "/addKey");
  CHECK(key.content_type == "application/json");
  CHECK(BodyOf(key) == json{{"keyCredential",
                             {{"type", "AsymmetricX509Cert"},
                              {"usage", "Verify"},
                              {"displayName", "purser"},
                              {"key", "MIIB"}}},
                            {"passwordCredential", nullptr},
                            {"proof", "e30.e30.c2ln"}});

  const HttpRequest removed = RemoveKey(kAt, kKey, Proof());
  CHECK(removed.url == kUrl + "/removeKey");
  CHECK(BodyOf(removed) == json{{"keyId", kKey}, {"proof", "e30.e30.c2ln"}});

  const HttpRequest password = AddPassword(kAt, about);
  CHECK(password.url == kUrl + "/addPassword");
  CHECK(BodyOf(password) ==
        json{{"passwordCredential",
              {{"displayName", "purser"}, {"endDateTime", "2026-11-18T11:06:40Z"}}}});

  const HttpRequest forgotten = RemovePassword(kAt, kKey);
  CHECK(forgotten.url == kUrl + "/removePassword");
  CHECK(BodyOf(forgotten) == json{{"keyId", kKey}});
}

TEST_CASE("A blueprint has a path and permissions of its own") {
  CHECK(AddPassword(kBlueprint, {}).url ==
        kUrl + "/microsoft.graph.agentIdentityBlueprint/addPassword");
  CHECK(ReadApplication(kBlueprint)
            .url.starts_with(kUrl + "/microsoft.graph.agentIdentityBlueprint?$select="));
  CHECK(PermissionToChange(kBlueprint) == "AgentIdentityBlueprint.AddRemoveCreds.All");
  CHECK(PermissionToChange(kAt).starts_with("Application.ReadWrite.OwnedBy"));
}

TEST_CASE("An application's credentials are read, whichever way a thumbprint is written") {
  const std::string sha1(
      "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00\x11\x22\x33", 20);
  const auto read = ReadApplicationAnswer(
      Text({{"id", "obj-1"},
            {"keyCredentials",
             {{{"keyId", kKey},
               {"customKeyIdentifier", "00112233445566778899AABBCCDDEEFF00112233"},
               {"displayName", "CN=a"},
               {"endDateTime", "2027-01-01T00:00:00Z"}},
              {{"keyId", kKey}, {"customKeyIdentifier", "ABEiM0RVZneImaq7zN3u/wARIjM="}},
              {{"keyId", kKey}, {"customKeyIdentifier", nullptr}},
              {{"keyId", kKey}, {"customKeyIdentifier", "VG9vIHNob3J0"}}}},
            {"passwordCredentials",
             {{{"keyId", kKey},
               {"hint", "abc"},
               {"displayName", nullptr},
               {"endDateTime", "2027-01-01T00:00:00Z"}}}}}));
  REQUIRE(read.has_value());
  CHECK(read->object_id == "obj-1");
  REQUIRE(read->keys.size() == 4);
  CHECK(read->keys[0].sha1 == sha1);
  CHECK(read->keys[1].sha1 == sha1);
  CHECK(read->keys[2].sha1.empty());
  CHECK(read->keys[3].sha1.empty());
  CHECK(read->keys[0].ends == "2027-01-01T00:00:00Z");
  REQUIRE(read->passwords.size() == 1);
  CHECK(read->passwords[0].hint == "abc");
  CHECK(read->passwords[0].display_name.empty());
}

TEST_CASE("What is added is named, and a secret's text is taken") {
  CHECK(ReadAddedKey(Text({{"keyId", kKey}})).value() == kKey);
  const auto password = ReadAddedPassword(Text({{"keyId", kKey}, {"secretText", "new~secret"}}));
  REQUIRE(password.has_value());
  CHECK(password->key_id == kKey);
  CHECK(password->text.Expose(Exit::kTest) == "new~secret");
}

TEST_CASE("Anything else is no answer, and the detail quotes none of it") {
  const std::string canary = "canary~secret";
  const json good = {
      {"id", "obj"}, {"keyCredentials", json::array()}, {"passwordCredentials", json::array()}};
  const auto without = [&](const char* name) {
    json less = good;
    less.erase(name);
    return less;
  };
  for (const json& body :
       {json(), json::array(), without("id"), without("keyCredentials"),
        without("passwordCredentials"),
        json{{"id", "a b"},
             {"keyCredentials", json::array()},
             {"passwordCredentials", json::array()}},
        json{{"id", "obj"},
             {"keyCredentials", {{{"keyId", 7}}}},
             {"passwordCredentials", json::array()}},
        json{{"id", "obj"}, {"keyCredentials", {"x"}}, {"passwordCredentials", json::array()}}}) {
    CAPTURE(body.dump());
    CHECK_FALSE(ReadApplicationAnswer(Text(body)).has_value());
  }
  for (const json& body :
       {json{{"secretText", canary}}, json{{"keyId", kKey}},
        json{{"keyId", "../x"}, {"secretText", canary}}, json{{"keyId", kKey}, {"secretText", ""}},
        json{{"keyId", kKey}, {"secretText", std::string(2000, 'x')}}}) {
    const auto read = ReadAddedPassword(Text(body));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().detail.find(canary) == std::string::npos);
  }
  CHECK_FALSE(ReadAddedKey(Secret::CopyOf("{")).has_value());
  CHECK_FALSE(ReadAddedKey(Text({{"keyId", ""}})).has_value());
}
