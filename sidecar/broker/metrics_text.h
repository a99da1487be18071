// sidecar/broker/metrics_text.h: counts and states in Prometheus's text form.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "broker/metrics.h"

namespace sidecar::broker_role {

/// Writes families one after the other: Prometheus text format 0.0.4. Not thread-safe.
class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a family: what follows belongs to it. `type`: counter | gauge | histogram.
  void Family(std::string_view name, std::string_view type, std::string_view help);
  /// One series of the family. Values of labels may hold any bytes but are to be of a closed set.
  void Sample(Labels labels, uint64_t value);
  void Sample(Labels labels, int64_t value);
  void Sample(Labels labels, bool value) { Sample(labels, uint64_t{value}); }
  /// With at most one label besides `le`.
  void Sample(Labels labels, const broker::Histogram& histogram);

  [[nodiscard]] std::string Take() && { return std::move(text_); }

 private:
  void Line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace sidecar::broker_role
