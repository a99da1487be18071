#include "sidecar/cli/redirect_request.h"

#include <algorithm>

namespace sidecar::cli {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool IsVersion(std::string_view text) { return text == "HTTP/1.1" || text == "HTTP/1.0"; }

bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

RedirectRequest::State RedirectRequest::Filled(size_t count) {
  const size_t looked_at = used_ < kHeadEnd.size() ? 0 : used_ - (kHeadEnd.size() - 1);
  used_ += count;
  const std::string_view all = bytes_.Expose(broker::Exit::kInspectClaims).substr(0, used_);
  if (all.find(kHeadEnd, looked_at) != all.npos) return ReadLine(all.substr(0, all.find("\r\n")));
  return used_ == bytes_.size() ? State::kTooLarge : State::kMore;
}

RedirectRequest::State RedirectRequest::ReadLine(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == line.npos || first == last || !IsVersion(line.substr(last + 1))) {
    return State::kMalformed;
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!IsPrintable(method) || !IsPrintable(target) || !target.starts_with('/')) {
    return State::kMalformed;
  }
  if (method != "GET") return State::kOtherMethod;
  if (target.size() > kMaxTargetBytes) return State::kTooLarge;
  if (target.substr(0, target.find('?')) != "/") return State::kOtherPath;
  target_ = target;
  return State::kComplete;
}

}  // namespace sidecar::cli
