// test/devtenant/faults.h: what goes wrong on purpose.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace devtenant {

/// One fault of the control interface (README.md lists its members). Absent members change nothing.
struct Fault {
  std::string endpoint;   // token, devicecode, graph, … or any
  std::string client_id;  // token endpoint: only this registration; empty: all
  std::string method;     // "PATCH"; empty: all
  std::string path;       // only where this is part of it
  uint64_t count = 0;     // how many requests it still hits; kForever: until cleared
  int status = 0;         // answered instead of serving
  int code = 0;           // the AADSTS code of that answer
  std::string error, suberror, claims_challenge;
  std::map<std::string, std::string> headers;
  uint64_t delay_ms = 0;
  std::string drop;  // before | middle
  std::string hold;  // before | after it was served: until holds are released
  std::string body;  // invalid_json | truncated | huge | empty | html | array | duplicate_key
  std::string tls;   // close | wrong_ca | wrong_name | expired: for new connections
  nlohmann::json claims = nlohmann::json::object();  // merged into a minted token's claims
  nlohmann::json answer = nlohmann::json::object();  // merged into the token answer
  std::vector<std::string> extra_scopes;             // minted on top of what was consented to

  static constexpr uint64_t kForever = UINT64_MAX;
};

/// Throws std::runtime_error or nlohmann's for what is no fault.
Fault ParseFault(const nlohmann::json& document);

/// Not thread-safe: the tenant's mutex guards it.
class Faults {
 public:
  void Add(Fault fault) { pending_.push_back(std::move(fault)); }
  void Clear() { pending_.clear(); }
  [[nodiscard]] size_t pending() const { return pending_.size(); }
  /// Uses up one hit of the first fault that applies to this request; a harmless one if none does.
  Fault TakeForRequest(const std::string& endpoint, const std::string& client_id,
                       const std::string& method = {}, const std::string& path = {});
  /// The same for a new connection to "login" or "graph": the kind of TLS trouble, or empty.
  std::string TakeForConnection(const std::string& listener);

 private:
  template <typename Applies>
  Fault TakeFirst(Applies applies);
  std::vector<Fault> pending_;
};

}  // namespace devtenant
