#include "broker/base/strict_json.h"

#include <utility>
#include <vector>

namespace broker {
namespace {

using nlohmann::json;

// Builds the document itself: nlohmann's own DOM builder has no hook before it drops a duplicate.
class Builder final : public json::json_sax_t {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return Put(nullptr); }
  bool boolean(bool value) override { return Put(value); }
  bool number_integer(number_integer_t value) override { return Put(value); }
  bool number_unsigned(number_unsigned_t value) override { return Put(value); }
  bool number_float(number_float_t value, const string_t& /*raw*/) override {
    return limits_.allow_floats ? Put(value) : Refuse(kNotAnInteger);
  }
  bool string(string_t& value) override { return Put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return Refuse("binary"); }
  bool start_object(std::size_t /*elements*/) override { return Open(json::object()); }
  bool start_array(std::size_t /*elements*/) override { return Open(json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    if (value.find('\0') != string_t::npos) return Refuse("NUL in a key");
    if (stack_.back()->contains(value)) return Refuse(kDuplicateKey);
    key_ = std::move(value);
    return true;
  }
  bool parse_error(std::size_t /*position*/, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*why*/) override {
    return Refuse("not valid JSON");
  }

  json root;
  std::string fault;

 private:
  bool Refuse(std::string_view why) {
    fault = why;
    return false;
  }
  json* Place(json value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[std::exchange(key_, {})] = std::move(value));
  }
  bool Put(json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(json value) {
    if (std::cmp_greater_equal(stack_.size(), limits_.max_depth))
      return Refuse("nested too deeply");
    stack_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    stack_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::vector<json*> stack_;  // parents of the value being read; a parent does not move while open
  std::string key_;
};

}  // namespace

Result<json> ParseStrictJson(std::string_view text, JsonLimits limits) {
  // nlohmann skips a byte order mark; RFC 8259 §8.1 forbids sending one.
  if (text.starts_with("\xef\xbb\xbf")) return Fail(ErrorCode::kInvalidRequest, "byte order mark");
  // nlohmann takes a NUL for the end, and what follows it would be ignored.
  if (text.contains('\0')) return Fail(ErrorCode::kInvalidRequest, "NUL");
  Builder builder(limits);
  if (!json::sax_parse(text, &builder, json::input_format_t::json, /*strict=*/true)) {
    return Fail(ErrorCode::kInvalidRequest, builder.fault);
  }
  return std::move(builder.root);
}

}  // namespace broker
