#include "broker/policy/config_draft.h"

namespace broker::policy {

Place Draft::PlaceOf(std::string path) const {
  for (;;) {
    const auto found = places.find(path);
    if (found != places.end()) return found->second;
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos) return places.contains("") ? places.at("") : Place{};
    path.resize(dot);
  }
}

}  // namespace broker::policy
