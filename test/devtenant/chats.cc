#include "test/devtenant/chats.h"

#include <algorithm>

#include "test/devtenant/encoding.h"

namespace devtenant {

using nlohmann::json;

Chat& Chats::Open(bool one_on_one, const std::set<std::string>& members) {
  for (auto& [id, chat] : chats_) {
    if (one_on_one && chat.one_on_one && chat.members == members) return chat;
  }
  const std::string id = "19:" + NewGuid() + (one_on_one ? "@unq.gbl.spaces" : "@thread.v2");
  return chats_[id] = {.id = id, .one_on_one = one_on_one, .members = members, .messages = {}};
}

Chat* Chats::Find(const std::string& id) {
  const auto found = chats_.find(id);
  return found == chats_.end() ? nullptr : &found->second;
}

const ChatMessage& Chats::Send(Chat& chat, ChatMessage message, int64_t now_ms) {
  last_ms_ = std::max(now_ms, last_ms_ + 1);
  message.created_ms = last_ms_;
  message.id = std::to_string(last_ms_);
  chat.messages.push_back(std::move(message));
  return chat.messages.back();
}

ChatMessage* Chats::Change(Chat& chat, const std::string& id, const json& content, int64_t now_ms) {
  const auto found = std::ranges::find(chat.messages, id, &ChatMessage::id);
  if (found == chat.messages.end()) return nullptr;
  last_ms_ = std::max(now_ms, last_ms_ + 1);
  (content.is_null() ? found->deleted_ms : found->edited_ms) = last_ms_;
  found->body["content"] = content.is_null() ? json("") : content;
  return &*found;
}

json MessageObject(const Chat& chat, const ChatMessage& message) {
  const auto time = [](int64_t ms) { return ms == 0 ? json() : json(ToIso8601Milliseconds(ms)); };
  return {
      {"id", message.id},
      {"chatId", chat.id},
      {"messageType", "message"},
      {"createdDateTime", time(message.created_ms)},
      {"lastModifiedDateTime", time(message.modified_ms())},
      {"lastEditedDateTime", time(message.edited_ms)},
      {"deletedDateTime", time(message.deleted_ms)},
      {"importance", "normal"},
      {"from",
       {{"application", nullptr},
        {"device", nullptr},
        {"user",
         {{"id", message.oid}, {"displayName", message.name}, {"userIdentityType", "aadUser"}}}}},
      {"body", message.body},
      {"attachments", message.attachments}};
}

}  // namespace devtenant
