// broker/base/log.h: the operational log. One line an event, `key=value`, for journald or stderr.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace broker {

/// One `key=value`. Numbers and short technical strings only (names from the configuration, reason
/// codes, host names, object ids). Promise 10: nothing personal belongs here; as a second line of
/// defence a value that looks like an address (holds '@') is printed as `[withheld]`.
class LogField {
 public:
  LogField(std::string_view key, std::string_view value) : key_(key), value_(value) {}
  LogField(std::string_view key, const char* value) : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value)
      : LogField(key, std::string_view(value)) {}
  template <class Int>
    requires std::is_integral_v<Int>
  LogField(std::string_view key, Int value) : key_(key), value_(std::to_string(value)) {}

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const { return value_; }

 private:
  std::string_view key_;
  std::string value_;
};

/// Writes to one descriptor, a line per call with one write(2). Thread-safe.
class Log {
 public:
  /// `role` names the process in every line. Borrows `fd`. Under journald (the environment named
  /// JOURNAL_STREAM when the supervisor started) lines carry the `<N>` priority prefix.
  Log(int fd, std::string_view role, bool journal_prefix)
      : fd_(fd), role_(role), journal_prefix_(journal_prefix) {}

  void Info(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void Warn(std::string_view event, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view event, std::initializer_list<LogField> fields = {}) const;

 private:
  void Write(int priority, std::string_view level, std::string_view event,
             std::initializer_list<LogField> fields) const;
  int fd_;
  std::string role_;
  bool journal_prefix_;
};

/// The text of one line without its final newline; pure, for the test.
std::string FormatLogLine(std::string_view level, std::string_view role, std::string_view event,
                          std::initializer_list<LogField> fields);

}  // namespace broker
