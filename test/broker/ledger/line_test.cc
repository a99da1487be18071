#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "broker/base/plain_run.h"
#include "broker/ledger/canonical_text.h"
#include "test/broker/ledger/sample_ledger.h"

using namespace broker::ledger;

namespace {

std::string Minimal() {
  const Entry entry{.type = EntryType::kDaemonStarted, .outcome = Outcome::kSuccess};
  const Place place{.seq = 7, .log = "l", .tenant = "t", .boot = "b"};
  std::string line;
  REQUIRE(AppendLine(entry, place, &line));
  return line;
}

std::string Replaced(std::string in, const std::string& what, const std::string& with) {
  const size_t at = in.find(what);
  REQUIRE(at != std::string::npos);
  return in.replace(at, what.size(), with);
}

bool Scans(const std::string& line) {
  ScannedLine scanned;
  return ScanLine(line, &scanned);
}

}  // namespace

TEST_CASE("a minimal line, byte for byte") {
  CHECK(
      Minimal() ==
      R"({"boot":"b","id":"00000000-0000-7000-8000-000000000000","log":"l",)"
      R"("nonce":"00000000000000000000000000000000","outcome":"success","prev":")" +
          std::string(64, '0') +
          R"(","seq":7,"tenant":"t","time":"1970-01-01T00:00:00.000000Z","type":"daemon.started","v":1})");
}

TEST_CASE("lines of every type and field are canonical JSON and read back") {
  for (const auto& file : SampleLedger::Make().files) {
    for (const std::string& line : file.lines) {
      const auto parsed = nlohmann::json::parse(line);
      CHECK(parsed.dump() == line);  // sorted keys, no spaces
      ScannedLine scanned;
      REQUIRE(ScanLine(line, &scanned));
      CHECK(parsed["seq"] == scanned.seq);
      CHECK(parsed["prev"] == scanned.prev);
      CHECK(parsed["type"] == scanned.type);
      CHECK(parsed["outcome"] == scanned.outcome);
      CHECK(parsed["agent"]["name"] == scanned.agent);
      CHECK(parsed["time"] == scanned.time);
      CHECK(parsed["change"]["generation"] == scanned.generation.value());
      std::string_view inside = std::string_view(line).substr(1, line.size() - 2);
      size_t members = 0;
      while (const auto member = NextMember(&inside)) {
        CHECK(parsed[std::string(member->key)] == nlohmann::json::parse(member->value));
        ++members;
      }
      CHECK(members == parsed.size());
    }
  }
}

TEST_CASE("a leaf is the RFC 6962 leaf hash") {
  // RFC 6962 test data: the leaf hash of the empty string.
  CHECK(LeafHex(LeafHash("")) ==
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  CHECK(ParseLeafHex(LeafHex(LeafHash("x"))) == LeafHash("x"));
  CHECK_FALSE(ParseLeafHex(std::string(64, 'A')));
  CHECK_FALSE(ParseLeafHex(std::string(63, 'a')));
  CHECK_FALSE(ParseLeafHex(std::string(65, 'a')));
}

TEST_CASE("times are RFC 3339 in UTC with microseconds") {
  const auto text = [](int64_t us) {
    std::string out;
    AppendTime(std::chrono::system_clock::time_point(std::chrono::microseconds(us)), &out);
    return out;
  };
  CHECK(text(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(text(1'795'176'930'123'456) == "2026-11-20T12:15:30.123456Z");
  CHECK(text(951'827'696'000'001) == "2000-02-29T12:34:56.000001Z");
}

TEST_CASE("a scanner takes what a ledger writes and nothing else") {
  const std::string line = Minimal();
  REQUIRE(Scans(line));
  struct Row {
    const char* about;
    std::string line;
    bool scans;
  };
  const Row rows[] = {
      {"a field of a later version",
       Replaced(line, "\"boot\"", "\"approval\":{\"id\":\"x\"},\"boot\""), true},
      {"a type of a later version", Replaced(line, "daemon.started", "call.made"), true},
      {"the largest integer", Replaced(line, "\"seq\":7", "\"seq\":9007199254740991"), true},
      {"one more than that", Replaced(line, "\"seq\":7", "\"seq\":9007199254740992"), false},
      {"2^64 and more", Replaced(line, "\"seq\":7", "\"seq\":18446744073709551623"), false},
      {"seq 0", Replaced(line, "\"seq\":7", "\"seq\":0"), false},
      {"a negative seq", Replaced(line, "\"seq\":7", "\"seq\":-7"), false},
      {"a seq in quotes", Replaced(line, "\"seq\":7", "\"seq\":\"7\""), false},
      {"a float", Replaced(line, "\"seq\":7", "\"seq\":7.0"), false},
      {"an exponent", Replaced(line, "\"seq\":7", "\"seq\":7e0"), false},
      {"a leading zero", Replaced(line, "\"seq\":7", "\"seq\":07"), false},
      {"no number", Replaced(line, "\"seq\":7", "\"seq\":"), false},
      {"another version", Replaced(line, "\"v\":1", "\"v\":2"), false},
      {"no version", Replaced(line, ",\"v\":1", ""), false},
      {"no prev", Replaced(line, "\"prev\":\"" + std::string(64, '0') + "\",", ""), false},
      {"a short prev", Replaced(line, std::string(64, '0'), std::string(63, '0')), false},
      {"a prev in capitals", Replaced(line, std::string(64, '0'), std::string(64, 'A')), false},
      {"a key twice", Replaced(line, "\"v\":1", "\"v\":1,\"v\":1"), false},
      {"keys out of order", Replaced(line, "\"v\":1", "\"v\":1,\"a\":1"), false},
      {"a key in capitals", Replaced(line, "\"boot\"", "\"Boot\""), false},
      {"an empty key", Replaced(line, "\"boot\"", "\"\""), false},
      {"a space", Replaced(line, ",\"v\"", ", \"v\""), false},
      {"an empty object", Replaced(line, "\"boot\"", "\"approval\":{},\"boot\""), false},
      {"an empty list", Replaced(line, "\"seq\"", "\"scopes\":[],\"seq\""), false},
      {"a list of numbers", Replaced(line, "\"seq\"", "\"scopes\":[1],\"seq\""), false},
      {"an object too deep", Replaced(line, "\"boot\"", "\"a\":{\"b\":{\"c\":1}},\"boot\""), false},
      {"null", Replaced(line, "\"b\"", "null"), false},
      {"true", Replaced(line, "\"b\"", "true"), false},
      {"an escape that need not be", Replaced(line, "\"l\"", "\"\\u006c\""), false},
      {"an escaped slash", Replaced(line, "\"l\"", "\"\\/\""), false},
      {"an escaped quote", Replaced(line, "\"l\"", "\"\\\"\""), true},
      {"a raw tab", Replaced(line, "\"l\"", "\"\t\""), false},
      {"DEL", Replaced(line, "\"l\"", "\"\x7f\""), false},
      {"a C1 control character", Replaced(line, "\"l\"", "\"\xc2\x80\""), false},
      {"the character after those", Replaced(line, "\"l\"", "\"\xc2\xa0\""), true},
      {"an overlong slash", Replaced(line, "\"l\"", "\"\xc0\xaf\""), false},
      {"an overlong euro sign", Replaced(line, "\"l\"", "\"\xf0\x82\x82\xac\""), false},
      {"a surrogate", Replaced(line, "\"l\"", "\"\xed\xa0\x80\""), false},
      {"beyond U+10FFFF", Replaced(line, "\"l\"", "\"\xf4\x90\x80\x80\""), false},
      {"half a character", Replaced(line, "\"l\"", "\"\xe2\x82\""), false},
      {"four bytes", Replaced(line, "\"l\"", "\"\xf0\x9f\x98\x80\""), true},
      {"something behind", line + " ", false},
      {"half a line", line.substr(0, line.size() - 1), false},
      {"nothing", "", false},
      {"an array", "[]", false},
      {"16 KiB and more", Replaced(line, "\"l\"", "\"" + std::string(kMaxLineBytes, 'l') + "\""),
       false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.about);
    CHECK(Scans(row.line) == row.scans);
  }
}

TEST_CASE("a plain run ends at the first byte that is not plain, wherever it stands") {
  for (size_t at = 0; at < 20; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text(24, 'a');
      text[at] = static_cast<char>(byte);
      const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
      CHECK(broker::PlainRun(text) == (plain ? 24 : at));
    }
  }
}

TEST_CASE("an entry at the limit of a line is written, one byte more is refused") {
  Entry entry{.type = EntryType::kAdminAction, .outcome = Outcome::kSuccess};
  const Place place{.seq = 1, .log = "l", .tenant = "t", .boot = "b"};
  std::string line;
  entry.change["x"] = "y";
  REQUIRE(AppendLine(entry, place, &line));
  entry.change["x"] = std::string(kMaxLineBytes - line.size(), 'y');  // line and newline: the limit
  line = "before";
  REQUIRE(AppendLine(entry, place, &line));
  CHECK(line.size() == 6 + kMaxLineBytes - 1);
  CHECK(Scans(line.substr(6)));
  entry.change["x"] = std::string(kMaxLineBytes, 'y');
  line = "before";
  CHECK(AppendLine(entry, place, &line).error().code == broker::ErrorCode::kInvalidRequest);
  CHECK(line == "before");
}

TEST_CASE("kills and generations add up") {
  State state;
  const auto fold = [&state](std::string_view type, std::string_view agent,
                             std::string_view outcome = "success",
                             std::optional<int64_t> generation = {}) {
    const ScannedLine line{.seq = state.seq + 1,
                           .type = type,
                           .outcome = outcome,
                           .agent = agent,
                           .generation = generation};
    Fold(line, kNoLeaf, &state);
  };
  const auto stopped = [&state](std::string_view agent) {
    return IsStopped(state, EntryType::kTokenIssued, agent);
  };
  CHECK_FALSE(stopped("a"));
  fold("kill.engaged", "a", "failure");
  CHECK_FALSE(stopped("a"));
  fold("kill.engaged", "a");
  CHECK(stopped("a"));
  CHECK_FALSE(stopped("b"));
  CHECK_FALSE(IsStopped(state, EntryType::kTokenDenied, "a"));
  CHECK_FALSE(IsStopped(state, EntryType::kCredentialAccess, "a"));
  fold("kill.engaged", "");
  CHECK(stopped("b"));
  fold("kill.released", "");
  CHECK(stopped("a"));
  CHECK_FALSE(stopped("b"));
  fold("kill.released", "a");
  CHECK_FALSE(stopped("a"));
  fold("secret.rotated", "", "pending", 5);
  CHECK(state.store_intended == 5);
  CHECK(state.store_confirmed == 0);
  fold("secret.rotated", "", "success", 5);
  CHECK(state.store_confirmed == 5);
  fold("secret.enrolled", "", "pending", 4);
  CHECK(state.store_intended == 5);
  fold("policy.changed", "", "pending", 9);
  CHECK(state.store_intended == 5);
  CHECK(state.seq == 9);
}

TEST_CASE("a head reads back, and nothing else does") {
  Head head;  // g++ 12 takes designated members for an uninitialized set at -O2
  head.segment = "2026-11-20.000000000041.jsonl";
  head.offset = 12;
  head.state.seq = 42;
  head.state.leaf = LeafHash("x");
  head.state.killed = {"a", "b"};
  head.state.all_killed = true;
  head.state.store_intended = 3;
  head.state.store_confirmed = 2;
  const std::string file = FormatHead(head);
  CHECK(file.size() == kHeadBytes);
  CHECK(ParseHead(file) == head);
  CHECK(ParseHead(file + "rest of a longer one\n") == head);
  CHECK_FALSE(ParseHead(""));
  CHECK_FALSE(ParseHead("{}\n"));
  CHECK_FALSE(ParseHead(file.substr(0, file.size() - 1)));
  CHECK_FALSE(ParseHead(Replaced(file, "\"seq\":42", "\"seq\":-2")));
  CHECK_FALSE(ParseHead(Replaced(file, "\"seq\":42", "\"sex\":42")));
  CHECK_FALSE(ParseHead(Replaced(file, "\"a\"", "1")));
  CHECK_FALSE(ParseHead(Replaced(file, "\"seq\":42", "\"seq\":42,\"more\":1")));
  CHECK_FALSE(ParseHead(Replaced(file, "2026-11-20", "../../etc/")));
}

TEST_CASE("segment names read back, and nothing else does") {
  const SegmentName name{"2026-11-20", 41};
  CHECK(FormatSegmentName(name) == "2026-11-20.000000000041.jsonl");
  CHECK(ParseSegmentName("2026-11-20.000000000041.jsonl") == name);
  for (const char* other :
       {"", "head", "2026-11-20.000000000041.jsonl.1.torn", "2026-11-20.41.jsonl",
        "2026_11_20.000000000041.jsonl", "2026-11-20.00000000004x.jsonl",
        "2026-11-20.000000000041.jsonx", "/026-11-20.000000000041.jsonl"}) {
    CAPTURE(other);
    CHECK_FALSE(ParseSegmentName(other));
  }
}
