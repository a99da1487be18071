#include "broker/base/log.h"

#include <unistd.h>

#include <algorithm>

namespace broker {
namespace {

// A line stays readable, and nobody fills the disk with one field.
constexpr size_t kMaxValue = 256;

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._:/+,").find(c) != std::string_view::npos;
}

std::string Quote(std::string_view value) {
  if (value.find('@') != std::string_view::npos) return "[withheld]";
  value = value.substr(0, kMaxValue);
  if (!value.empty() && std::ranges::all_of(value, IsPlain)) return std::string(value);
  std::string quoted = "\"";
  for (const char c : value) quoted += (c < ' ' || c == '"' || c == '\\' || c == 0x7f) ? '?' : c;
  return quoted + '"';
}

}  // namespace

std::string FormatLogLine(std::string_view level, std::string_view role, std::string_view event,
                          std::initializer_list<LogField> fields) {
  std::string line;
  line.append("level=").append(level).append(" role=").append(role).append(" event=").append(
      Quote(event));
  for (const LogField& field : fields) {
    line.append(" ").append(field.key()).append("=").append(Quote(field.value()));
  }
  return line;
}

void Log::Write(int priority, std::string_view level, std::string_view event,
                std::initializer_list<LogField> fields) const {
  std::string line = journal_prefix_ ? "<" + std::to_string(priority) + ">" : "";
  line += FormatLogLine(level, role_, event, fields) + '\n';
  // A log that cannot be written must not stop the broker: the ledger is the record that counts.
  [[maybe_unused]] const ssize_t ignored = write(fd_, line.data(), line.size());
}

void Log::Info(std::string_view event, std::initializer_list<LogField> fields) const {
  Write(6, "info", event, fields);
}
void Log::Warn(std::string_view event, std::initializer_list<LogField> fields) const {
  Write(4, "warning", event, fields);
}
void Log::Error(std::string_view event, std::initializer_list<LogField> fields) const {
  Write(3, "error", event, fields);
}

}  // namespace broker
