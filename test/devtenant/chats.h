// test/devtenant/chats.h: Teams chats and their messages, as the tenant keeps them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace devtenant {

struct ChatMessage {
  std::string id, oid, name;  // whose; what the sender is called
  nlohmann::json body, attachments = nlohmann::json::array();
  int64_t created_ms = 0;                 // since the epoch; each message has one of its own
  int64_t edited_ms = 0, deleted_ms = 0;  // 0: never

  [[nodiscard]] int64_t modified_ms() const {
    return std::max({created_ms, edited_ms, deleted_ms});
  }
};

struct Chat {
  std::string id;
  bool one_on_one = true;
  std::set<std::string> members;  // oids
  std::vector<ChatMessage> messages;
};

/// Guarded by the tenant's mutex.
class Chats {
 public:
  /// The chat of two people, always the same, or a new one of a group.
  Chat& Open(bool one_on_one, const std::set<std::string>& members);
  /// Null when there is none.
  Chat* Find(const std::string& id);
  /// Adds a message of `now_ms`, or of just after the last one; returns it.
  const ChatMessage& Send(Chat& chat, ChatMessage message, int64_t now_ms);
  /// Its text is another one from now on, or none at all. Null: there is no such message.
  ChatMessage* Change(Chat& chat, const std::string& id, const nlohmann::json& content,
                      int64_t now_ms);
  [[nodiscard]] const std::map<std::string, Chat>& all() const { return chats_; }

 private:
  std::map<std::string, Chat> chats_;  // by id
  int64_t last_ms_ = 0;
};

/// As Graph shows it.
nlohmann::json MessageObject(const Chat& chat, const ChatMessage& message);

}  // namespace devtenant
