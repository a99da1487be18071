#include "sidecar/broker/earlier_tokens.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "broker/base/inert_text.h"
#include "broker/base/unix_time.h"
#include "broker/minted_check.h"

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using nlohmann::json;

constexpr std::chrono::seconds kLongest =
    broker::kLongestContinuousLife + std::chrono::seconds(broker::kClockSkew);
// An answer is at most a message (1 MiB); the ledger gives a hundred in each.
constexpr size_t kMaxEntries = 1000;

// A text that may be shown to a person; an exception where it is none.
std::string TextOf(const json& value) {
  std::string text = value.get<std::string>();
  if (text.empty() || !broker::IsInertText(text)) {
    throw std::out_of_range("text");
  }
  return text;
}

uint64_t NumberOf(const json& value) {
  if (!value.is_number_unsigned()) throw std::out_of_range("number");
  return value.get<uint64_t>();
}

EarlierPage::Token TokenOf(const json& entry) {
  EarlierPage::Token one{.fingerprint = TextOf(entry.at("token").at("fp")), .token = {}};
  broker::LiveToken& token = one.token;
  token.agent = TextOf(entry.at("agent").at("name"));
  token.credential = TextOf(entry.at("credential").at("name"));
  token.resource = TextOf(entry.at("target").at("resource"));
  const json scopes = entry.value("scopes", json::array());
  if (!scopes.is_array()) throw std::out_of_range("scopes");
  for (const json& scope : scopes) token.scopes.push_back(TextOf(scope));
  if (entry.contains("user")) token.user_oid = TextOf(entry.at("user").at("oid"));
  token.exp_unix = static_cast<int64_t>(NumberOf(entry.at("token").at("exp")));
  token.seq = NumberOf(entry.at("seq"));
  return one;
}

}  // namespace

Result<EarlierPage> ParseEarlier(std::string_view body, uint64_t after, int64_t now) {
  const auto fault = [] { return Fail(ErrorCode::kCorrupt, "the ledger's answer is malformed"); };
  try {
    const json answer = json::parse(body);
    EarlierPage page;
    page.next = NumberOf(answer.at("next"));
    page.archived = answer.value("archived", false);
    const json& entries = answer.at("entries");
    if (!entries.is_array() || entries.size() > kMaxEntries || page.next < after) return fault();
    uint64_t last = after;
    for (const json& entry : entries) {
      EarlierPage::Token one = TokenOf(entry);
      if (one.token.seq <= last || one.token.seq > page.next ||
          one.token.exp_unix > now + kLongest.count()) {
        return fault();
      }
      last = one.token.seq;
      page.tokens.push_back(std::move(one));
    }
    return page;
  } catch (const json::exception&) {
    return fault();
  } catch (const std::out_of_range&) {
    return fault();
  }
}

void EarlierTokens::Begin() {
  if (begun_.exchange(true)) return;
  if (!ports_.start([this] { Run(); })) begun_ = false;
}

void EarlierTokens::Run() {
  Status read;
  try {
    read = Read();
  } catch (const std::exception&) {
    read = Fail(ErrorCode::kUnavailable, "out of memory");
  }
  if (read) return;
  ports_.known.SetEarlierUnknown(read.error().detail + "; it is tried again");
  ports_.log.Warn("earlier_tokens_unknown",
                  {{"why", read.error().detail},
                   {"remedy",
                    "none: it is tried again each minute; purser ledger resume if the "
                    "ledger is latched"}});
  begun_ = false;
}

Result<EarlierPage> EarlierTokens::Ask(int channel, uint64_t after) const {
  std::string question;
  Encode(ipc::ReadAudit{after, 0}, &question);
  if (const Status sent = ipc::Send(channel, question); !sent) {
    return std::unexpected(sent.error());
  }
  ipc::Message answer;
  if (const Status got = ipc::Receive(channel, &answer); !got) {
    return Fail(ErrorCode::kUnavailable, "the ledger did not answer");
  }
  const auto page = ipc::DecodeAuditPage(answer.bytes);
  if (!page) return std::unexpected(page.error());
  if (page->body.empty()) return Fail(ErrorCode::kUnavailable, "the ledger cannot be read");
  return ParseEarlier(page->body, after, broker::UnixSeconds(ports_.clock.WallNow()));
}

Status EarlierTokens::Read() {
  const auto state = ports_.ledger();
  if (!state) return std::unexpected(state.error());
  // A ledger that began latched has opened no file.
  if (state->latched && state->seq == 0) return Fail(ErrorCode::kUnavailable, "ledger latched");
  const auto channel = ports_.open();
  if (!channel) return std::unexpected(channel.error());
  uint64_t after = 0;
  bool archived = false;
  for (int pages = 0; after < state->seq; ++pages) {
    if (pages == kMaxPages) return Fail(ErrorCode::kUnavailable, "the ledger is too large");
    auto page = Ask(channel->get(), after);
    if (!page) return std::unexpected(page.error());
    if (page->next == after) return Fail(ErrorCode::kUnavailable, "the ledger's end is missing");
    for (auto& one : page->tokens) ports_.known.Learn(one.fingerprint, std::move(one.token));
    after = page->next;
    archived = archived || page->archived;
  }
  ports_.known.SetEarlierUnknown(archived ? "entries of the last day are in the archive" : "");
  return {};
}

}  // namespace sidecar::broker_role
