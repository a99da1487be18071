#include "broker/policy/diff.h"

#include <algorithm>

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::With;

namespace {

bool Mentions(const std::vector<std::string>& lines, const std::string& text) {
  return std::ranges::any_of(
      lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("Every way in which rights change shows, in the right direction") {
  const std::string base(fixture::kBase);
  const std::string second =
      "[credential.cal]\nkind = \"certificate\"\nclient_id = "
      "\"11111111-2222-3333-4444-666666666666\"\nscopes = [\"Calendars.Read\"]\n"
      "[[agent.helpdesk.allow]]\nname = \"cal\"\nscopes = [\"Calendars.Read\"]\ncredential = "
      "\"cal\"\n";
  // clang-format off
  struct Row { std::string why, after, gained, lost; };
  const Row rows[] = {
      {"a rule more",             With("", second),                                                    "may have Calendars.Read from cal", ""},
      {"an agent more",           With("", "[agent.billing]\nuser = \"billing\"\n"),                   "agent billing is whoever has user billing [2002]", ""},
      {"another user",            With("\"helpdesk\"\n", "\"billing\"\n"),                             "user billing [2002]", "user helpdesk [2001]"},
      {"a selector more",         With("user = \"helpdesk\"", "user = \"helpdesk\"\nsystemd_unit = \"h.service\""), "systemd_unit h.service", "user helpdesk [2001]"},
      {"a larger allowance",      With("user = \"helpdesk\"", "user = \"helpdesk\"\nlimit = \"none\""), "may have tokens without limit", "at most 3600/hour"},
      {"less for each task",      With("user = \"helpdesk\"", "user = \"helpdesk\"\nper_task = \"20/hour\""), "3600/hour, 20/hour for each task", "3600/hour"},
      {"fewer at a time",         With("user = \"helpdesk\"", "user = \"helpdesk\"\nconcurrent = 3"), "3600/hour, 3 alive at a time", "3600/hour"},
      {"another registration",    With("11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"), "client 99999999", "client 11111111"},
      {"another user's mail",     With("66666666", "77777777"),                                        "user 77777777", "user 66666666"},
      {"an auditor more",         With("[agent.helpdesk]", "auditors = [\"group:security\"]\n[agent.helpdesk]"), "group:security [3003] may act as auditor", ""},
      {"something forbidden",     With("[admin]", "[policy]\nnever = [\"Mail.Send\"]\n[admin]"),       "", "rules may grant Mail.Send"},
      {"less separation",         With("[admin]", "[hardening]\nminimum = \"weak\"\n[admin]"),         "weak separation", ""},
      {"another tenant",          With("contoso", "fabrikam"),                                         "tenant fabrikam", "tenant contoso"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const RightsDiff diff = CompareRights(fixture::Valid(base), fixture::Valid(row.after));
    CHECK(diff.gained.empty() == row.gained.empty());
    CHECK(diff.lost.empty() == row.lost.empty());
    if (!row.gained.empty()) CHECK(Mentions(diff.gained, row.gained));
    if (!row.lost.empty()) CHECK(Mentions(diff.lost, row.lost));
    const RightsDiff back = CompareRights(fixture::Valid(row.after), fixture::Valid(base));
    CHECK(back.gained == diff.lost);
    CHECK(back.lost == diff.gained);
  }
}

TEST_CASE("Comments, names of files and the order of rules change no rights") {
  const Config base = fixture::Valid(std::string(fixture::kBase));
  const Config commented = fixture::Valid(With("", "# a comment\n"));
  CHECK(base.sha256 != commented.sha256);
  const RightsDiff diff = CompareRights(base, commented);
  CHECK(diff.gained.empty());
  CHECK(diff.lost.empty());
}
