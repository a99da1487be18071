// Stands between SQLite and the system calls that change a file.
#pragma once
#include <signal.h>
#include <sqlite3.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>

/// One process-wide instance, because SQLite's hooks carry no context. Not thread-safe.
struct SqliteCalls {
  size_t changes = 0;  // writes and truncations so far
  size_t bytes = 0;    // written so far
  size_t paths = 0;    // calls that took a path
  size_t kill_at = 0;  // the change, counted from 1, at which this process dies; 0: never
  bool torn = false;   // die in the middle of that write instead of before it

  static SqliteCalls& Instance() {
    static SqliteCalls calls;
    return calls;
  }

  /// From now on every database of this process goes through the hooks.
  static void Install() {
    sqlite3_initialize();
    sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
    const auto set = [vfs](const char* name, auto function) {
      vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(function));
    };
    for (const char* name : {"pwrite", "pwrite64"}) {
      if (vfs->xGetSystemCall(vfs, name) != nullptr) set(name, &Write);
    }
    set("ftruncate", &Truncate);
    set("openDirectory", &OpenFolder);
    set("unlink", &Unlink);
  }

 private:
  void Change(int fd, const void* data, size_t size, off_t at) {
    if (++changes != kill_at) return;
    if (torn && size > 1) {
      [[maybe_unused]] const ssize_t half = pwrite(fd, data, size / 2, at);
    }
    kill(getpid(), SIGKILL);
  }
  static ssize_t Write(int fd, const void* data, size_t size, off_t at) {
    Instance().Change(fd, data, size, at);
    Instance().bytes += size;
    return pwrite(fd, data, size, at);
  }
  static int Truncate(int fd, off_t size) {
    Instance().Change(fd, nullptr, 0, 0);
    return ftruncate(fd, size);
  }
  static int OpenFolder(const char* /*file*/, int* /*fd*/) {
    ++Instance().paths;
    return SQLITE_CANTOPEN;  // SQLite goes on without the folder's sync
  }
  static int Unlink(const char* path) {
    ++Instance().paths;
    return unlink(path);
  }
};
