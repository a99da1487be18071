// broker/policy/inert.h: text from outside, shown so that it stays text.
#pragma once
#include <string>
#include <string_view>

namespace broker::policy {

/// A JSON string in ASCII: what others wrote cannot move the cursor, or pose as other text.
std::string Inert(std::string_view text);

}  // namespace broker::policy
