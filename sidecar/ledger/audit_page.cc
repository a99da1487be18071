#include "sidecar/ledger/audit_page.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>

#include "broker/ledger/canonical_text.h"
#include "broker/ledger/leaf.h"
#include "broker/ledger/line_scanner.h"

namespace sidecar::ledger {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;
using broker::ledger::kMaxLineBytes, broker::ledger::Member, broker::ledger::NextMember,
    broker::ledger::ScannedLine, broker::ledger::ScanLine;

constexpr size_t kBlockBytes = size_t{64} << 10;  // a probe of the search finds a whole line in it
static_assert(kBlockBytes >= 2 * kMaxLineBytes);

// Members that pass as they are. `claimed` and `user` name people, `change` is free text.
constexpr std::array<std::string_view, 15> kOpenMembers{
    "agent",  "credential", "id",     "log",  "outcome", "policy", "reason",  "request",
    "scopes", "seq",        "target", "time", "token",   "type",   "upstream"};

bool IsAgentsOwnAct(std::string_view type) {
  return type == "credential.access" || type.starts_with("token.") || type.starts_with("call.");
}

void Append(const Member& member, std::string* out) {
  if (out->back() != '{') out->push_back(',');
  out->append("\"").append(member.key).append("\":").append(member.value);
}

// Copies the named members of an object; nothing when it has none of them.
template <size_t N>
void AppendPart(const Member& object, const std::array<std::string_view, N>& keys,
                std::string* out) {
  std::string part = "{";
  std::string_view inside = object.value.substr(1, object.value.size() - 2);
  while (const auto member = NextMember(&inside)) {
    if (std::ranges::find(keys, member->key) != keys.end()) Append(*member, &part);
  }
  if (part.size() > 1) Append({object.key, part + "}"}, out);
}

// One file, read in blocks up to where it is durable.
class Segment {
 public:
  Segment(Disk& disk, ipc::Fd fd, uint64_t size) : disk_(disk), fd_(std::move(fd)), size_(size) {}

  [[nodiscard]] uint64_t size() const { return size_; }
  Result<std::string> Read(uint64_t offset, size_t bytes) const {
    return disk_.ReadAt(fd_.get(), offset, std::min<uint64_t>(bytes, size_ - offset));
  }

  // Where the first line with a seq above `after` begins. Lines stand in the order of their seq, so
  // that halving finds it with a few reads in a file of any size.
  Result<uint64_t> FindBehind(uint64_t after) const {
    uint64_t low = 0;  // a line begins here, all before it are at most `after`
    uint64_t high = size_;
    while (high - low > kBlockBytes) {
      const uint64_t middle = low + (high - low) / 2;
      const auto block = Read(middle, kBlockBytes);
      if (!block) return std::unexpected(block.error());
      const size_t start = block->find('\n') + 1;
      const size_t end = start == 0 ? std::string::npos : block->find('\n', start);
      ScannedLine line;
      if (end == std::string::npos) {  // the last line alone is left behind `middle`
        high = middle;
        continue;
      }
      if (!ScanLine(std::string_view(*block).substr(start, end - start), &line)) {
        return Fail(ErrorCode::kCorrupt, "a line does not read back");
      }
      if (line.seq <= after) {
        low = middle + end + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  Disk& disk_;
  ipc::Fd fd_;
  uint64_t size_;
};

// What of a line goes into the page; empty: it is passed over.
using Chooser = std::function<std::string(std::string_view line, const ScannedLine& scanned)>;

class Page {
 public:
  Page(uint64_t after, uint32_t limit, Chooser choose)
      : after_(after),
        limit_(limit == 0 ? kMaxPageEntries : std::min(limit, kMaxPageEntries)),
        choose_(std::move(choose)),
        next_(after) {}

  [[nodiscard]] bool Full() const {
    return count_ >= limit_ || scanned_ >= kMaxPageScanBytes || body_.size() >= kMaxPageBodyBytes;
  }

  broker::Status Scan(const Segment& segment, uint64_t offset) {
    while (offset < segment.size() && !Full()) {
      const auto block = segment.Read(offset, kBlockBytes);
      if (!block) return std::unexpected(block.error());
      std::string_view rest = *block;
      while (!Full()) {
        const size_t length = rest.find('\n');
        if (length == std::string_view::npos) break;
        if (broker::Status taken = Line(rest.substr(0, length)); !taken) return taken;
        rest.remove_prefix(length + 1);
      }
      if (rest.size() == block->size()) return Fail(ErrorCode::kCorrupt, "a line without an end");
      offset += block->size() - rest.size();
    }
    return {};
  }

  std::string Finish(std::string_view more = {}) && {
    return R"({"entries":[)" + body_ + R"(],"next":)" + std::to_string(next_) + std::string(more) +
           "}";
  }

 private:
  broker::Status Line(std::string_view line) {
    ScannedLine scanned;
    if (!ScanLine(line, &scanned)) return Fail(ErrorCode::kCorrupt, "a line does not read back");
    scanned_ += line.size();
    if (scanned.seq <= after_) return {};
    next_ = scanned.seq;
    const std::string chosen = choose_(line, scanned);
    if (chosen.empty()) return {};
    if (!body_.empty()) body_.push_back(',');
    body_ += chosen;
    ++count_;
    return {};
  }

  const uint64_t after_;
  const uint32_t limit_;
  const Chooser choose_;
  uint64_t next_;
  std::string body_;
  size_t scanned_ = 0;
  uint32_t count_ = 0;
};

using Segments = std::vector<broker::ledger::SegmentName>;

broker::Status ScanFrom(Disk& disk, const DurableEnd& end, Segments::const_iterator segment,
                        uint64_t after, Page* page) {
  for (; segment != end.segments.end() && after < end.seq && !page->Full(); ++segment) {
    auto fd = disk.Open(broker::ledger::FormatSegmentName(*segment), Disk::How::kRead, false);
    if (!fd) return std::unexpected(fd.error());
    const bool last = segment + 1 == end.segments.end();
    const auto size = last ? Result<uint64_t>(end.last_size) : disk.Size(fd->get());
    if (!size) return std::unexpected(size.error());
    const Segment file(disk, std::move(*fd), *size);
    const auto offset = file.FindBehind(after);
    if (!offset) return std::unexpected(offset.error());
    if (broker::Status s = page->Scan(file, *offset); !s) return s;
  }
  return {};
}

// The last that begins at or before the next seq, which it holds.
Segments::const_iterator SegmentBehind(const Segments& segments, uint64_t after) {
  auto segment =
      std::ranges::find_if(segments, [&](const auto& name) { return name.first_seq > after + 1; });
  if (segment != segments.begin()) --segment;
  return segment;
}

int64_t ExpiryIn(const Member& token) {
  std::string_view inside = token.value.substr(1, token.value.size() - 2);
  int64_t exp = 0;
  while (const auto member = NextMember(&inside)) {
    if (member->key == "exp") {
      std::from_chars(member->value.data(), member->value.data() + member->value.size(), exp);
    }
  }
  return exp;
}

std::string AliveAt(int64_t now, std::string_view line, const ScannedLine& scanned) {
  constexpr std::array<std::string_view, 7> kMembers{"agent",  "credential", "scopes", "seq",
                                                     "target", "token",      "user"};
  if (scanned.type != "token.issued") return {};
  std::string out = "{";
  int64_t exp = 0;
  std::string_view inside = line.substr(1, line.size() - 2);
  while (const auto member = NextMember(&inside)) {
    if (std::ranges::find(kMembers, member->key) == kMembers.end()) continue;
    if (member->key == "token") exp = ExpiryIn(*member);
    Append(*member, &out);
  }
  return exp > now ? out + "}" : std::string();
}

}  // namespace

std::string VisibleToAgent(std::string_view line) {
  ScannedLine scanned;
  ScanLine(line, &scanned);
  std::string out = "{";
  std::string_view inside = line.substr(1, line.size() - 2);
  while (const auto member = NextMember(&inside)) {
    if (std::ranges::find(kOpenMembers, member->key) != kOpenMembers.end()) {
      Append(*member, &out);
    } else if (member->key == "approval") {
      constexpr std::array<std::string_view, 2> kWhich{"digest", "id"};  // not by whom
      AppendPart(*member, kWhich, &out);
    } else if (member->key == "caller" && IsAgentsOwnAct(scanned.type)) {
      constexpr std::array<std::string_view, 5> kOwnFacts{"exe_sha256", "gid", "pid", "uid",
                                                          "unit"};
      AppendPart(*member, kOwnFacts, &out);
    } else if (member->key == "change" && IsAgentsOwnAct(scanned.type)) {
      constexpr std::array<std::string_view, 3> kCount{"count", "first", "last"};
      AppendPart(*member, kCount, &out);
    }
  }
  const std::string leaf = '"' + broker::ledger::LeafHex(broker::ledger::LeafHash(line)) + '"';
  Append({"leaf", leaf}, &out);
  return out + "}";
}

Result<std::string> ReadPage(Disk& disk, const DurableEnd& end, const PageQuery& query) {
  // The agent's name is the first member of the first key of all: its lines begin like this.
  std::string own = "{\"agent\":{\"name\":\"";
  own.append(query.agent).append("\"}");
  Page page(query.after, query.limit, [&](std::string_view line, const ScannedLine&) {
    return line.starts_with(own) ? VisibleToAgent(line) : std::string();
  });
  const auto first = SegmentBehind(end.segments, query.after);
  if (broker::Status read = ScanFrom(disk, end, first, query.after, &page); !read) {
    return std::unexpected(read.error());
  }
  return std::move(page).Finish();
}

Result<std::string> ReadAlive(Disk& disk, const DurableEnd& end, uint64_t after,
                              std::chrono::system_clock::time_point now) {
  const auto unix_now =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::string oldest = broker::ledger::DateOf(now - kLongestTokenLife);
  Page page(after, kMaxPageEntries, [&](std::string_view line, const ScannedLine& scanned) {
    return AliveAt(unix_now, line, scanned);
  });
  auto first = SegmentBehind(end.segments, after);
  // Once the next was begun nothing was written to it any more.
  while (first != end.segments.end() && first + 1 != end.segments.end() &&
         (first + 1)->date < oldest) {
    ++first;
  }
  if (broker::Status read = ScanFrom(disk, end, first, after, &page); !read) {
    return std::unexpected(read.error());
  }
  const bool archived = !end.segments.empty() && end.segments.front().first_seq > 1 &&
                        end.segments.front().date > oldest;
  return std::move(page).Finish(archived ? R"(,"archived":true)" : "");
}

}  // namespace sidecar::ledger
