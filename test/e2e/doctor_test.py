#!/usr/bin/env python3
"""`purser doctor`: what it finds, and what it says to do about it."""
import json
import os
import pathlib
import unittest

import harness
from harness import CLIENT_SECRET, IS_ROOT, OTHER_UID, DevTenant, Purser

DONE, REFUSED = 0, 1


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.entra.settings(device_code_interval_s=1)
        cls.purser = cls.enterClassContext(Purser(cls.entra))
        done = cls.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET)
        assert done.returncode == DONE, done.stdout + done.stderr + cls.purser.log()

    def test_it_finds_what_is_wrong_and_says_what_to_do(self):
        self.assertEqual(self.purser.log_in("broad").returncode, DONE)
        outcome = self.purser.cli("--json", "doctor")
        self.assertEqual(outcome.returncode, REFUSED, outcome.stderr)
        findings = json.loads(outcome.stdout)["findings"]
        for level, what in [("bad", "credential broad is over-consented"),
                            ("bad", "credential web yields no token"),
                            ("good", "credential app yields a token"),
                            ("good", "openid-configuration answers"),
                            ("good", f"{self.purser.dir}/kek"), ("good", "/admin/sock"),
                            ("good", f"{self.purser.config_path} (mode"),
                            ("good", "([seal] kind file) opened the store"),
                            ("good", "the clock agrees with the authority's"),
                            *self.machine()]:
            with self.subTest(what):
                self.assertTrue(any(f["level"] == level and what in f["what"] for f in findings),
                                json.dumps(findings, indent=1))
        self.assertEqual([f["remedy"] for f in findings if "credential mail yields no" in f["what"]],
                         ["purser login mail"])
        for finding in findings:
            self.assertEqual(finding["level"] == "good", not finding["remedy"], finding)
        self.assertIn("→", self.purser.cli("doctor").stdout)

    def machine(self):
        """What doctor has to say of users, kernel and separation, whatever machine this is."""
        strict = self.purser.config.get("hardening", {}).get("minimum", "strict") == "strict"
        if strict:  # it would not have started otherwise
            yield "good", "every role tried to break out of its part and could not"
        else:
            yield "warning", "[hardening] minimum is weak"
            yield "warning", "[hardening] allow_same_uid is on"
        if IS_ROOT:
            for role in ("window", "broker", "ledger", "dialer"):
                yield "good", f"user purser-{role} exists"
        has_landlock = "landlock" in pathlib.Path("/sys/kernel/security/lsm").read_text() \
            if os.path.exists("/sys/kernel/security/lsm") else None
        if has_landlock is not None:
            yield ("good", "kernel has Landlock, ABI") if has_landlock else \
                ("warning", "kernel has no Landlock")

    def test_it_says_how_far_the_clock_is_off(self):
        self.addCleanup(self.entra.settings, clock_shift_s=0)
        self.entra.settings(clock_shift_s=-600)
        shown = self.purser.cli("doctor").stdout
        self.assertRegex(shown, r"(?m)^(bad|warning) +the clock is off by (599|600|601) s$")
        self.assertIn("chrony", shown)
        self.assertNotIn("clock agrees", shown)

    def test_it_and_reload_refuse_a_policy_that_others_can_write(self):
        self.addCleanup(os.chmod, self.purser.config_path, 0o644)
        os.chmod(self.purser.config_path, 0o666)
        findings = json.loads(self.purser.cli("--json", "doctor").stdout)["findings"]
        self.assertIn({"level": "bad", "what": f"{self.purser.config_path} has mode 0666",
                       "remedy": f"chmod 0644 {self.purser.config_path}"}, findings)
        told = self.purser.cli("reload")
        self.assertEqual(told.returncode, REFUSED)
        self.assertIn(f"chmod go-w {self.purser.config_path}", told.stderr)

    @unittest.skipUnless(IS_ROOT, "gives files away")
    def test_it_says_whose_a_file_is_that_it_should_not_be(self):
        key = self.purser.dir / "kek"
        owner = key.stat()
        os.chown(key, OTHER_UID, OTHER_UID)
        self.addCleanup(os.chown, key, owner.st_uid, owner.st_gid)
        findings = json.loads(self.purser.cli("--json", "doctor").stdout)["findings"]
        self.assertTrue(any(f["level"] == "bad" and f"{key} belongs to" in f["what"]
                            and f"chown root: {key}" in f["remedy"] for f in findings),
                        json.dumps(findings, indent=1))


if __name__ == "__main__":
    harness.main()
