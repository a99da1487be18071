// test/devtenant/recorder.h: every secret that passed, and how often each endpoint was asked.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

namespace devtenant {

/// Not thread-safe: the tenant's mutex guards it.
class Recorder {
 public:
  /// `kind`: refresh_token, client_secret, client_assertion, device_code, user_code,
  /// authorization_code, code_verifier, access_token, id_token, user_assertion, exchange_token,
  /// arc_key, vault_secret, vault_key. `event`: issued or seen. Each combination is kept once.
  void Secret(const std::string& kind, const std::string& event, const std::string& endpoint,
              const std::string& value);
  void Request(const std::string& endpoint, int status);
  void SentMail(const nlohmann::json& mail) { sent_mail_.push_back(mail); }

  [[nodiscard]] nlohmann::json Secrets() const;
  /// {"token": {"requests": 3, "by_status": {"200": 2, "400": 1}}, …}
  [[nodiscard]] nlohmann::json Counters() const;
  [[nodiscard]] const nlohmann::json& sent_mail() const { return sent_mail_; }
  /// Forgets counters and sent mail; the secrets stay, since they are still abroad.
  void ResetCounters();

 private:
  std::set<std::tuple<std::string, std::string, std::string, std::string>> secrets_;
  std::map<std::string, std::map<int, uint64_t>> requests_;
  nlohmann::json sent_mail_ = nlohmann::json::array();
};

}  // namespace devtenant
