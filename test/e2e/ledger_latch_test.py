#!/usr/bin/env python3
"""A ledger that cannot write lets nothing out, says why, and resumes when it is mended.

Root only: the ledger lies on small file systems of its own, in a mount namespace of this process.
"""
import os
import signal
import subprocess
import unittest

import enrolled
import harness
import mounts
from harness import HELPDESK, IS_ROOT, Purser, until

@unittest.skipUnless(IS_ROOT, "mounts file systems")
class Latch(enrolled.TenantCase):
    @classmethod
    def setUpClass(cls):
        if reason := mounts.why_none():
            raise unittest.SkipTest(reason)
        super().setUpClass()

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra))  # its first start makes the folder
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        self.folder = mounts.give_ledger_a_disk(self.purser)
        # Before the folder above it is removed, which Purser does at its end.
        self.addCleanup(mounts.unmount, self.folder)
        self.addCleanup(self.purser.stop)
        self.purser.start()
        enrolled.enrol(self.purser)
        self.works()

    def works(self):
        self.granted(self.purser, self.purser.token(HELPDESK, ["User.Read.All"]))

    def assert_latched(self):
        """Cached or not, nothing is released, and the operator reads why and what to do."""
        answer = self.refused(self.purser, self.purser.token(HELPDESK, ["User.Read.All"]), 503,
                              "ledger_unavailable")
        self.assertNotIn("access_token", answer)
        self.refused(self.purser, self.purser.token(HELPDESK, ["Mail.Read"]), 503,
                     "ledger_unavailable")
        status = self.purser.cli("status").stdout
        self.assertIn("latched", status)
        self.assertIn("purser ledger resume", status)
        return status

    def assert_still_latched(self):
        self.assertEqual(self.purser.cli("ledger", "resume").returncode, 1)
        self.assert_latched()

    def kill_the_ledger(self):
        [before] = self.purser.roles()["purser-ledger"]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.purser.roles().get("purser-ledger", [before]) != [before])

    def assert_resumes(self):
        resumed = self.purser.cli("ledger", "resume")
        self.assertEqual(resumed.returncode, 0, resumed.stdout + resumed.stderr)
        self.works()
        self.assertIn("resumed", [entry.get("reason") for entry in self.purser.ledger_lines()])
        self.assert_verifies(self.purser)

    def test_a_full_disk(self):
        filler = self.folder / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        # What was reserved before the disk was full serves a while.
        for _ in range(20_000):
            if self.purser.token(HELPDESK, ["User.Read.All"]).status != 200:
                break
        self.assertIn("ENOSPC", self.assert_latched())
        self.assert_still_latched()
        filler.unlink()
        self.kill_the_ledger()  # mended or not: a crash is no operator
        until(lambda: "ENOSPC" in self.purser.cli("status").stdout)
        self.assert_latched()
        self.assert_resumes()
        self.kill_the_ledger()  # resumed, and known to be
        until(lambda: self.purser.token(HELPDESK, ["User.Read.All"]).status == 200)

    def test_an_operator_who_starts_purser_anew(self):
        segment = max(self.folder.glob("*.jsonl"))
        kept = segment.with_suffix(".kept")
        segment.rename(kept)
        self.assert_latched()
        kept.rename(segment)
        self.kill_the_ledger()
        until(lambda: "latched" in self.purser.cli("status").stdout)
        self.assert_latched()
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        self.purser.start()
        until(lambda: self.purser.cli("ready").returncode == 0)
        self.works()
        self.assert_verifies(self.purser)

    def test_a_read_only_file_system(self):
        # With a file open for writing the kernel allows no remount: it is found at a start.
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        mounts.mount(self.folder, mounts.MS_REMOUNT | mounts.MS_RDONLY)
        self.purser.start()
        self.assertIn("EROFS", self.purser.cli("status").stdout)
        answer = self.purser.token(HELPDESK, ["User.Read.All"])
        self.assertEqual(answer.status, 503, answer)
        self.assertEqual(self.purser.cli("ledger", "resume").returncode, 1)
        mounts.mount(self.folder, mounts.MS_REMOUNT)
        resumed = self.purser.cli("ledger", "resume")
        self.assertEqual(resumed.returncode, 0, resumed.stdout + resumed.stderr)
        until(lambda: self.purser.cli("ready").returncode == 0)  # the key is asked for anew
        self.works()
        self.assert_verifies(self.purser)

    def test_a_segment_that_was_deleted(self):
        self.delete([path.name for path in self.folder.glob("*.jsonl")])

    def test_all_files_deleted(self):
        self.delete([path.name for path in self.folder.iterdir() if path.is_file()])

    def delete(self, names):
        kept = self.purser.dir / "kept"
        kept.mkdir()
        for name in names:
            subprocess.run(["cp", "-a", self.folder / name, kept], check=True)
            (self.folder / name).unlink()
        self.assert_latched()
        self.assert_still_latched()
        subprocess.run(["cp", "-a", f"{kept}/.", self.folder], check=True)
        self.assert_resumes()


if __name__ == "__main__":
    harness.main()
