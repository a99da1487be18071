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

json MessageObject(const Chat& chat, const ChatMessage& message) {
  const std::string time = ToIso8601Milliseconds(message.created_ms);
  return {
      {"id", message.id},
      {"chatId", chat.id},
      {"messageType", "message"},
      {"createdDateTime", time},
      {"lastModifiedDateTime", time},
      {"deletedDateTime", nullptr},
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
