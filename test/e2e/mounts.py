"""Small file systems in a mount namespace of the test's own. Root only."""
import ctypes
import os
import pathlib
import subprocess

CLONE_NEWNS, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = \
    0x20000, 1, 32, 4096, 16384, 1 << 18, 2
libc = ctypes.CDLL(None, use_errno=True)


def check(outcome):
    if outcome != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def why_none():
    """Empty from now on this process's mounts are its own; else why they cannot be."""
    if libc.unshare(CLONE_NEWNS) != 0:  # root without CAP_SYS_ADMIN, as in most containers
        return "may not mount: " + os.strerror(ctypes.get_errno())
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    return ""


def mount(target, flags, options=None):
    check(libc.mount(b"tmpfs", str(target).encode(), b"tmpfs", flags,
                     options.encode() if options else None))


def bind(source, target):
    check(libc.mount(str(source).encode(), str(target).encode(), None, MS_BIND, None))


def unmount(target):
    libc.umount2(str(target).encode(), MNT_DETACH)


def give_ledger_a_disk(purser):
    """Moves the ledger of a purserd that is not running to 8 MiB of its own; its folder."""
    folder = pathlib.Path(purser.config["paths"]["state"], "ledger")
    facts = folder.stat()
    begun = purser.dir / "begun"
    subprocess.run(["cp", "-a", folder, begun], check=True)
    mount(folder, 0, f"size=8m,uid={facts.st_uid},gid={facts.st_gid},"
                     f"mode={facts.st_mode & 0o7777:o}")
    subprocess.run(["cp", "-a", f"{begun}/.", folder], check=True)
    return folder
