#include "broker/ledger/line_writer.h"

#include <algorithm>
#include <charconv>

#include "broker/base/plain_run.h"
#include "broker/ledger/canonical_text.h"
#include "broker/ledger/entry_names.h"

namespace broker::ledger {
namespace {

constexpr int64_t kFormatVersion = 1;

// Writes members in the order in which it is called: callers keep to the order of the keys. After
// the first fault nothing more is promised about the output; ok() is false.
class MemberWriter {
 public:
  explicit MemberWriter(std::string* out) : out_(out) {}

  void Open(std::string_view key) {
    Key(key);
    out_->push_back('{');
    first_ = true;
  }
  void Close() {
    out_->push_back('}');
    first_ = false;
  }
  void Text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    Key(key);
    String(value);
  }
  void Number(std::string_view key, int64_t value) {
    if (value > kMaxInteger || value < -kMaxInteger) ok_ = false;
    Key(key);
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_->append(digits.data(), end);
  }
  void Hex(std::string_view key, const uint8_t* bytes, size_t count) {
    Key(key);
    out_->push_back('"');
    AppendHex(bytes, count, out_);
    out_->push_back('"');
  }
  void List(std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    Key(key);
    char separator = '[';
    for (const std::string& value : values) {
      out_->push_back(separator);
      String(value);
      separator = ',';
    }
    out_->push_back(']');
  }
  // For values that were made here: nothing to escape, nothing to check.
  std::string* Raw(std::string_view key) {
    Key(key);
    return out_;
  }
  void Fault() { ok_ = false; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  void Key(std::string_view key) {
    if (!first_) out_->push_back(',');
    first_ = false;
    out_->push_back('"');
    out_->append(key);
    out_->append("\":");
  }
  void String(std::string_view value) {
    out_->push_back('"');
    while (true) {
      const size_t plain = PlainRun(value);
      out_->append(value.substr(0, plain));
      value.remove_prefix(plain);
      if (value.empty()) break;
      size_t taken = 1;
      if (value.front() == '"' || value.front() == '\\') {
        out_->push_back('\\');
      } else if (taken = WideCharacter(value); taken == 0) {
        ok_ = false;
        break;
      }
      out_->append(value.substr(0, taken));
      value.remove_prefix(taken);
    }
    out_->push_back('"');
  }

  std::string* out_;
  bool first_ = true;
  bool ok_ = true;
};

void PutCaller(const CallerRecord& caller, MemberWriter& w) {
  w.Open("caller");
  w.Text("exe_sha256", caller.exe_sha256);
  w.Number("gid", caller.gid);
  if (caller.loginuid) w.Number("loginuid", *caller.loginuid);
  w.Number("pid", caller.pid);
  w.Number("uid", caller.uid);
  w.Text("unit", caller.unit);
  w.Close();
}

bool IsKey(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void PutChange(const Entry& entry, MemberWriter& w) {
  const auto says_something = [](const auto& member) {
    const auto* text = std::get_if<std::string>(&member.second);
    return text == nullptr || !text->empty();
  };
  if (std::ranges::none_of(entry.change, says_something)) return;
  w.Open("change");
  for (const auto& [key, value] : entry.change) {
    if (!IsKey(key)) w.Fault();
    if (const auto* number = std::get_if<int64_t>(&value)) {
      w.Number(key, *number);
    } else {
      w.Text(key, std::get<std::string>(value));
    }
  }
  w.Close();
}

// An object of up to three texts, in the order of their keys; left out when all are empty.
struct TextMember {
  std::string_view key, value;
};
void PutTexts(std::string_view name, std::initializer_list<TextMember> members, MemberWriter& w) {
  const auto empty = [](const TextMember& member) { return member.value.empty(); };
  if (std::ranges::all_of(members, empty)) return;
  w.Open(name);
  for (const TextMember& member : members) w.Text(member.key, member.value);
  w.Close();
}

void PutToken(const Entry& entry, MemberWriter& w) {
  if (entry.token_fp.empty() && entry.token_uti.empty() && entry.token_exp == 0) return;
  w.Open("token");
  if (entry.token_exp != 0) w.Number("exp", entry.token_exp);
  w.Text("fp", entry.token_fp);
  w.Text("uti", entry.token_uti);
  w.Close();
}

void PutUpstream(const Entry& entry, MemberWriter& w) {
  if (entry.upstream_host.empty() && entry.upstream_status == 0) return;
  w.Open("upstream");
  w.Text("host", entry.upstream_host);
  w.Number("ms", entry.upstream_ms);
  if (entry.upstream_status != 0) w.Number("status", entry.upstream_status);
  w.Close();
}

// RFC 9562 §5.7: 48 bits of milliseconds, version 7, variant 10, the rest random.
void AppendUuid7(const Place& place, std::string* out) {
  const auto since_epoch = place.time.time_since_epoch();
  const auto ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
  std::array<uint8_t, 16> id{};
  for (size_t i = 0; i < 6; ++i) id[i] = static_cast<uint8_t>(ms >> (40 - 8 * i));
  std::ranges::copy(place.id_random, id.begin() + 6);
  id[6] = static_cast<uint8_t>(0x70 | (id[6] & 0x0f));
  id[8] = static_cast<uint8_t>(0x80 | (id[8] & 0x3f));
  out->push_back('"');
  size_t at = 0;
  for (const size_t group : {4, 2, 2, 2, 6}) {
    if (at != 0) out->push_back('-');
    AppendHex(id.data() + at, group, out);
    at += group;
  }
  out->push_back('"');
}

void PutMembers(const Entry& e, const Place& place, MemberWriter& w) {
  PutTexts("agent", {{"name", e.agent}}, w);
  PutTexts("approval",
           {{"by", e.approval_by}, {"digest", e.approval_digest}, {"id", e.approval_id}}, w);
  w.Text("boot", place.boot);
  if (e.caller) PutCaller(*e.caller, w);
  PutChange(e, w);
  PutTexts("claimed",
           {{"purpose", e.claimed.purpose},
            {"requested_by", e.claimed.requested_by},
            {"task", e.claimed.task}},
           w);
  PutTexts(
      "credential",
      {{"kind", e.credential_kind}, {"name", e.credential_name}, {"version", e.credential_version}},
      w);
  AppendUuid7(place, w.Raw("id"));
  w.Text("log", place.log);
  w.Hex("nonce", place.nonce.data(), place.nonce.size());
  w.Text("outcome", OutcomeName(e.outcome));
  PutTexts("policy", {{"rule", e.policy_rule}, {"sha256", e.policy_sha256}}, w);
  w.Hex("prev", place.prev.data(), place.prev.size());
  w.Text("reason", e.reason);
  PutTexts("request", {{"id", e.request_id}, {"trace", e.trace}}, w);
  w.List("scopes", e.scopes);
  w.Number("seq", static_cast<int64_t>(place.seq));
  PutTexts("target",
           {{"id", e.target_id}, {"kind", e.target_kind}, {"resource", e.target_resource}}, w);
  w.Text("tenant", place.tenant);
  std::string* time = w.Raw("time");
  time->push_back('"');
  AppendTime(place.time, time);
  time->push_back('"');
  PutToken(e, w);
  w.Text("type", EntryTypeName(e.type));
  PutUpstream(e, w);
  PutTexts("user", {{"oid", e.user_oid}}, w);
  w.Number("v", kFormatVersion);
}

}  // namespace

Status AppendLine(const Entry& entry, const Place& place, std::string* out) {
  const size_t start = out->size();
  const auto refuse = [&](const char* why) {
    out->resize(start);
    return Fail(ErrorCode::kInvalidRequest, why);
  };
  if (EntryTypeName(entry.type).empty() || OutcomeName(entry.outcome).empty()) {
    return refuse("unknown type or outcome");
  }
  // Names are compared as they stand in the line when a kill is looked up: nothing to unescape.
  if (entry.agent.find_first_of("\"\\") != std::string::npos) {
    return refuse("agent name with a quote or backslash");
  }
  out->push_back('{');
  MemberWriter members(out);
  PutMembers(entry, place, members);
  out->push_back('}');
  if (!members.ok())
    return refuse(
        "a field with control characters, invalid UTF-8 or a number "
        "beyond 2^53");
  if (out->size() - start >= kMaxLineBytes) return refuse("entry over 16 KiB");
  return {};
}

void AppendTime(std::chrono::system_clock::time_point time, std::string* out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  auto rest = std::chrono::floor<std::chrono::microseconds>(time - day).count();
  std::string_view shape = "0000-00-00T00:00:00.000000Z";
  const size_t start = out->size();
  out->append(shape);
  char* text = out->data() + start;
  const auto put = [text](size_t end, size_t width, int64_t value) {
    for (size_t i = 0; i < width; ++i, value /= 10) {
      text[end - 1 - i] = static_cast<char>('0' + value % 10);
    }
  };
  put(4, 4, static_cast<int>(date.year()));
  put(7, 2, static_cast<unsigned>(date.month()));
  put(10, 2, static_cast<unsigned>(date.day()));
  put(26, 6, rest % 1'000'000);
  rest /= 1'000'000;
  put(13, 2, rest / 3600);
  put(16, 2, rest / 60 % 60);
  put(19, 2, rest % 60);
}

}  // namespace broker::ledger
