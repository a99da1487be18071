// What is an answer in a Teams chat, and what only looks like one.
#include "broker/chat_answers.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_random.h"

using broker::ReadAnswers;
using nlohmann::json;

namespace {

constexpr const char* kAda = "aaaaaaaa-0000-4000-8000-000000000001";

json Said(const std::string& content, const std::string& type = "text") {
  return {{"id", "1795000000001"},
          {"messageType", "message"},
          {"createdDateTime", "2026-11-22T05:50:01.25Z"},
          {"lastModifiedDateTime", "2026-11-22T05:50:01.25Z"},
          {"lastEditedDateTime", nullptr},
          {"deletedDateTime", nullptr},
          {"from",
           {{"application", nullptr},
            {"device", nullptr},
            {"user", {{"id", kAda}, {"displayName", "Ada"}, {"userIdentityType", "aadUser"}}}}},
          {"body", {{"contentType", type}, {"content", content}}}};
}

std::optional<std::vector<broker::ChatAnswer>> Read(const json& message) {
  return ReadAnswers(json{{"value", json::array({message})}}.dump());
}

size_t Answers(const json& message) {
  const auto read = Read(message);
  REQUIRE(read.has_value());
  return read->size();
}

}  // namespace

TEST_CASE("An answer names its card and its sender by id") {
  auto message = Said("yes k7qm-4xwt9h");
  message["from"]["user"]["id"] = "AAAAAAAA-0000-4000-8000-000000000001";
  const auto read = Read(message);
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 1);
  const auto& answer = read->front();
  CHECK(answer.yes);
  CHECK(answer.user == kAda);
  CHECK(answer.message == "1795000000001");
  CHECK(answer.code.tag == "K7QM");
  CHECK(answer.code.HasSecret("4XWT9H"));
  CHECK_FALSE(answer.code.HasSecret("4XWT9J"));
  CHECK_FALSE(answer.code.HasSecret("4XWT9"));
  CHECK_FALSE(broker::ReplyCode{}.HasSecret(""));
  CHECK(broker::TimeText(answer.created) == "2026-11-22T05:50:01.250Z");
  CHECK_FALSE(Read(Said("NO K7QM-4XWT9H"))->front().yes);
}

TEST_CASE("Only a message that is an answer and nothing else is one") {
  // clang-format off
  struct Row { const char* what; const char* type; const char* content; bool answer; };
  const Row rows[] = {
      {"typed",                        "text", "yes K7QM-4XWT9H",                                  true},
      {"as a client sends it",         "html", "<p>yes K7QM-4XWT9H</p>",                           true},
      {"pasted",                       "html", "<p itemprop=\"copy-paste-block\">no&nbsp;K7QM-4XWT9H</p>\r\n", true},
      {"as a reply to the card",       "html", "<attachment id=\"1795\"></attachment>\n<p>Yes K7QM-4XWT9H</p>", true},
      {"no code",                      "text", "yes",                                              false},
      {"half a code",                  "text", "yes K7QM",                                         false},
      {"a letter too many",            "text", "yes K7QM-4XWT9HH",                                 false},
      {"letters that no code has",     "text", "yes K7QM-4XWT0H",                                  false},
      {"another word",                 "text", "ok K7QM-4XWT9H",                                   false},
      {"the code alone",               "text", "K7QM-4XWT9H",                                      false},
      {"the code first",               "text", "K7QM-4XWT9H yes",                                  false},
      {"a condition",                  "text", "yes K7QM-4XWT9H if Jo agrees",                     false},
      {"a question",                   "text", "yes K7QM-4XWT9H?",                                 false},
      {"both",                         "text", "yes K7QM-4XWT9H no K7QM-4XWT9H",                   false},
      {"not",                          "text", "not yes K7QM-4XWT9H",                              false},
      {"somebody's words, quoted",     "html", "<blockquote>yes K7QM-4XWT9H</blockquote>",         false},
      {"struck out",                   "html", "<p><s>yes K7QM-4XWT9H</s></p>",                    false},
      {"struck out by style",          "html", "<p style=\"text-decoration:line-through\">yes K7QM-4XWT9H</p>", false},
      {"a link",                       "html", "<p><a href=\"https://x\">yes K7QM-4XWT9H</a></p>", false},
      {"a mention",                    "html", "<p>yes K7QM-4XWT9H <at id=\"0\">Jo</at></p>",      false},
      {"a tag that does not end",      "html", "<p yes K7QM-4XWT9H",                               false},
      {"tags in a text",               "text", "<p>yes K7QM-4XWT9H</p>",                           false},
      {"an entity",                    "html", "<p>yes K7QM&#45;4XWT9H</p>",                       false},
      {"letters that look alike",      "text", "y\xd0\xb5s K7QM-4XWT9H",                           false},
      {"a character without width",    "text", "yes K7QM-4XWT9H\xe2\x80\x8b",                      false},
      {"another kind of content",      "card", "yes K7QM-4XWT9H",                                  false},
      {"nothing",                      "text", "",                                                 false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    CHECK(Answers(Said(row.content, row.type)) == (row.answer ? 1 : 0));
  }
  CHECK(Answers(Said("yes K7QM-4XWT9H" + std::string(3000, ' '))) == 0);
}

TEST_CASE("What was edited, deleted, or not sent by a person of a directory is no answer") {
  // clang-format off
  struct Row { const char* what; json change; };
  const Row rows[] = {
      {"edited",                         {{"lastEditedDateTime", "2026-11-22T05:51:00Z"}}},
      {"deleted",                        {{"deletedDateTime", "2026-11-22T05:51:00Z"}}},
      {"the chat's own",                 {{"messageType", "systemEventMessage"}}},
      {"without a kind",                 {{"messageType", nullptr}}},
      {"without an id",                  {{"id", nullptr}}},
      {"with an id that is no word",     {{"id", "1795\n"}}},
      {"without a sender",               {{"from", nullptr}}},
      {"without a user",                 {{"from", {{"user", nullptr}}}}},
      {"a user without an id",           {{"from", {{"user", {{"id", nullptr}}}}}}},
      {"an application",                 {{"from", {{"application", {{"id", kAda}}}}}}},
      {"a device",                       {{"from", {{"device", {{"id", kAda}}}}}}},
      {"a guest of another tenant",      {{"from", {{"user", {{"userIdentityType", "federatedUser"}}}}}}},
      {"somebody who is anonymous",      {{"from", {{"user", {{"userIdentityType", "anonymousGuest"}}}}}}},
      {"a user of no kind",              {{"from", {{"user", {{"userIdentityType", nullptr}}}}}}},
      {"at no time",                     {{"createdDateTime", nullptr}}},
      {"at a time that is none",         {{"createdDateTime", "2026-13-22T05:50:01Z"}}},
      {"at a time of nowhere",           {{"createdDateTime", "2026-11-22T05:50:01"}}},
      {"at a time of elsewhere",         {{"createdDateTime", "2026-11-22T05:50:01+02:00"}}},
      {"at a time with too much",        {{"createdDateTime", "2026-11-22T05:50:01.1234567890Z"}}},
      {"at a time with half a fraction", {{"createdDateTime", "2026-11-22T05:50:01.Z"}}},
      {"without a body",                 {{"body", nullptr}}},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.what);
    auto message = Said("yes K7QM-4XWT9H");
    message.merge_patch(row.change);
    CHECK(Answers(message) == 0);
  }
}

TEST_CASE("Answers come in the order in which they were said") {
  auto later = Said("no K7QM-4XWT9H"), earlier = Said("yes K7QM-4XWT9H");
  later["createdDateTime"] = "2026-11-22T05:50:02Z";
  const auto read = ReadAnswers(json{{"value", {later, earlier}}}.dump());
  REQUIRE(read.has_value());
  REQUIRE(read->size() == 2);
  CHECK(read->front().yes);
}

TEST_CASE("What is no list of messages is an error, and what is no message is left out") {
  for (const char* const text :
       {"", "[]", "{}", "x", R"({"value":{}})", R"({"value":1,"value":[]})"}) {
    CAPTURE(text);
    CHECK_FALSE(ReadAnswers(text).has_value());
  }
  CHECK(ReadAnswers(R"({"value":[1,"x",null,[],{}]})")->empty());
  CHECK_FALSE(broker::ReadCreated("{}").has_value());
  CHECK_FALSE(broker::ReadCreated("x").has_value());
  CHECK(broker::ReadCreated(R"({"createdDateTime":"2026-11-22T05:50:01.123456789Z"})").has_value());
}

TEST_CASE("A code is read as it was made, and each differs") {
  FakeRandom random;
  const auto one = broker::ReplyCode::New(random), other = broker::ReplyCode::New(random);
  CHECK(one.tag != other.tag);
  CHECK_FALSE(one.HasSecret(other.secret));
  const auto read = Read(Said("yes " + one.text()));
  REQUIRE(read->size() == 1);
  CHECK(read->front().code.tag == one.tag);
  CHECK(one.HasSecret(read->front().code.secret));
}
