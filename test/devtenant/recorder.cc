#include "test/devtenant/recorder.h"

namespace devtenant {

void Recorder::Secret(const std::string& kind, const std::string& event,
                      const std::string& endpoint, const std::string& value) {
  if (!value.empty()) secrets_.emplace(kind, event, endpoint, value);
}

void Recorder::Request(const std::string& endpoint, int status) { ++requests_[endpoint][status]; }

nlohmann::json Recorder::Secrets() const {
  auto list = nlohmann::json::array();
  for (const auto& [kind, event, endpoint, value] : secrets_) {
    list.push_back({{"kind", kind}, {"event", event}, {"endpoint", endpoint}, {"value", value}});
  }
  return list;
}

nlohmann::json Recorder::Counters() const {
  auto counters = nlohmann::json::object();
  for (const auto& [endpoint, by_status] : requests_) {
    uint64_t total = 0;
    auto statuses = nlohmann::json::object();
    for (const auto& [status, count] : by_status) {
      statuses[std::to_string(status)] = count;
      total += count;
    }
    counters[endpoint] = {{"requests", total}, {"by_status", statuses}};
  }
  return counters;
}

void Recorder::ResetCounters() {
  requests_.clear();
  sent_mail_ = nlohmann::json::array();
}

}  // namespace devtenant
