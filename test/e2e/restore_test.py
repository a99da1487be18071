#!/usr/bin/env python3
"""A store or a ledger from a backup: nothing opens until an operator says that it was them."""
import os
import pathlib
import shutil
import tempfile
import unittest

import enrolled
import harness
from harness import CLIENT_SECRET, HELPDESK, IS_ROOT, OTHER_UID, until

SCOPE = ["User.Read.All"]
AUDITORS = 61009


class Restoring(enrolled.TenantCase):
    def setUp(self):
        def auditors(config):
            config["admin"] = {**config.get("admin", {}), "auditors": [f"group:{AUDITORS}"]}
        self.purser = self.started(edit=auditors)
        self.granted(self.purser, self.purser.token(HELPDESK, SCOPE))
        self.backup = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def folder(self, name):
        return pathlib.Path(self.purser.config["paths"]["state"], name)

    def back_up(self, name):
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        shutil.copytree(self.folder(name), self.backup / name)
        self.purser.start()
        until(lambda: self.purser.cli("ready").returncode == 0)

    def put_back(self, name):
        """With the owners that each file had, as a backup program does."""
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        owner = next(self.folder(name).iterdir()).stat()
        for path in self.folder(name).iterdir():
            (shutil.rmtree if path.is_dir() else os.unlink)(path)
        shutil.copytree(self.backup / name, self.folder(name), dirs_exist_ok=True)
        for back in self.folder(name).rglob("*"):
            os.chown(back, owner.st_uid, owner.st_gid)
        self.purser.start()

    def change_the_store(self):
        done = self.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def assert_closed(self, why):
        until(lambda: why in self.purser.cli("status").stdout)
        reply = self.purser.token(HELPDESK, SCOPE)
        self.assertEqual((reply.status, reply.json().get("reason")), (503, "sealed"), reply)

    def restore(self, *arguments, **options):
        return self.purser.cli("restore", *arguments, **options)

    def assert_opens(self):
        told = self.restore("--accept", "--why", "the disk was replaced")
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr + self.purser.log())
        self.assertIn("all agents", told.stdout)
        reply = self.purser.token(HELPDESK, SCOPE)
        self.assertEqual((reply.status, reply.json().get("reason")), (403, "killed"), reply)
        stop = [entry for entry in self.purser.ledger_lines() if entry["type"] == "kill.engaged"][-1]
        self.assertEqual(stop["change"]["by"], "restore")
        said = [entry for entry in self.purser.ledger_lines()
                if entry["type"] == "admin.action" and "/v1/restore" in entry["target"]["id"]
                and "change" in entry]
        self.assertEqual([(entry["outcome"], entry["change"]["why"]) for entry in said],
                         [("pending", "the disk was replaced"), ("success", "the disk was replaced")])
        self.assertEqual(said[0]["caller"]["uid"], os.geteuid())
        done = self.purser.cli("release", "--all", "--why", "looked at")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_serves_and_verifies()

    def assert_serves_and_verifies(self):
        self.granted(self.purser, self.purser.token(HELPDESK, SCOPE))
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        self.purser.start()  # and it stays open
        until(lambda: self.purser.cli("ready").returncode == 0)
        self.granted(self.purser, self.purser.token(HELPDESK, SCOPE))
        self.assert_verifies(self.purser)

    def test_an_older_store_opens_only_when_it_is_accepted(self):
        self.back_up("store")
        self.change_the_store()
        self.put_back("store")
        self.assert_closed("older copy")
        for arguments in ([], ["--accept"], ["--why", "x"]):
            self.assertEqual(self.restore(*arguments).returncode, 2, arguments)
        refused = self.restore("--accept", "--why", "two\nlines")
        self.assertEqual(refused.returncode, 1, refused)
        self.assert_closed("older copy")
        self.assert_opens()

    def test_an_older_ledger_opens_only_when_it_is_accepted(self):
        self.back_up("ledger")
        self.change_the_store()
        self.put_back("ledger")
        self.assert_closed("store: ")
        self.assertIn("purser restore --accept", self.purser.cli("status").stdout)
        self.assert_opens()

    def test_a_store_that_fits_is_no_matter_for_it(self):
        refused = self.restore("--accept", "--why", "to be sure")
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("nothing to accept", refused.stderr)
        self.granted(self.purser, self.purser.token(HELPDESK, SCOPE))

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_an_auditor_accepts_nothing(self):
        self.back_up("store")
        self.change_the_store()
        self.put_back("store")
        self.assert_closed("older copy")
        refused = self.restore("--accept", "--why", "x", uid=OTHER_UID, gid=AUDITORS)
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("operator", refused.stderr)
        self.assert_closed("older copy")


if __name__ == "__main__":
    harness.main()
