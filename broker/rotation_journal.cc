#include "broker/rotation_journal.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"

namespace broker {
namespace {

using nlohmann::json;
using Journal = RotationJournal;

constexpr std::array<std::pair<RotationStep, std::string_view>, 6> kSteps = {{
    {RotationStep::kIdle, "idle"},
    {RotationStep::kAdding, "adding"},
    {RotationStep::kProving, "proving"},
    {RotationStep::kSwitching, "switching"},
    {RotationStep::kGrace, "grace"},
    {RotationStep::kUndoing, "undoing"},
}};
constexpr std::array<std::pair<const char*, std::string Journal::*>, 8> kTexts = {{
    {"object_id", &Journal::object_id},
    {"old_key", &Journal::old_key},
    {"new_key", &Journal::new_key},
    {"label", &Journal::label},
    {"old_version", &Journal::old_version},
    {"new_version", &Journal::new_version},
    {"request_id", &Journal::request_id},
    {"failure", &Journal::failure},
}};
constexpr std::array<std::pair<const char*, int64_t Journal::*>, 6> kNumbers = {{
    {"since", &Journal::since},
    {"started", &Journal::started},
    {"grace", &Journal::grace},
    {"remove_after", &Journal::remove_after},
    {"rotated", &Journal::rotated},
    {"jitter", &Journal::jitter},
}};

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("rotation journal: ") + what);
}

}  // namespace

std::string_view RotationStepName(RotationStep step) {
  return std::ranges::find(kSteps, step, &std::pair<RotationStep, std::string_view>::first)->second;
}

int64_t NewJitter(Random& random) {
  std::array<std::byte, 2> bytes{};
  random.Fill(bytes);
  return (std::to_integer<int64_t>(bytes[0]) << 8 | std::to_integer<int64_t>(bytes[1])) % 1000;
}

std::string KeyPlace(const std::string& vault, const std::string& name) {
  return vault + "/" + name;
}

std::string ActiveVersion(const Journal& journal, const std::string& place) {
  if (journal.place != place) return {};
  const bool switched = journal.step == RotationStep::kIdle || journal.step == RotationStep::kGrace;
  return switched ? journal.new_version : journal.old_version;
}

Result<std::string> ActiveVersion(SealedStore& store, const std::string& credential,
                                  const std::string& place) {
  const auto row = store.Get(RotationJournalId(credential));
  if (!row && row.error().code == ErrorCode::kNotFound) return std::string();
  if (!row) return std::unexpected(row.error());
  const auto journal = ParseRotationJournal(row->value);
  if (!journal) return std::unexpected(journal.error());
  return ActiveVersion(*journal, place);
}

SecretId RotationJournalId(const std::string& credential) {
  return {"rotation/" + credential, SecretKind::kInternal};
}

Secret EncodeRotationJournal(const RotationJournal& journal) {
  json head = {{"v", 1}, {"step", RotationStepName(journal.step)}, {"blind", journal.blind}};
  if (!journal.place.empty()) head["place"] = journal.place;
  for (const auto& [name, member] : kTexts) head[name] = journal.*member;
  for (const auto& [name, member] : kNumbers) head[name] = journal.*member;
  Secret row = Secret::CopyOf(head.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
  row.Append(journal.secret);
  return row;
}

Result<RotationJournal> ParseRotationJournal(const Secret& row) {
  const std::string_view text = row.Expose(Exit::kInspectClaims);
  const size_t end = text.find('\n');
  if (end == text.npos) return Bad("no head");
  const auto head = ParseStrictJson(text.substr(0, end));
  if (!head || !head->is_object() || head->value("v", json()) != json(1)) return Bad("head");
  Journal journal;
  const json step = head->value("step", json());
  const auto found = std::ranges::find_if(
      kSteps, [&](const auto& one) { return step == json(std::string(one.second)); });
  if (found == kSteps.end()) return Bad("step");
  journal.step = found->first;
  const json blind = head->value("blind", json());
  if (!blind.is_boolean()) return Bad("blind");
  journal.blind = blind.get<bool>();
  const json place = head->value("place", json(""));
  if (!place.is_string()) return Bad("place");
  journal.place = place.get<std::string>();
  for (const auto& [name, member] : kTexts) {
    const json value = head->value(name, json());
    if (!value.is_string()) return Bad(name);
    journal.*member = value.get<std::string>();
  }
  for (const auto& [name, member] : kNumbers) {
    const json value = head->value(name, json());
    if (!value.is_number_integer()) return Bad(name);
    journal.*member = value.get<int64_t>();
  }
  journal.secret = Secret::CopyOf(text.substr(end + 1));
  return journal;
}

}  // namespace broker
