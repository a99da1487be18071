#include "broker/ledger/verifier.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "test/broker/ledger/sample_ledger.h"

using namespace broker::ledger;

TEST_CASE("an untouched ledger is whole, with and without its head") {
  const SampleLedger sample = SampleLedger::Make();
  const Report with = Verify(sample, sample.Expect());
  CHECK(with.findings.empty());
  CHECK(with.entries == 2 * static_cast<size_t>(broker::ledger::kLastEntryType));
  CHECK(with.state == sample.head.state);
  CHECK(Verify(sample, {}).findings.empty());
}

TEST_CASE("every single byte that changes is found") {
  const SampleLedger sample = SampleLedger::Make(1);
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& file : sample.files) files.emplace_back(file.name, file.Bytes());
  size_t unnoticed = 0;
  size_t flips = 0;
  for (auto& [name, bytes] : files) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const char was = bytes[i];
      bytes[i] = static_cast<char>(was ^ (1 << (i % 8)));
      if (!VerifyBytes(files, sample.Expect()).tampered()) ++unnoticed;
      bytes[i] = was;
      ++flips;
    }
  }
  CHECK(flips > 10'000);
  CHECK(unnoticed == 0);
  CHECK(VerifyBytes(files, sample.Expect()).findings.empty());
}

TEST_CASE("damage is called by its name and found at its place") {
  SampleLedger sample = SampleLedger::Make();
  auto& lines = sample.files[0].lines;  // entries 1 to 17
  Damage expected{};
  uint64_t line = 0;
  uint64_t seq = 0;
  const auto expect = [&](Damage damage, uint64_t at_line, uint64_t at_seq) {
    expected = damage;
    line = at_line;
    seq = at_seq;
  };
  const auto replace = [](std::string& in, std::string_view what, std::string_view with) {
    const size_t at = in.find(what);
    REQUIRE(at != std::string::npos);
    in.replace(at, what.size(), with);
  };
  SUBCASE("a field was changed") {
    replace(lines[4], "Mail.Read", "Mail.Send");
    expect(Damage::kChanged, 5, 5);
  }
  SUBCASE("a prev was changed") {
    const size_t at = lines[4].find("\"prev\":\"") + 8;
    lines[4][at] = lines[4][at] == '0' ? '1' : '0';
    expect(Damage::kChanged, 5, 5);
  }
  SUBCASE("a seq was changed upwards") {
    replace(lines[4], "\"seq\":5", "\"seq\":9");
    expect(Damage::kChanged, 5, 5);
  }
  SUBCASE("a seq was changed downwards") {
    replace(lines[4], "\"seq\":5", "\"seq\":2");
    expect(Damage::kChanged, 5, 5);
  }
  SUBCASE("the first entry was changed") {
    replace(lines[0], "Mail.Read", "Mail.Send");
    expect(Damage::kChanged, 1, 1);
  }
  SUBCASE("a line is no JSON") {
    lines[4] = "gone";
    expect(Damage::kNotCanonical, 5, 5);
  }
  SUBCASE("a line has a space too many") {
    lines[4].insert(1, " ");
    expect(Damage::kNotCanonical, 5, 5);
  }
  SUBCASE("an empty line stands between") {
    lines.insert(lines.begin() + 4, "");
    expect(Damage::kNotCanonical, 5, 5);
  }
  SUBCASE("one entry was removed") {
    lines.erase(lines.begin() + 4);
    expect(Damage::kRemoved, 5, 5);
  }
  SUBCASE("the first entry was removed") {
    lines.erase(lines.begin());
    expect(Damage::kRemoved, 1, 1);
  }
  SUBCASE("several were cut from the middle") {
    lines.erase(lines.begin() + 4, lines.begin() + 9);
    expect(Damage::kCutMiddle, 5, 5);
  }
  SUBCASE("two changed places") {
    std::swap(lines[4], lines[5]);
    expect(Damage::kReordered, 5, 6);
  }
  SUBCASE("one was moved far down") {
    std::rotate(lines.begin() + 4, lines.begin() + 5, lines.begin() + 12);
    expect(Damage::kReordered, 5, 6);
  }
  SUBCASE("one stands twice in a row") {
    lines.insert(lines.begin() + 4, lines[3]);
    expect(Damage::kDuplicated, 5, 4);
  }
  SUBCASE("an old one stands again further down") {
    lines.insert(lines.begin() + 9, lines[3]);
    expect(Damage::kDuplicated, 10, 4);
  }
  SUBCASE("a forged one was inserted before the real one") {
    std::string forged = lines[4];
    replace(forged, "Mail.Read", "Mail.Send");
    lines.insert(lines.begin() + 4, forged);
    expect(Damage::kInserted, 5, 5);
  }
  SUBCASE("a forged one was inserted behind the real one") {
    std::string forged = lines[4];
    replace(forged, "Mail.Read", "Mail.Send");
    lines.insert(lines.begin() + 5, forged);
    expect(Damage::kInserted, 6, 5);
  }
  for (const bool with_head : {true, false}) {
    const Report report = Verify(sample, with_head ? sample.Expect() : Expectations{});
    REQUIRE(report.findings.size() == 1);
    const Finding& found = report.findings[0];
    CHECK(DamageName(found.damage) == DamageName(expected));
    CHECK(found.file == sample.files[0].name);
    CHECK(found.line == line);
    CHECK(found.seq == seq);
    CHECK(report.tampered());
  }
}

TEST_CASE("damage that shows only against a head") {
  SampleLedger sample = SampleLedger::Make();
  auto& last = sample.files[1].lines;
  const Head whole = sample.head;
  Expectations expect = sample.Expect();
  Damage damage{};
  SUBCASE("the tail was cut") {
    last.pop_back();
    last.pop_back();
    damage = Damage::kCutTail;
  }
  SUBCASE("the last segment was removed") {
    sample.files.pop_back();
    damage = Damage::kCutTail;
  }
  SUBCASE("the last entry was changed") {
    last.back().replace(last.back().find("Mail.Read"), 9, "Mail.Send");
    damage = Damage::kChanged;
  }
  SUBCASE("the head file forgets a kill") {
    expect.head.state.killed.clear();
    damage = Damage::kHeadDamaged;
  }
  SUBCASE("the head file points elsewhere in the segment") {
    ++expect.head.offset;
    damage = Damage::kHeadDamaged;
  }
  SUBCASE("the head file does not read back") {
    expect.head_file = Expectations::HeadFile::kDamaged;
    damage = Damage::kHeadDamaged;
  }
  SUBCASE("the head file is missing") {
    expect.head_file = Expectations::HeadFile::kMissing;
    damage = Damage::kHeadMissing;
  }
  SUBCASE("--head names an entry behind the end") {
    last.pop_back();
    expect = {.anchor = Expectations::Anchor{whole.state.seq, whole.state.leaf}};
    damage = Damage::kCutTail;
  }
  SUBCASE("--head names another history") {
    expect.anchor = Expectations::Anchor{3, kNoLeaf};
    damage = Damage::kOtherHistory;
  }
  const Report report = Verify(sample, expect);
  REQUIRE(report.findings.size() == 1);
  CHECK(DamageName(report.findings[0].damage) == DamageName(damage));
  CHECK(report.tampered());
}

TEST_CASE("what is no tampering") {
  SampleLedger sample = SampleLedger::Make();
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& file : sample.files) files.emplace_back(file.name, file.Bytes());
  SUBCASE("an unfinished write behind the head is told, and is none") {
    files[1].second += "{\"agent\":{\"na";
    const Report report = VerifyBytes(files, sample.Expect());
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].damage == Damage::kTornTail);
    CHECK_FALSE(report.tampered());
  }
  SUBCASE("an unfinished line in an earlier segment is") {
    files[0].second += "{\"agent\":{\"na";
    CHECK(VerifyBytes(files, sample.Expect()).tampered());
  }
  SUBCASE("a segment that was begun and not written to") {
    files.emplace_back(FormatSegmentName({"2026-11-30", 35}), "");
    CHECK(VerifyBytes(files, sample.Expect()).findings.empty());
  }
  SUBCASE("a segment with another's name is") {
    files[1].first = FormatSegmentName({"2026-11-30", 19});
    CHECK(VerifyBytes(files, {}).findings.at(0).damage == Damage::kMisnamed);
  }
  SUBCASE("a head that lags") {
    Expectations expect = sample.Expect();
    expect.head_file = Expectations::HeadFile::kIgnore;
    expect.anchor = Expectations::Anchor{1, LeafHash(sample.files[0].lines[0])};
    CHECK(VerifyBytes(files, expect).findings.empty());
  }
  SUBCASE("an empty ledger without a head") {
    CHECK(VerifyBytes({}, {.head_file = Expectations::HeadFile::kMissing}).findings.empty());
  }
  SUBCASE("an empty folder with a head is a cut tail") {
    CHECK(VerifyBytes({}, sample.Expect()).findings.at(0).damage == Damage::kCutTail);
  }
}
