#!/usr/bin/env python3
"""deploy/quickstart runs, shows what it promises, and leaves nothing running."""
import pathlib
import re
import subprocess
import unittest

import harness


@unittest.skipUnless(harness.IS_ROOT, "needs root, for processes as users of their own")
class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run([harness.ROOT / "deploy" / "quickstart", "--build",
                               harness.BIN.parent], text=True, capture_output=True)
        cls.status, cls.output = done.returncode, done.stdout + done.stderr

    def test_it_ends_well(self):
        self.assertEqual(self.status, 0, self.output)

    def shows(self, *patterns):
        """The patterns occur in this order."""
        at = 0
        for pattern in patterns:
            found = re.compile(pattern, re.M).search(self.output, at)
            self.assertIsNotNone(found, f"{pattern!r} is missing after {at} in:\n{self.output}")
            at = found.end()

    def test_the_allowed_token_is_issued_and_used(self):
        self.shows(r"^asked for Mail\.Read: 200$", r'"scope": "Mail\.Read"', r"/v1\.0/me/messages",
                   r"Printer on floor 3")

    def test_the_other_token_is_refused_with_its_reason(self):
        self.shows(r"^asked for Mail\.Send: 403$", r'"reason": "no_rule"', r"^\$ purser explain")

    def test_the_registration_consented_to_too_much_is_refused_with_advice(self):
        self.shows(r"purser login aid-everything", r"Files\.ReadWrite\.All",
                   r"^asked for Mail\.Read: 403$", r'"reason": "over_scoped"',
                   r"registration consented to less")

    def test_the_ledger_is_shown_and_the_changed_byte_is_found(self):
        self.shows(r"^\$ purser audit tail", r"token\.issued", r"token\.denied",
                   r"^\$ purser audit verify", r"^exit code 3$")

    def test_nothing_is_left(self):
        self.assertEqual(list(pathlib.Path("/tmp").glob("purser-quickstart.*")), [])
        mine = [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                if b"/tmp/purser-quickstart." in read(path)]
        self.assertEqual(mine, [])


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended meanwhile


if __name__ == "__main__":
    harness.main()
