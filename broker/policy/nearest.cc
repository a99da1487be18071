#include "broker/policy/nearest.h"

#include <algorithm>

#include "broker/base/ascii.h"
#include "broker/policy/inert.h"

namespace broker::policy {
namespace {

// The longest name of the configuration; the cost grows with the square.
constexpr size_t kMaxWordBytes = 64;
// "id" and "app" are parts of too much.
constexpr size_t kLeastPartBytes = 4;

char Folded(char c) { return c == '_' ? '-' : Lower(c); }

// Without what people write between words.
std::string Letters(std::string_view word) {
  std::string letters;
  for (const char c : word) {
    if (Folded(c) != '-' && c != ' ') letters.push_back(Folded(c));
  }
  return letters;
}

bool IsPart(const std::string& one, const std::string& other) {
  return std::min(one.size(), other.size()) >= kLeastPartBytes &&
         (one.find(other) != std::string::npos || other.find(one) != std::string::npos);
}

std::string_view OnlyOneWithPart(std::string_view word, std::span<const std::string_view> known) {
  const std::string letters = Letters(word);
  std::string_view found;
  for (const std::string_view candidate : known) {
    if (!IsPart(letters, Letters(candidate))) continue;
    if (!found.empty()) return {};
    found = candidate;
  }
  return found;
}

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const auto same = [&](size_t k, size_t l) { return Folded(a[k]) == Folded(b[l]); };
      const size_t replaced = cost[i - 1][j - 1] + (same(i - 1, j - 1) ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1)) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string_view Nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kMaxWordBytes) return {};
  std::string_view best;
  // A third of the letters: "credentials" finds "credential", "foo" finds nothing.
  size_t closest = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= closest) continue;
    best = candidate;
    closest = distance;
  }
  return best.empty() ? OnlyOneWithPart(word, known) : best;
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view nearest = Nearest(word, known);
  return nearest.empty() ? "" : "did you mean " + Inert(nearest);
}

}  // namespace broker::policy
