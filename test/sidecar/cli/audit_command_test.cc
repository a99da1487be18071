#include "sidecar/cli/audit_command.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sidecar/cli/audit_view.h"
#include "test/broker/ledger/sample_ledger.h"
#include "test/sidecar/ledger/ledger_fixture.h"

using namespace sidecar::cli;
using broker::ledger::LeafHex;

namespace {

struct OnDisk {
  OnDisk() {
    for (const auto& file : sample.files) WriteFile(path() + "/" + file.name, file.Bytes());
    WriteFile(path() + "/head", FormatHead(sample.head));
  }
  [[nodiscard]] const std::string& path() const { return folder.path(); }
  [[nodiscard]] std::string first() const { return path() + "/" + sample.files[0].name; }
  [[nodiscard]] std::string last() const { return path() + "/" + sample.files[1].name; }
  TemporaryFolder folder;
  SampleLedger sample = SampleLedger::Make();
};

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
  return count;
}

bool Has(const std::string& text, const std::string& what) { return Count(text, what) > 0; }

}  // namespace

TEST_CASE("verify says whole with 0, tampered with 3, unreadable with 1, misused with 2") {
  const OnDisk ledger;
  std::string folder = ledger.path();
  std::string head;
  int code = 0;
  std::string said;
  const std::string last_head =
      std::to_string(ledger.sample.head.state.seq) + ":" + LeafHex(ledger.sample.head.state.leaf);
  std::string bytes = ReadFile(ledger.first());
  SUBCASE("untouched") { said = "whole"; }
  SUBCASE("untouched, against the head from the log") {
    head = last_head;
    said = "whole";
  }
  SUBCASE("one byte changed") {
    bytes[bytes.find("Mail.Read")] = 'X';
    WriteFile(ledger.first(), bytes);
    code = 3;
    said = "line 1: entry 1 was changed";
  }
  SUBCASE("the last segment removed") {
    std::filesystem::remove(ledger.last());
    code = 3;
    said = "cut_tail";
  }
  SUBCASE("the tail cut, head file and all") {
    std::filesystem::remove(ledger.last());
    std::filesystem::remove(ledger.path() + "/head");
    head = last_head;
    code = 3;
    said = "cut_tail";
  }
  SUBCASE("the head file removed") {
    std::filesystem::remove(ledger.path() + "/head");
    code = 3;
    said = "head_missing";
  }
  SUBCASE("a copy of the segments alone, with the head from the log") {
    std::filesystem::remove(ledger.path() + "/head");
    head = last_head;
    said = "whole";
  }
  SUBCASE("another head in the log") {
    head = "3:" + std::string(64, '0');
    code = 3;
    said = "other_history";
  }
  SUBCASE("an unfinished write at the end") {
    WriteFile(ledger.last(), ReadFile(ledger.last()) + "{\"agent\"");
    said = "note: ";
  }
  SUBCASE("no folder") {
    folder += "/none";
    code = 1;
    said = "cannot read";
  }
  SUBCASE("a segment that is no file") {
    std::filesystem::create_directory(ledger.path() + "/2030-01-01.000000000035.jsonl");
    code = 1;
    said = "cannot read";
  }
  SUBCASE("a head without a leaf") {
    head = "41";
    code = 2;
    said = "SEQ:LEAF";
  }
  std::ostringstream out, err;
  CHECK(AuditVerify({.folder = folder, .head = head}, out, err) == code);
  CHECK_MESSAGE(Has(out.str() + err.str(), said), out.str() << err.str());
}

TEST_CASE("verify --json names the first bad entry") {
  const OnDisk ledger;
  std::string bytes = ReadFile(ledger.first());
  bytes[bytes.find("Mail.Read")] = 'X';
  WriteFile(ledger.first(), bytes);
  std::ostringstream out, err;
  REQUIRE(AuditVerify({.folder = ledger.path(), .json = true}, out, err) == 3);
  const auto answer = nlohmann::json::parse(out.str());
  CHECK(answer["tampered"] == true);
  CHECK(answer["findings"][0]["damage"] == "changed");
  CHECK(answer["findings"][0]["file"] == ledger.sample.files[0].name);
  CHECK(answer["findings"][0]["line"] == 1);
  CHECK(answer["findings"][0]["seq"] == 1);
}

TEST_CASE("tail shows the last entries, across segments") {
  const OnDisk ledger;
  std::ostringstream out, err;
  const auto& first = ledger.sample.files[0].lines;
  const size_t count = ledger.sample.files[1].lines.size() + 3;
  REQUIRE(AuditTail({.folder = ledger.path(), .count = count, .json = true}, out, err) == 0);
  CHECK(Count(out.str(), "\n") == count);
  CHECK(out.str().starts_with(first[first.size() - 3]));
  CHECK(out.str().ends_with(ledger.sample.files[1].lines.back() + "\n"));
}

TEST_CASE("tail of one agent goes back as far as needed") {
  const OnDisk ledger;
  std::ostringstream out, err;
  REQUIRE(
      AuditTail({.folder = ledger.path(), .count = 9, .filter = {.agent = "agent-1"}, .json = true},
                out, err) == 0);
  CHECK(Count(out.str(), "{\"agent\":{\"name\":\"agent-1\"}") == 9);
}

TEST_CASE("tail -f prints what is appended, also to a new segment, and nothing twice") {
  OnDisk ledger;
  const std::string last = ledger.sample.files[1].lines.back();
  const std::string whole = ReadFile(ledger.last());
  WriteFile(ledger.last(), whole.substr(0, whole.size() - last.size() - 1));
  int round = 0;
  std::ostringstream out, err;
  AuditTailOptions options{.folder = ledger.path(), .count = 0, .json = true, .follow = true};
  options.wait = [&] {
    if (++round == 1) WriteFile(ledger.last(), whole.substr(0, whole.size() - 5));  // half a line
    if (round == 2) WriteFile(ledger.last(), whole);
    if (round == 3) WriteFile(ledger.path() + "/2030-01-01.000000000035.jsonl", last + "\n");
    return round < 5;
  };
  REQUIRE(AuditTail(options, out, err) == 0);
  CHECK(out.str() == last + "\n" + last + "\n");
}

TEST_CASE("show prints proven and claimed apart") {
  const OnDisk ledger;
  std::ostringstream out, err;
  REQUIRE(AuditShow({.folder = ledger.path(), .seq = 20}, out, err) == 0);
  const std::string text = out.str();
  CHECK(Has(text, "policy.rule             read-mail\n"));
  CHECK(Has(text, "scopes                  Mail.Read,User.Read\n"));
  const size_t claimed = text.find("claimed by the agent about itself, not verified:");
  REQUIRE(claimed != std::string::npos);
  CHECK(text.find("sort") > claimed);
  CHECK(Has(text, "\"sort \\\"mail\\\"\""));
}

TEST_CASE("show of an entry that is not there fails") {
  const OnDisk ledger;
  std::ostringstream out, err;
  CHECK(AuditShow({.folder = ledger.path(), .seq = ledger.sample.head.state.seq + 1}, out, err) ==
        1);
  CHECK(AuditShow({.folder = ledger.path(), .seq = 0}, out, err) == 1);
  CHECK(out.str().empty());
}

TEST_CASE("search finds what matches all its filters") {
  const OnDisk ledger;
  struct Row {
    const char* about;
    AuditFilter filter;
    size_t found;
  };
  const size_t all = ledger.sample.head.state.seq;
  const Row rows[] = {
      {"everything", {}, all},
      {"one type", {.type = "token.issued"}, 2},
      {"one agent", {.agent = "agent-2"}, all / 3},
      {"an agent's name is not a prefix", {.agent = "agent"}, 0},
      {"a token in Entra's own logs", {.uti = "uti-7"}, 1},
      {"a uti is not a prefix", {.uti = "uti-"}, 0},
      {"a reason", {.reason = "no_rule"}, all / 2},
      {"a reason is not any text", {.reason = "read-mail"}, 0},
      {"a rule", {.rule = "read-mail"}, all},
      {"a request", {.request = "request-33"}, 1},
      {"a person", {.person = "5f3c0a7e-0000-4000-8000-000000000009"}, all / 10},
      {"a person is not a prefix", {.person = "5f3c0a7e"}, 0},
      {"since the very second", {.since = "2026-11-18T11:06:50"}, all - 10},
      {"until another day", {.until = "2026-11-17"}, 0},
      {"until that day", {.until = "2026-11-18"}, all},
      {"two filters", {.type = "token.denied", .reason = "no_rule"}, 1},
  };
  for (const Row& row : rows) {
    CAPTURE(row.about);
    std::ostringstream out, err;
    REQUIRE(AuditSearch({.folder = ledger.path(), .filter = row.filter, .json = true}, out, err) ==
            0);
    CHECK(Count(out.str(), "\n") == row.found);
  }
}

TEST_CASE("search explains a filter that cannot match") {
  const OnDisk ledger;
  std::ostringstream out, err;
  CHECK(AuditSearch({.folder = ledger.path(), .filter = {.since = "yesterday"}}, out, err) == 2);
  CHECK(AuditSearch({.folder = ledger.path(), .filter = {.type = "token.stolen"}}, out, err) == 2);
  CHECK(Has(err.str(), "2026-11-20"));
  CHECK(Has(err.str(), "token.issued"));
}

TEST_CASE("what directs a terminal or turns text is shown inert") {
  CHECK(InertText("plain") == "\"plain\"");
  CHECK(InertText("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(InertText("\x1b[2J") == "\"\\u001b[2J\"");
  CHECK(InertText("abc\xe2\x80\xae"
                  "def") == "\"abc\\u202edef\"");
  CHECK(InertText("\xc2\x9b") == "\"\\u009b\"");
  CHECK(InertText("J\xc3\xb6rg") == "\"J\xc3\xb6rg\"");
}

TEST_CASE("a row marks what is claimed") {
  const auto entry = nlohmann::json::parse(SampleLedger::Make().files[0].lines[2]);
  const std::string row = AuditRow(entry);
  CHECK(Has(row, "token.issued"));
  CHECK(Has(row, "scopes=Mail.Read,User.Read"));
  CHECK(Has(row, "claimed[purpose \"sort \\\"mail\\\"\", "));
}
