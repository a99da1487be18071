"""What was written since a moment, wherever the processes of a test may have put it."""
import os
import pathlib
import stat
import tempfile

TEMPORARY = ["/tmp", "/var/tmp", "/dev/shm"]
CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")


def core_folder(working_folder):
    """Where the kernel puts the core file of a process of this working folder; None where it hands
    it to a program instead."""
    pattern = CORE_PATTERN.read_text().strip()
    if pattern.startswith("|"):
        return None
    return os.path.dirname(os.path.join(working_folder, pattern))


class NewFiles:
    """Regular files written since this was made, below the folders for temporary files.

    A machine that runs other things at the same time has new files of theirs, too. They are looked
    at like all others (canaries are random, so that none can be a false find), except below folders
    that stood there before and belong to none of `own_users`: in those the users of a test's
    processes may not write, and there may be a million files.
    """

    def __init__(self):
        with tempfile.NamedTemporaryFile() as stamp:  # the clock of the file system, not of the process
            self.since = os.stat(stamp.name).st_mtime_ns
        self.before = {(entry.path, entry.inode()) for root in TEMPORARY
                       for entry in self._entries(root)}

    def paths(self, own_users, besides=()):
        """Of these and of what lies below the folders `besides`."""
        found = set()
        for root in [*TEMPORARY, *besides]:
            for entry in self._entries(root):
                if self._is_foreign(entry, own_users):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found |= {os.path.join(folder, name) for folder, _, names in os.walk(entry.path)
                              for name in names}
                else:
                    found.add(entry.path)
        return sorted(path for path in found if self._is_new(path))

    @staticmethod
    def _entries(root):
        try:
            with os.scandir(root) as entries:
                return list(entries)
        except OSError:
            return []  # no such folder on this machine

    def _is_foreign(self, entry, own_users):
        try:
            return (entry.path, entry.inode()) in self.before and \
                entry.is_dir(follow_symlinks=False) and entry.stat().st_uid not in own_users
        except OSError:
            return True  # gone meanwhile

    def _is_new(self, path):
        try:
            facts = os.lstat(path)
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and facts.st_mtime_ns >= self.since
