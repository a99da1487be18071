// token_cache/sqlite_file.h: the SQLite database under the sealed store. It sees ciphertext only.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace token_cache {

/// One file in write-ahead mode, held exclusively. After Open() no system call takes a path: the
/// database and its log are open, the log's index is in memory, there are no temporary files. Only
/// the destructor checkpoints; it keeps the log file.
/// Not thread-safe: the store has one mutex around it.
/// Errors: kCorrupt (not a database, or its structure is damaged) · kUnavailable (anything else).
class SqliteFile {
 public:
  enum class Table { kHeader, kState, kBucket, kSecret, kMarker };
  struct Row {
    Table table;
    std::string key;
    std::string value;
  };

  /// Creates `path` (mode 0600) with `rows` in it, whole or not at all.
  /// Errors also: kConflict (something is at `path`).
  static broker::Status Create(const std::string& path, const std::vector<Row>& rows);
  /// Errors also: kNotFound (no such file: never an empty new one) · kDenied (others may read it).
  static broker::Result<std::unique_ptr<SqliteFile>> Open(const std::string& path);
  ~SqliteFile();
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  broker::Result<std::optional<std::string>> Read(Table table, std::string_view key);
  broker::Result<std::vector<std::string>> Keys(Table table);
  /// Inserts or replaces all rows in one transaction, durable on return. After kUnavailable the
  /// transaction is undone in this process, but a crash that follows may still bring it about.
  broker::Status Commit(const std::vector<Row>& rows);
  /// Copies the log into the database and empties it, so that replaced records do not linger there.
  broker::Status Checkpoint();
  /// A sync has failed: what is on the disk is unknown until the file is opened again, and every
  /// Commit is refused. A failed sync is never tried again: the kernel drops what it could not
  /// write.
  [[nodiscard]] bool latched() const { return latched_; }

 private:
  static constexpr size_t kTables = 5;
  SqliteFile() = default;
  broker::Status Connect(const std::string& path, bool create);
  broker::Status Prepare();
  broker::Status WriteOnce();
  broker::Status Run(const char* sql);
  broker::Status Write(const Row& row);
  static int OnCommit(void* self, sqlite3*, const char*, int pages);

  sqlite3* db_ = nullptr;
  std::array<sqlite3_stmt*, kTables> reads_{};
  std::array<sqlite3_stmt*, kTables> writes_{};
  int log_pages_ = 0;
  bool latched_ = false;
};

}  // namespace token_cache
