// The framer must see the same requests however their bytes are cut on the way.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sidecar/window/framer.h"

namespace {

using sidecar::window::Framer;

// What a connection's bytes come to: every request, then how it ends.
std::string Story(std::string_view bytes, size_t chunk) {
  Framer framer;
  std::string story;
  while (true) {
    const Framer::State state = framer.Examine();
    if (state == Framer::State::kRefused) {
      return story + "refused " + std::string(broker::Describe(framer.refusal().reason).name) +
             framer.refusal().hint;
    }
    if (state == Framer::State::kComplete) {
      const auto& head = framer.head();
      for (const std::string_view part : {head.method, head.path, head.query, head.content_type,
                                          head.authorization, head.traceparent, framer.body()}) {
        story.append(part).push_back('\n');
      }
      story += head.close ? "close\n" : "keep\n";
      framer.Consume();
      continue;
    }
    if (bytes.empty()) return story + (framer.started() ? "more" : "idle");
    framer.Append(bytes.substr(0, chunk));
    bytes.remove_prefix(std::min(chunk, bytes.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = Story(bytes, std::max<size_t>(size, 1));
  if (whole != Story(bytes, 1) || whole != Story(bytes, 7)) std::abort();
  return 0;
}
