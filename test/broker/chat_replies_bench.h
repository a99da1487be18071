// test/broker/chat_replies_bench.h: one chat in which approvers are told, and what they say there.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/chat_replies.h"
#include "test/broker/approvals_fixture.h"
#include "test/broker/credential_kinds_setup.h"
#include "test/fakes/entra_answers.h"

namespace chat_replies {

using namespace broker;
using namespace entra_answers;
using namespace std::chrono_literals;
using nlohmann::json;

inline constexpr const char* kAda = "aaaaaaaa-0000-4000-8000-000000000001";
inline constexpr const char* kBob = "bbbbbbbb-0000-4000-8000-000000000002";
inline constexpr const char* kAgentsUser = "dddddddd-0000-4000-8000-000000000004";

// One chat in which approvers are told, one approval that waits, and what is said.
struct Bench : credential_kinds::Setup {
  GraphClient graph{http, minter, clock};
  Revocations revocations;
  bool stopped = false;
  FakeStore rows;
  approvals_test::CountingRandom numbers;
  Approvals approvals{{rows, ledger, clock, numbers, [this](std::string_view) { return stopped; }}};
  std::vector<Approval> told_again;
  ChatReplies replies{
      {.graph = graph,
       .revocations = revocations,
       .approvals = approvals,
       .ledger = ledger,
       .clock = clock,
       .random = numbers,
       .config = [this] { return std::make_shared<const policy::Config>(config); },
       .stopped = [this](const std::string&) { return stopped; },
       .again = [this](const std::string&, const Approval& one) { told_again.push_back(one); }}};
  policy::ApprovalTerms terms;
  ledger::Entry entry;
  json said = json::array();
  int64_t next_id = 1795000000001;
  std::vector<int> faults;  // statuses of the next looks; 0: no answer

  Bench() {
    Add({.name = "writer",
         .kind = "refresh-token",
         .client_id = kClient,
         .user = kUser,
         .scopes = {"ChatMessage.Send", "Chat.Read"}});
    Add({.name = "mail", .kind = "refresh-token", .user = kAgentsUser});
    const Secret token = Secret::CopyOf("refresh-1");
    REQUIRE(vault.store.Put({"writer", SecretKind::kRefreshToken}, token, 0).has_value());
    policy::Notifier& leads = config.notifiers["leads"];
    leads.name = "leads";
    leads.kind = "teams-chat";
    leads.credential = "writer";
    leads.chat = "19:0a1b@thread.v2";
    leads.replies = true;
    config.admin.approver_entra.users = {kAda, kBob, kUser, kAgentsUser};
    entry.agent = "helpdesk";
    entry.caller = ledger::CallerRecord{.uid = 1000, .gid = 1000, .pid = 77};
    entry.scopes = {"Mail.Send"};
    entry.target_resource = kGraph;
    entry.policy_rule = "send-mail";
    entry.credential_name = "mail";
    http.respond = [this](const HttpRequest& request) { return Answer(request); };
  }

  Result<HttpResponse> Answer(const HttpRequest& request) {
    if (request.url.find("/messages") == std::string::npos) {
      json claims = UserClaims();
      claims["scp"] = "ChatMessage.Send Chat.Read openid profile";
      return FakeHttp::Answer(200, TokenBody(claims, "refresh-2"));
    }
    int status = 200;
    if (!faults.empty()) {
      status = faults.front();
      faults.erase(faults.begin());
    }
    if (status == 0) return Fail(ErrorCode::kUnavailable, "timed out");
    json list;
    list["value"] = said;
    return FakeHttp::Answer(status, status == 200 ? list.dump() : "{}");
  }

  std::string Ask(const std::string& purpose = "ticket 1042") {
    entry.claimed.purpose = purpose;
    const auto got = approvals.Ask({.entry = entry,
                                    .terms = terms,
                                    .credential = config.credentials.at("mail"),
                                    .exe = {},
                                    .claims = {},
                                    .can_also = {},
                                    .wanted = {},
                                    .alive = {}});
    REQUIRE_FALSE(got.has_value());
    REQUIRE(got.error().reason == Reason::kApprovalPending);
    return got.error().approval->id;
  }
  /// As Notifiers does: a code, a card, and from then on the chat is looked at.
  ReplyCode Card(const std::string& id) {
    const auto approval = approvals.Find(id);
    REQUIRE(approval.has_value());
    const auto& notifier = config.notifiers.at("leads");
    const auto code = replies.Offer(config, notifier, *approval);
    REQUIRE(code.has_value());
    replies.Watch(notifier, *approval, *code, clock.WallNow());
    clock.Advance(1s);
    return *code;
  }
  bool IsOffered(const std::string& id) {
    return replies.Offer(config, config.notifiers.at("leads"), *approvals.Find(id)).has_value();
  }
  json& Say(const std::string& user, const std::string& text) {
    json message = {{"id", std::to_string(next_id++)}, {"messageType", "message"}};
    message["createdDateTime"] = TimeText(clock.WallNow());
    message["from"]["user"] = {
        {"id", user}, {"displayName", "Ada"}, {"userIdentityType", "aadUser"}};
    message["body"] = {{"contentType", "text"}, {"content", text}};
    said.insert(said.begin(), std::move(message));
    return said.front();
  }
  void Look() {
    clock.Advance(ChatReplies::kInterval);
    replies.Poll();
  }
  ApprovalState StateOf(const std::string& id) { return approvals.Find(id)->state; }
  std::vector<ledger::Entry> Entries(ledger::EntryType type) {
    std::vector<ledger::Entry> found;
    for (const auto& one : ledger.entries) {
      if (one.type == type) found.push_back(one);
    }
    return found;
  }
  size_t Looks() {
    return static_cast<size_t>(std::ranges::count_if(http.seen, [](const auto& one) {
      return one.method == "GET" && one.url.find("/messages") != std::string::npos;
    }));
  }
};

}  // namespace chat_replies
