#include "test/devtenant/graph_chats.h"

#include <algorithm>
#include <functional>
#include <regex>
#include <stdexcept>

#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr size_t kLargestMessage = size_t{28} << 10;  // Teams takes about 28 KB, card included
constexpr int kMostMessages = 50;
constexpr int kMessagesByDefault = 20;
constexpr char kCard[] = "application/vnd.microsoft.card.adaptive";

[[noreturn]] void Refuse(const std::string& message) {
  throw GraphError{400, "BadRequest", message};
}

std::string TextOf(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// users('ID') or users/ID at the end of a Graph address.
const User& BoundUser(Tenant& tenant, const json& member) {
  static const std::regex kAddress(R"(https://.*/users(?:\('([^']+)'\)|/([^/]+)))");
  const std::string address = TextOf(member, "user@odata.bind");
  std::smatch match;
  if (TextOf(member, "@odata.type") != "#microsoft.graph.aadUserConversationMember" ||
      member.value("roles", json()) != json::array({"owner"}) ||
      !std::regex_match(address, match, kAddress)) {
    Refuse("A member is an aadUserConversationMember, an owner, bound to a user.");
  }
  const User* user = tenant.directory.FindUser(match[1].matched ? match[1] : match[2]);
  if (user == nullptr) throw GraphError{404, "NotFound", "A member was not found."};
  return *user;
}

json ServeOpen(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  const json body = GraphBody(request);
  const std::string type = TextOf(body, "chatType");
  if (type != "oneOnOne" && type != "group") Refuse("The chatType is oneOnOne or group.");
  const json members = body.value("members", json());
  if (!members.is_array()) Refuse("Members are expected.");
  std::set<std::string> oids;
  for (const json& member : members) oids.insert(BoundUser(tenant, member).oid);
  const bool pair = oids.size() == 2 && members.size() == 2;
  if (type == "oneOnOne" ? !pair : oids.size() < 2) Refuse("The number of members is wrong.");
  if (caller.user != nullptr && !oids.contains(caller.user->oid)) {
    throw GraphError{403, "Forbidden", "The caller must be a member of the chat."};
  }
  const Chat& chat = tenant.chats.Open(type == "oneOnOne", oids);
  return {{"id", chat.id}, {"chatType", type}, {"tenantId", tenant.directory.tenant_id}};
}

Chat& ChatOf(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  Chat* chat = tenant.chats.Find(request.matches[1]);
  if (chat == nullptr) throw GraphError{404, "NotFound", "There is no such chat."};
  if (caller.user != nullptr && !chat->members.contains(caller.user->oid)) {
    throw GraphError{403, "Forbidden", "The caller is not a member of the chat."};
  }
  return *chat;
}

void CheckAttachments(const json& attachments, const std::string& content, bool html) {
  if (!attachments.is_array()) Refuse("Attachments are a list.");
  for (const json& one : attachments) {
    const std::string id = TextOf(one, "id");
    const bool shown = content.find("<attachment id=\"" + id + "\">") != std::string::npos;
    if (id.empty() || !html || !shown) Refuse("An attachment is not referred to in the body.");
    const bool card = TextOf(one, "contentType") == kCard;
    if (card && !json::parse(TextOf(one, "content"), nullptr, false).is_object()) {
      Refuse("The card is no JSON in a text.");
    }
  }
}

json ServeSend(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  if (caller.user == nullptr) {
    throw GraphError{401, "Unauthorized", "Without a user, messages can only be imported."};
  }
  if (!caller.HoldsAny({"ChatMessage.Send", "Chat.ReadWrite"})) {
    throw GraphError{403, "Forbidden", "Missing scope permissions on the request."};
  }
  Chat& chat = ChatOf(tenant, request, caller);
  if (request.body.size() > kLargestMessage) {
    throw GraphError{413, "RequestEntityTooLarge", "The message is too large."};
  }
  const json asked = GraphBody(request);
  const json body = asked.value("body", json());
  const std::string type = body.is_object() ? body.value("contentType", "text") : "";
  if ((type != "text" && type != "html") || TextOf(body, "content").empty()) {
    Refuse("A body of text or html is expected.");
  }
  const json attachments = asked.value("attachments", json::array());
  CheckAttachments(attachments, TextOf(body, "content"), type == "html");
  return MessageObject(
      chat, tenant.chats.Send(chat,
                              {.id = {},
                               .oid = caller.user->oid,
                               .name = caller.user->name,
                               .body = {{"contentType", type}, {"content", body.at("content")}},
                               .attachments = attachments},
                              tenant.Now() * 1000));
}

// `lastModifiedDateTime gt T`, and lt; both of what orders the messages, or Graph ignores it.
struct Range {
  int64_t after = INT64_MIN, before = INT64_MAX;
};

Range ParseRange(const std::string& filter, const std::string& ordered_by) {
  static const std::regex kTerm(R"((lastModifiedDateTime|createdDateTime) (gt|lt) (\S+))");
  Range range;
  for (size_t begin = 0; begin < filter.size();) {
    const size_t end = std::min(filter.find(" and ", begin), filter.size());
    const std::string term = filter.substr(begin, end - begin);
    begin = end + 5;
    std::smatch match;
    const bool read = std::regex_match(term, match, kTerm);
    const auto time = read ? FromIso8601Milliseconds(match[3]) : std::nullopt;
    if (!time) Refuse("The filter is not supported.");
    if (match[1] != ordered_by) continue;
    (match[2] == "gt" ? range.after : range.before) = *time;
  }
  return range;
}

json ServeMessages(Tenant& tenant, const Request& request, const GraphCaller& caller) {
  const Chat& chat = ChatOf(tenant, request, caller);
  const std::string top = request.get_param_value("$top");
  const int most = top.empty() ? kMessagesByDefault : std::atoi(top.c_str());
  if (most < 1 || most > kMostMessages) Refuse("$top is 1 to 50.");
  const std::string order = request.get_param_value("$orderby");
  if (!order.empty() && order != "lastModifiedDateTime desc" && order != "createdDateTime desc") {
    Refuse("The order is not supported.");
  }
  const Range range =
      ParseRange(request.get_param_value("$filter"), order.substr(0, order.find(' ')));
  // By lastModifiedDateTime where nothing is said.
  const auto key = [&](const ChatMessage& one) {
    return order.starts_with("created") ? one.created_ms : one.modified_ms();
  };
  std::vector<ChatMessage> sorted = chat.messages;
  std::ranges::sort(sorted, std::greater(), key);
  auto list = json::array();
  for (const ChatMessage& one : sorted) {
    const bool within = key(one) > range.after && key(one) < range.before;
    if (within && list.size() < static_cast<size_t>(most)) {
      list.push_back(MessageObject(chat, one));
    }
  }
  return {{"@odata.count", list.size()}, {"value", list}};
}

json ControlList(Tenant& tenant, const Request&, const json&) {
  auto list = json::array();
  for (const auto& [id, chat] : tenant.chats.all()) {
    auto messages = json::array();
    for (const auto& message : chat.messages) messages.push_back(MessageObject(chat, message));
    list.push_back({{"id", id}, {"members", chat.members}, {"messages", messages}});
  }
  return list;
}

// What somebody says; under another name, where one is given.
json ControlSay(Tenant& tenant, const Request& request, const json& body) {
  RequireKnown(body, {"user", "name", "content", "contentType"});
  Chat* chat = tenant.chats.Find(request.matches[1]);
  const User* user = tenant.directory.FindUser(body.at("user"));
  if (chat == nullptr || user == nullptr) throw std::runtime_error("unknown chat or user");
  return MessageObject(
      *chat, tenant.chats.Send(*chat,
                               {.id = {},
                                .oid = user->oid,
                                .name = body.value("name", user->name),
                                .body = {{"contentType", body.value("contentType", "text")},
                                         {"content", body.at("content")}}},
                               tenant.Now() * 1000));
}

// Its sender says something else instead, or (null) takes it back.
json ControlChange(Tenant& tenant, const Request& request, const json& body) {
  RequireKnown(body, {"content"});
  Chat* chat = tenant.chats.Find(request.matches[1]);
  if (chat == nullptr) throw std::runtime_error("unknown chat");
  const ChatMessage* message =
      tenant.chats.Change(*chat, request.matches[2], body.at("content"), tenant.Now() * 1000);
  if (message == nullptr) throw std::runtime_error("unknown message");
  return MessageObject(*chat, *message);
}

}  // namespace

void AddChatRoutes(Routes& graph, Tenant& tenant) {
  const auto handler = [&tenant](const GraphOperation& operation) {
    return ServeGraph(tenant, operation);
  };
  graph.Post("/v1.0/chats",
             handler({{"Chat.Create", "Chat.ReadWrite"}, {"Chat.Create"}, ServeOpen, 201}));
  graph.Get("/v1.0/chats/([^/]+)/messages", handler({{"Chat.Read", "Chat.ReadWrite"},
                                                     {"Chat.Read.All", "Chat.ReadWrite.All"},
                                                     ServeMessages}));
  graph.Post("/v1.0/chats/([^/]+)/messages",
             handler({{}, {}, ServeSend, 201, /*decides_itself=*/true}));
}

void AddChatControl(Routes& control, Tenant& tenant) {
  const auto handler = [&tenant](json (*serve)(Tenant&, const Request&, const json&)) {
    return [&tenant, serve](const Request& request, Response& response) {
      json answer;
      try {
        const json body = request.body.empty() ? json::object() : json::parse(request.body);
        const std::lock_guard lock(tenant.mutex);
        answer = serve(tenant, request, body);
      } catch (const std::exception& error) {
        response.status = 400;
        answer = {{"error", error.what()}};
      }
      response.set_content(answer.dump() + "\n", "application/json");
    };
  };
  control.Get("/chats", handler(ControlList));
  control.Post("/chats/([^/]+)/messages", handler(ControlSay));
  control.Post("/chats/([^/]+)/messages/([^/]+)", handler(ControlChange));
}

}  // namespace devtenant
