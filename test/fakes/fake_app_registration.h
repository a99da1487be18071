#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/app_registration.h"
#include "broker/entra/client_certificate.h"
#include "broker/key_reference.h"

/// An application at Entra that knows its credentials only after so many tries. What is thrown by
/// `before` and `after`, with the name of a method that changes something, is a crash there.
class FakeAppRegistration final : public broker::AppRegistration {
 public:
  struct Held {
    std::string key_id, name;
    std::string secret;   // the text of a client secret, or the certificate's thumbprint
    int unknown_for = 0;  // tries until the token endpoint knows it
  };

  explicit FakeAppRegistration(bool certificates) : certificates_(certificates) {}

  bool AskWith(const broker::Secret& secret) override {
    asked_with = NameOf(secret);
    return !others_token;
  }
  broker::GraphResult<broker::graph::Application> Read() override {
    if (!asked_with.empty() && !others_token && !Knows(asked_with)) return NoToken();
    if (auto error = Fails("read")) return std::unexpected(*error);
    broker::graph::Application app{.object_id = object_id};
    for (const Held& one : held) {
      if (certificates_) app.keys.push_back({one.key_id, one.secret, one.name, {}});
      if (!certificates_)
        app.passwords.push_back({one.key_id, one.secret.substr(0, 3), one.name, {}});
    }
    return app;
  }
  broker::GraphResult<broker::graph::AddedPassword> Add(const broker::graph::NewCredential& about,
                                                        const Owner& owner,
                                                        const broker::Secret& made) override {
    if (before) before("add");
    if (auto error = Fails("add")) return std::unexpected(*error);
    if (certificates_ && !Proves(owner)) return Refused("Authentication_MissingOrMalformed");
    const std::string number = std::to_string(++added);
    broker::graph::AddedPassword answer{"key-" + number, {}};
    if (!certificates_) answer.text = broker::Secret::CopyOf("new~secret-" + number);
    const broker::Secret& secret = certificates_ ? made : answer.text;
    held.push_back({answer.key_id, about.display_name, NameOf(secret), unknown_for});
    if (after) after("add");
    return answer;
  }
  broker::GraphResult<void> Remove(const std::string& key_id, const Owner& owner) override {
    if (before) before("remove");
    if (auto error = Fails("remove")) return std::unexpected(*error);
    if (certificates_ && !Proves(owner)) return Refused("Authentication_MissingOrMalformed");
    const size_t gone = std::erase_if(held, [&](const Held& one) { return one.key_id == key_id; });
    if (gone == 0) return Refused("Request_BadRequest");
    if (after) after("remove");
    return {};
  }
  broker::GraphResult<void> Prove(const broker::Secret& secret) override {
    ++proofs;
    for (Held& one : held) {
      if (one.secret != NameOf(secret)) continue;
      if (one.unknown_for <= 0) return {};
      --one.unknown_for;
    }
    return NoToken();
  }

  /// Whether Entra would give it a token now.
  [[nodiscard]] bool Works(const broker::Secret& secret) const { return Knows(NameOf(secret)); }
  [[nodiscard]] std::string NameOf(const broker::Secret& secret) const {
    if (!certificates_) return std::string(secret.Expose(broker::Exit::kTest));
    const auto der = broker::CertificateOf(secret);
    return der ? broker::entra::Sha1Thumbprint(*der) : std::string();
  }

  std::vector<Held> held;
  bool others_token = false;  // another credential's serves: `rotate_with`
  std::string asked_with;     // what AskWith() was last told
  std::string object_id = "object-1";
  int unknown_for = 0;  // of what is added
  int added = 0, proofs = 0;
  std::function<void(const char*)> before, after;
  std::vector<std::pair<std::string, broker::graph::GraphError>> fail;  // by method, until removed

 private:
  [[nodiscard]] bool Knows(const std::string& name) const {
    return std::ranges::any_of(
        held, [&](const Held& one) { return one.secret == name && one.unknown_for <= 0; });
  }
  static std::unexpected<broker::graph::GraphError> NoToken() {
    return std::unexpected(
        broker::graph::GraphError{broker::graph::Fault::kNoToken, {}, "AADSTS700027", {}});
  }
  std::optional<broker::graph::GraphError> Fails(const std::string& method) const {
    for (const auto& [name, error] : fail) {
      if (name == method) return error;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool Proves(const Owner& owner) const {
    return owner.object_id == object_id && Works(owner.current);
  }
  static std::unexpected<broker::graph::GraphError> Refused(const char* code) {
    return std::unexpected(broker::graph::GraphError{
        broker::graph::Fault::kRefused, code, std::string("Graph answered 400 ") + code, {}});
  }

  bool certificates_;
};
