#include "broker/ledger/line_shape.h"

#include <doctest/doctest.h>

#include "test/broker/ledger/sample_ledger.h"

using namespace broker::ledger;

namespace {

bool operator==(const ScannedLine& a, const ScannedLine& b) {
  return a.seq == b.seq && a.prev == b.prev && a.type == b.type && a.outcome == b.outcome &&
         a.agent == b.agent && a.time == b.time && a.log == b.log && a.generation == b.generation;
}

std::string Line(const Entry& entry) {
  const Place place{.seq = 107, .log = "l", .tenant = "t", .boot = "b"};
  std::string line;
  REQUIRE(AppendLine(entry, place, &line));
  return line;
}

Entry Issued() {
  Entry entry = SampleEntry(EntryType::kTokenIssued, 1);
  entry.change = {};
  entry.claimed = {};  // whose escapes have no place in a shape's values
  return entry;
}

LineShape ShapeOf(const std::string& line) {
  ScannedLine scanned;
  REQUIRE(ScanLine(line, &scanned));
  return {line, scanned};
}

}  // namespace

TEST_CASE("a shape matches the line that it was made of, and reads the same of it") {
  const std::string line = Line(Issued());
  ScannedLine by_shape;
  ScannedLine by_scan;
  CHECK(ShapeOf(line).Match(line, &by_shape));
  CHECK(ScanLine(line, &by_scan));
  CHECK(by_shape == by_scan);
  CHECK(by_shape.seq == 107);
  CHECK(by_shape.agent == "agent-1");
}

TEST_CASE("a line with any byte changed, added or missing is taken as a scan takes it") {
  const std::string line = Line(Issued());
  const LineShape shape = ShapeOf(line);
  size_t matched = 0;
  const auto compare = [&](const std::string& changed) {
    ScannedLine by_shape;
    ScannedLine by_scan;
    if (!shape.Match(changed, &by_shape)) return;
    ++matched;
    const bool scans = ScanLine(changed, &by_scan);
    CHECK_MESSAGE((scans && by_shape == by_scan), changed);
  };
  for (size_t at = 0; at < line.size(); ++at) {
    compare(line.substr(0, at) + line.substr(at + 1));
    compare(line.substr(0, at));
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = line;
      changed[at] = static_cast<char>(byte);
      compare(changed);
      compare(line.substr(0, at) + static_cast<char>(byte) + line.substr(at));
    }
  }
  CHECK(matched > 1000);  // values change
}

TEST_CASE("lines for which a shape says nothing") {
  const std::string line = Line(Issued());
  const auto with = [&line](const std::string& what, const std::string& instead) {
    std::string changed = line;
    return changed.replace(changed.find(what), what.size(), instead);
  };
  struct Row {
    const char* about;
    std::string line;
  };
  const Row rows[] = {
      {"a value with an escape", with("read-mail", "read-\\\"mail")},
      {"a value beyond ASCII", with("read-mail", "read-m\xc3\xa4il")},
      {"one scope more", with("\"Mail.Read\",", "\"Mail.Read\",\"Mail.Send\",")},
      {"one scope less", with("\"Mail.Read\",", "")},
      {"another key", with("\"rule\"", "\"rulf\"")},
      {"the largest integer", with("\"seq\":107", "\"seq\":9007199254740991")},
      {"seq 0", with("\"seq\":107", "\"seq\":0")},
      {"a leading zero", with("\"seq\":107", "\"seq\":0107")},
      {"a prev in capitals", with(std::string(64, '0'), std::string(64, 'A'))},
      {"another version", with("\"v\":1", "\"v\":2")},
      {"a line too long", with("read-mail", std::string(size_t{16} << 10, 'r'))},
      {"nothing", ""},
  };
  const LineShape shape = ShapeOf(line);
  for (const Row& row : rows) {
    CAPTURE(row.about);
    ScannedLine scanned;
    CHECK_FALSE(shape.Match(row.line, &scanned));
    CHECK_FALSE(LineShape().Match(row.line, &scanned));
  }
  ScannedLine scanned;
  CHECK_FALSE(ShapeOf(line).Match(with("\"gid\":100", "\"gid\":-0"), &scanned));
  const std::string negative = with("\"gid\":100", "\"gid\":-1");
  CHECK_FALSE(ShapeOf(negative).Match(negative, &scanned));
}

TEST_CASE("a reader says of each line what a scan says, whatever came before it") {
  std::vector<std::string> lines = {"", "{}", "no line"};
  for (const auto& file : SampleLedger::Make().files) {
    lines.insert(lines.end(), file.lines.begin(), file.lines.end());
  }
  for (const EntryType type : {EntryType::kTokenIssued, EntryType::kTokenDenied}) {
    Entry entry = Issued();
    entry.type = type;
    lines.push_back(Line(entry));
    for (int scopes = 0; scopes < 6; ++scopes) {  // more shapes than are remembered
      entry.scopes.emplace_back("User.Read." + std::to_string(scopes));
      lines.push_back(Line(entry));
    }
  }
  LineReader reader;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& line : lines) {
      ScannedLine by_reader;
      ScannedLine by_scan;
      const bool scans = ScanLine(line, &by_scan);
      REQUIRE(reader.Scan(line, &by_reader) == scans);
      if (scans) CHECK(by_reader == by_scan);
    }
  }
}
