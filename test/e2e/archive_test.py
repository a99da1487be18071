#!/usr/bin/env python3
"""`purser ledger archive`: old segments move, the ledger goes on, and verifies with and without."""
import json
import pathlib
import unittest

import harness
from harness import CLIENT_SECRET, HELPDESK, DevTenant, Purser

DONE, REFUSED, USAGE, TAMPERED = 0, 1, 2, 3


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra))
        self.folder = pathlib.Path(self.purser.config["paths"]["state"], "ledger")
        self.assertEqual(self.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET).returncode,
                         DONE)
        self.assertEqual(self.purser.token(HELPDESK, ["User.Read.All"]).status, 200)
        for day in ("2026-01-01", "2026-01-02"):
            self.purser.stop()
            harness.age_ledger(self.folder, day)
            self.purser.start_ready()
        self.old = [f.name for f in sorted(self.folder.glob("2026-01-*.jsonl"))]
        self.assertEqual(len(self.old), 2)

    def archive(self, *options, **as_whom):
        return self.purser.cli("ledger", "archive", *options, **as_whom)

    def verify(self, *options):
        done = self.purser.cli("audit", *options, "verify")
        return done.returncode, done.stdout + done.stderr

    def names(self, folder):
        return [file.name for file in sorted(folder.glob("*.jsonl"))]

    def test_old_segments_move_and_everything_goes_on(self):
        planned = self.archive("--keep", "90d", "--dry-run")
        self.assertEqual(planned.returncode, DONE, planned.stderr)
        self.assertIn(f"would move 2 segments: {self.old[0]} to {self.old[1]}", planned.stdout)
        self.assertEqual(len(self.names(self.folder)), 3)
        done = self.archive("--keep", "90d")
        self.assertEqual(done.returncode, DONE, done.stderr + self.purser.log())
        self.assertEqual(self.names(self.folder / "archive"), self.old)
        self.assertEqual(len(self.names(self.folder)), 1)
        entries = [entry for entry in self.purser.ledger_lines()
                   if entry["type"] == "ledger.archived"]
        self.assertEqual([(e["outcome"], e["change"].get("file")) for e in entries],
                         [("pending", self.old[0]), ("pending", self.old[1]), ("success", None)])
        self.assertIn("no segment is old enough", self.archive("--keep", "90d").stdout)
        # What is in the archive is verified, shown and searched as long as it is there.
        self.assertEqual(self.verify()[0], DONE)
        self.assertNotIn("note", self.verify()[1])
        shown = self.purser.cli("--json", "audit", "show", "1")
        self.assertEqual(json.loads(shown.stdout)["seq"], 1)
        page = self.purser.request(HELPDESK, "GET", "/v1/audit?after=0")
        self.assertEqual(page.status, 200)
        # Elsewhere, it is verified from there on, or with it.
        elsewhere = self.purser.dir / "elsewhere"
        elsewhere.mkdir()
        for file in (self.folder / "archive").iterdir():
            file.rename(elsewhere / file.name)
        code, text = self.verify()
        self.assertEqual(code, DONE, text)
        self.assertIn("verified from entry", text)
        code, text = self.verify("--archive", str(elsewhere))
        self.assertEqual(code, DONE, text)
        self.assertNotIn("note", text)
        # A start needs none of it, not even without its head file.
        self.purser.stop()
        (self.folder / "head").unlink()
        self.purser.start_ready()
        self.assertEqual(self.purser.token(HELPDESK, ["User.Read.All"]).status, 200)
        self.assertEqual(self.verify()[0], DONE)
        (self.folder / (self.old[-1] + ".end")).unlink()
        self.assertEqual(self.verify()[0], TAMPERED)

    def test_what_is_no_order_moves_nothing(self):
        for options, code in (([], USAGE), (["--keep", "90"], USAGE), (["--keep", "soon"], USAGE),
                              (["--before", "yesterday"], REFUSED),
                              (["--before", "2026-1-1"], REFUSED),
                              (["--before", "2026-02-01", "--keep", "90d"], USAGE),
                              (["--before", "2026-01-01"], DONE)):
            with self.subTest(options):
                self.assertEqual(self.archive(*options).returncode, code)
                self.assertEqual(self.names(self.folder / "archive"), [])
                self.assertEqual(len(self.names(self.folder)), 3)


if __name__ == "__main__":
    harness.main()
