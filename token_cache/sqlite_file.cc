#include "token_cache/sqlite_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace token_cache {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;

// A log of 1 MiB: a restart reads it whole, and most commits are below 10 pages of 4 KiB.
constexpr int kMaxLogPages = 256;
constexpr const char* kSettings =
    "PRAGMA locking_mode = EXCLUSIVE;"  // before the first read: the log's index stays in memory
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA trusted_schema = OFF;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA secure_delete = ON;";
constexpr const char* kSchema =
    "CREATE TABLE header (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE state (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE bucket (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE secret (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE marker (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL);";
constexpr std::array<const char*, 5> kTableNames = {"header", "state", "bucket", "secret",
                                                    "marker"};

std::unexpected<broker::Error> FailSql(int code, std::string_view what) {
  const int primary = code & 0xff;
  const bool damaged = primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ||
                       primary == SQLITE_FORMAT || primary == SQLITE_ERROR ||
                       primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH;
  std::string detail = "store database: " + std::string(what) + ": ";
  detail += primary == SQLITE_BUSY ? "another process uses it" : sqlite3_errstr(code);
  return Fail(damaged ? ErrorCode::kCorrupt : ErrorCode::kUnavailable, std::move(detail));
}

Status CheckFile(const std::string& path) {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) return Fail(ErrorCode::kNotFound, path + ": no such file");
    return Fail(ErrorCode::kUnavailable, path + ": cannot be examined");
  }
  if (!S_ISREG(facts.st_mode)) return Fail(ErrorCode::kDenied, path + ": not a regular file");
  if ((facts.st_mode & 077) != 0)
    return Fail(ErrorCode::kDenied, path + ": others can read the store; run: chmod 0600 " + path);
  return {};
}

bool SyncPath(const std::string& path, int flags) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

int Bind(sqlite3_stmt* statement, int index, std::string_view bytes) {
  return sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

std::string Column(sqlite3_stmt* statement) {
  const void* const at = sqlite3_column_blob(statement, 0);
  if (at == nullptr) return {};
  return {static_cast<const char*>(at), static_cast<size_t>(sqlite3_column_bytes(statement, 0))};
}

/// A statement must be reset before the next use, and its borrowed bindings dropped.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

Status SqliteFile::Create(const std::string& path, const std::vector<Row>& rows) {
  struct stat facts{};
  if (lstat(path.c_str(), &facts) == 0)
    return Fail(ErrorCode::kConflict, path + ": exists; a store is never overwritten");
  const std::string draft = path + ".new";
  for (const char* suffix : {"", "-wal", "-journal"}) unlink((draft + suffix).c_str());
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return Fail(ErrorCode::kUnavailable, draft + ": cannot be created");
  close(fd);
  {
    SqliteFile file;
    if (const auto connected = file.Connect(draft, /*create=*/true); !connected) return connected;
    if (const auto made = file.Run(kSchema); !made) return made;
    if (const auto prepared = file.Prepare(); !prepared) return prepared;
    if (const auto committed = file.Commit(rows); !committed) return committed;
    if (const auto copied = file.Checkpoint(); !copied) return copied;
  }
  unlink((draft + "-wal").c_str());  // empty after the checkpoint
  // link, unlike rename, never replaces what came to be there meanwhile.
  if (!SyncPath(draft, 0) || link(draft.c_str(), path.c_str()) != 0)
    return Fail(ErrorCode::kUnavailable, path + ": cannot be created");
  unlink(draft.c_str());
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (!SyncPath(folder, O_DIRECTORY)) return Fail(ErrorCode::kUnavailable, path + ": sync failed");
  return {};
}

Result<std::unique_ptr<SqliteFile>> SqliteFile::Open(const std::string& path) {
  if (const auto sound = CheckFile(path); !sound) return std::unexpected(sound.error());
  std::unique_ptr<SqliteFile> file(new SqliteFile);
  if (const auto connected = file->Connect(path, /*create=*/false); !connected)
    return std::unexpected(connected.error());
  if (const auto prepared = file->Prepare(); !prepared) return std::unexpected(prepared.error());
  if (const auto warm = file->WriteOnce(); !warm) return std::unexpected(warm.error());
  return file;
}

Status SqliteFile::Connect(const std::string& path, bool create) {
  const int opened =
      sqlite3_open_v2(path.c_str(), &db_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (opened != SQLITE_OK) return FailSql(opened, "open");
  int keep = 1;
  sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &keep);
  // A doctored schema must not run anything.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  if (const auto set = Run(kSettings); !set) return set;
  // Takes the place of SQLite's own checkpointing, which swallows its errors.
  sqlite3_wal_hook(db_, &SqliteFile::OnCommit, this);
  if (create) return Run("PRAGMA journal_mode = WAL");

  sqlite3_stmt* mode = nullptr;
  const int prepared = sqlite3_prepare_v2(db_, "PRAGMA journal_mode", -1, &mode, nullptr);
  const int stepped = prepared == SQLITE_OK ? sqlite3_step(mode) : prepared;
  const std::string found = stepped == SQLITE_ROW ? Column(mode) : "";
  sqlite3_finalize(mode);
  if (stepped != SQLITE_ROW) return FailSql(stepped, "journal mode");
  if (found != "wal") return Fail(ErrorCode::kCorrupt, "store database: not in write-ahead mode");
  return {};
}

// The first sync of a log opens its folder by path, which the filter will forbid: let it happen
// now. Writing back what is there would not do, SQLite skips that; so the file counts its openings.
Status SqliteFile::WriteOnce() {
  sqlite3_stmt* count = nullptr;
  const int prepared = sqlite3_prepare_v2(db_, "PRAGMA user_version", -1, &count, nullptr);
  const int stepped = prepared == SQLITE_OK ? sqlite3_step(count) : prepared;
  const int opened = stepped == SQLITE_ROW ? sqlite3_column_int(count, 0) : 0;
  sqlite3_finalize(count);
  if (stepped != SQLITE_ROW) return FailSql(stepped, "count of openings");
  const unsigned next = (static_cast<unsigned>(opened) + 1) & 0x7fffffff;
  return Run(("PRAGMA user_version = " + std::to_string(next)).c_str());
}

Status SqliteFile::Prepare() {
  for (size_t i = 0; i < kTables; ++i) {
    const std::string name = kTableNames[i];
    const std::string read = "SELECT value FROM " + name + " WHERE key = ?1";
    const std::string write = "INSERT INTO " + name +
                              " (key, value) VALUES (?1, ?2)"
                              " ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    for (const auto& [sql, at] : {std::pair(&read, &reads_[i]), std::pair(&write, &writes_[i])}) {
      const int code =
          sqlite3_prepare_v3(db_, sql->c_str(), -1, SQLITE_PREPARE_PERSISTENT, at, nullptr);
      if (code != SQLITE_OK) return FailSql(code, name);
    }
  }
  return {};
}

SqliteFile::~SqliteFile() {
  for (sqlite3_stmt* statement : reads_) sqlite3_finalize(statement);
  for (sqlite3_stmt* statement : writes_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

Status SqliteFile::Run(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return FailSql(code, "exec");
  return {};
}

Result<std::optional<std::string>> SqliteFile::Read(Table table, std::string_view key) {
  sqlite3_stmt* const statement = reads_.at(static_cast<size_t>(table));
  const Use use(statement);
  int code = Bind(statement, 1, key);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return FailSql(code, "read");
  return Column(statement);
}

Result<std::vector<std::string>> SqliteFile::Keys(Table table) {
  const std::string sql =
      std::string("SELECT key FROM ") + kTableNames.at(static_cast<size_t>(table));
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr);
  std::vector<std::string> keys;
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) keys.push_back(Column(statement));
  }
  sqlite3_finalize(statement);
  if (code != SQLITE_DONE) return FailSql(code, "list");
  return keys;
}

Status SqliteFile::Write(const Row& row) {
  sqlite3_stmt* const statement = writes_.at(static_cast<size_t>(row.table));
  const Use use(statement);
  int code = Bind(statement, 1, row.key);
  if (code == SQLITE_OK) code = Bind(statement, 2, row.value);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  if (code != SQLITE_DONE) return FailSql(code, "write");
  return {};
}

Status SqliteFile::Commit(const std::vector<Row>& rows) {
  if (latched_)
    return Fail(ErrorCode::kUnavailable, "store database: a sync has failed; restart the broker");
  Status done = Run("BEGIN IMMEDIATE");
  for (const Row& row : rows) {
    if (done) done = Write(row);
  }
  if (done) done = Run("COMMIT");
  if (done) {
    if (log_pages_ > kMaxLogPages) {
      const int code =
          sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
      latched_ = code != SQLITE_OK;  // the commit stands; the next one is refused
    }
    return done;
  }
  const int why = sqlite3_extended_errcode(db_);
  latched_ = why == SQLITE_IOERR_FSYNC || why == SQLITE_IOERR_DIR_FSYNC;
  if (sqlite3_get_autocommit(db_) == 0 && !Run("ROLLBACK")) latched_ = true;
  return done;
}

int SqliteFile::OnCommit(void* self, sqlite3* /*db*/, const char* /*name*/, int pages) {
  static_cast<SqliteFile*>(self)->log_pages_ = pages;
  return SQLITE_OK;
}

Status SqliteFile::Checkpoint() {
  const int code =
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return FailSql(code, "checkpoint");
  return {};
}

}  // namespace token_cache
