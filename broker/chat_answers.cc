#include "broker/chat_answers.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "broker/base/ascii.h"
#include "broker/base/strict_json.h"
#include "broker/ledger/line_writer.h"

namespace broker {
namespace {

using nlohmann::json;
using std::string_view;

// Without what is mistaken for another one: 0 and O, 1 and I.
constexpr string_view kLetters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
static_assert(kLetters.size() == 32);

// "yes", a code, and what a client wraps around them.
constexpr size_t kMaxContentBytes = 2000;
constexpr size_t kMaxIdBytes = 100;  // Graph's are milliseconds
// Reactions and mentions nest deeper than what purser sends.
constexpr JsonLimits kLimits{.max_depth = 32, .allow_floats = true};

std::string Letters(Random& random, size_t count) {
  std::string text(count, '\0');
  random.Fill(std::as_writable_bytes(std::span(text.data(), text.size())));
  for (char& c : text) c = kLetters[static_cast<unsigned char>(c) % kLetters.size()];
  return text;
}

const json* Member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string TextOf(const json& object, const char* name) {
  const json* const found = Member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<unsigned> Number(string_view text, size_t at, size_t size) {
  unsigned value = 0;
  const char* const end = text.data() + at + size;
  const auto read = std::from_chars(text.data() + at, end, value);
  return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

// Of what a chat says; the years that a count of nanoseconds has room for are three hundred more.
constexpr int kFirstYear = 1970, kLastYear = 2199;

// RFC 3339 in UTC, as Graph writes it.
std::optional<Clock::Wall> ReadTime(string_view text) {
  constexpr string_view kShape = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= kShape.size() || text.size() > kShape.size() + 11 || text.back() != 'Z') {
    return std::nullopt;
  }
  for (size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kShape[i]) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*Number(text, 0, 4))),
                                         std::chrono::month(*Number(text, 5, 2)),
                                         std::chrono::day(*Number(text, 8, 2))};
  const unsigned hour = *Number(text, 11, 2), minute = *Number(text, 14, 2);
  const unsigned second = *Number(text, 17, 2);
  const int year = static_cast<int>(date.year());
  if (!date.ok() || year < kFirstYear || year > kLastYear) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const string_view rest = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  unsigned nanoseconds = 0;
  if (!rest.empty()) {
    std::string digits(rest.substr(1));
    if (rest[0] != '.' || digits.empty() || digits.size() > 9) return std::nullopt;
    digits.resize(9, '0');
    const auto read = Number(digits, 0, digits.size());
    if (!read) return std::nullopt;
    nanoseconds = *read;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::nanoseconds(nanoseconds);
}

// A tag that only wraps text. What strikes it out, quotes or links it makes it no answer.
bool OnlyWraps(string_view tag) {
  constexpr auto kNames = std::to_array<string_view>({"p", "div", "span", "br", "attachment"});
  if (tag.starts_with('/')) tag.remove_prefix(1);
  const std::string name = Lowered(std::string(tag.substr(0, tag.find_first_of(" \t\r\n/"))));
  return std::ranges::find(kNames, name) != kNames.end() &&
         Lowered(std::string(tag)).find("style") == std::string::npos;
}

// Its words, in upper case; nothing where it is not plain text.
std::optional<std::string> Words(string_view content, bool html) {
  if (content.size() > kMaxContentBytes) return std::nullopt;
  constexpr string_view kNoBreak = "&nbsp;", kNoBreakUtf8 = "\xc2\xa0";
  std::string words;
  for (size_t at = 0; at < content.size();) {
    const string_view rest = content.substr(at);
    size_t size = 1;
    bool blank = rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\n';
    if (html && rest[0] == '<') {
      size = rest.find('>');
      if (size == rest.npos || !OnlyWraps(rest.substr(1, size - 1))) return std::nullopt;
      ++size;
      blank = true;
    } else if (html && rest.starts_with(kNoBreak)) {
      size = kNoBreak.size();
      blank = true;
    } else if (rest.starts_with(kNoBreakUtf8)) {
      size = kNoBreakUtf8.size();
      blank = true;
    } else if (!blank && !IsAlnum(rest[0]) && rest[0] != '-') {
      return std::nullopt;
    }
    if (!blank) {
      words.push_back(rest[0] >= 'a' && rest[0] <= 'z' ? static_cast<char>(rest[0] - 'a' + 'A')
                                                       : rest[0]);
    } else if (!words.empty() && words.back() != ' ') {
      words.push_back(' ');
    }
    at += size;
  }
  if (words.ends_with(' ')) words.pop_back();
  return words;
}

bool IsCode(string_view text) {
  constexpr size_t kDash = ReplyCode::kTagLetters;
  if (text.size() != kDash + 1 + ReplyCode::kSecretLetters || text[kDash] != '-') return false;
  return std::ranges::all_of(text.substr(0, kDash), [](char c) { return kLetters.contains(c); }) &&
         std::ranges::all_of(text.substr(kDash + 1), [](char c) { return kLetters.contains(c); });
}

// Who sent it: a person of a directory, themselves.
std::string SenderOf(const json& message) {
  const json* const from = Member(message, "from");
  if (from == nullptr || Member(*from, "application") != nullptr ||
      Member(*from, "device") != nullptr) {
    return {};
  }
  const json* const user = Member(*from, "user");
  if (user == nullptr || TextOf(*user, "userIdentityType") != "aadUser") return {};
  return Lowered(TextOf(*user, "id"));
}

std::optional<ChatAnswer> AnswerIn(const json& message) {
  ChatAnswer answer;
  answer.message = TextOf(message, "id");
  answer.user = SenderOf(message);
  const auto created = ReadTime(TextOf(message, "createdDateTime"));
  const bool whole = TextOf(message, "messageType") == "message" &&
                     Member(message, "lastEditedDateTime") == nullptr &&
                     Member(message, "deletedDateTime") == nullptr;
  const bool named = !answer.message.empty() && answer.message.size() <= kMaxIdBytes &&
                     std::ranges::all_of(answer.message, IsAlnum);
  const json* const body = Member(message, "body");
  if (!whole || !named || !created || answer.user.empty() || body == nullptr) return std::nullopt;
  const std::string type = TextOf(*body, "contentType");
  if (type != "text" && type != "html") return std::nullopt;
  const auto words = Words(TextOf(*body, "content"), type == "html");
  if (!words) return std::nullopt;
  const size_t blank = words->find(' ');
  if (blank == std::string::npos) return std::nullopt;
  const string_view verb = string_view(*words).substr(0, blank);
  const string_view code = string_view(*words).substr(blank + 1);
  if ((verb != "YES" && verb != "NO") || !IsCode(code)) return std::nullopt;
  answer.created = *created;
  answer.yes = verb == "YES";
  answer.code = {std::string(code.substr(0, ReplyCode::kTagLetters)),
                 std::string(code.substr(ReplyCode::kTagLetters + 1))};
  return answer;
}

}  // namespace

ReplyCode ReplyCode::New(Random& random) {
  std::string tag = Letters(random, kTagLetters);
  return {std::move(tag), Letters(random, kSecretLetters)};
}

bool ReplyCode::StandsIn(string_view other) const {
  std::string letters;
  for (const char c : other) {
    if (IsAlnum(c)) letters.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return !secret.empty() && letters.contains(secret);
}

bool ReplyCode::HasSecret(string_view other) const {
  return secret.size() == other.size() && !secret.empty() &&
         sodium_memcmp(secret.data(), other.data(), secret.size()) == 0;
}

std::optional<std::vector<ChatAnswer>> ReadAnswers(string_view list) {
  const auto parsed = ParseStrictJson(list, kLimits);
  const json* const messages = parsed ? Member(*parsed, "value") : nullptr;
  if (messages == nullptr || !messages->is_array()) return std::nullopt;
  std::vector<ChatAnswer> answers;
  for (const json& message : *messages) {
    if (auto answer = AnswerIn(message)) answers.push_back(std::move(*answer));
  }
  std::ranges::reverse(answers);  // Graph lists the newest first: of two at once the earlier counts
  std::ranges::stable_sort(answers, {}, &ChatAnswer::created);
  return answers;
}

std::optional<Clock::Wall> ReadCreated(string_view message) {
  const auto parsed = ParseStrictJson(message, kLimits);
  return parsed ? ReadTime(TextOf(*parsed, "createdDateTime")) : std::nullopt;
}

std::string TimeText(Clock::Wall time) {
  std::string text;
  ledger::AppendTime(time, &text);  // …:01.123456Z
  return text.substr(0, text.size() - 4) + "Z";
}

}  // namespace broker
