// broker/entra/form.h: an application/x-www-form-urlencoded body that may hold secrets.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/secret.h"

namespace broker::entra {

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
std::string PercentEncode(std::string_view text);

/// Builds the body inside the secret arena: no part of it is ever in ordinary memory.
class Form {
 public:
  static constexpr std::string_view kContentType = "application/x-www-form-urlencoded";

  void Add(std::string_view name, std::string_view value);
  void Add(std::string_view name, const Secret& value);
  /// Leaves the form empty.
  Secret Take() { return std::move(body_); }

 private:
  Secret body_;
};

}  // namespace broker::entra
