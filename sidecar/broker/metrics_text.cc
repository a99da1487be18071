#include "sidecar/broker/metrics_text.h"

#include <array>
#include <charconv>

namespace sidecar::broker_role {
namespace {

// The shortest text that reads back as the same number, in any locale.
std::string Number(double value) {
  std::array<char, 64> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return {text.data(), end.ptr};
}

void AppendEscaped(std::string_view value, std::string* out) {
  for (const char c : value) {
    if (c == '\\' || c == '"') *out += '\\';
    c == '\n' ? * out += "\\n" : * out += c;
  }
}

}  // namespace

void MetricsText::Family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void MetricsText::Sample(Labels labels, uint64_t value) {
  Line({}, labels, {}, std::to_string(value));
}
void MetricsText::Sample(Labels labels, int64_t value) {
  Line({}, labels, {}, std::to_string(value));
}

void MetricsText::Sample(Labels labels, const broker::Histogram& histogram) {
  uint64_t below = 0;
  for (size_t i = 0; i < broker::Histogram::kBounds.size(); ++i) {
    below += histogram.counts[i];
    Line("_bucket", labels, Number(broker::Histogram::kBounds[i]), std::to_string(below));
  }
  Line("_bucket", labels, "+Inf", std::to_string(histogram.count()));
  Line("_sum", labels, {}, Number(histogram.sum_seconds));
  Line("_count", labels, {}, std::to_string(histogram.count()));
}

void MetricsText::Line(std::string_view suffix, Labels labels, std::string_view le,
                       std::string_view value) {
  text_.append(name_).append(suffix);
  char before = '{';
  const auto label = [&](std::string_view name, std::string_view text) {
    text_ += std::exchange(before, ',');
    text_.append(name).append("=\"");
    AppendEscaped(text, &text_);
    text_ += '"';
  };
  for (const auto& [name, text] : labels) label(name, text);
  if (!le.empty()) label("le", le);
  if (before == ',') text_ += '}';
  text_.append(" ").append(value).append("\n");
}

}  // namespace sidecar::broker_role
