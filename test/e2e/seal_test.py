#!/usr/bin/env python3
"""The key-encryption key changes under load, and a broker that dies meanwhile comes back unsealed."""
import os
import pathlib
import signal
import time

import enrolled
import harness
from agents import Agent
from harness import BIN, HELPDESK, Program, until
from sealed import WithPassphrase, WithSystemdCredential, new_key

FIRST, SECOND = "correct horse battery staple", "four more words than before"


class Seal(enrolled.TenantCase):
    def kill_broker(self, purser):
        for pid in purser.roles().get("purser-broker", []):
            os.kill(pid, signal.SIGKILL)

    def rotate_under_load(self, purser, stdin=None):
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            for _ in range(3):
                done = purser.cli("seal", "rotate", stdin=stdin)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            agent.wait_for_success(time.monotonic())
            self.assertEqual(agent.stop(), 0)
        self.assertEqual({answer["status"] for answer in agent.answers()}, {200})

    def works(self, purser):
        self.granted(purser, purser.token(HELPDESK, ["Mail.Read"]))

    def test_doctor_says_of_a_passphrase_whether_it_was_typed(self):
        purser = self.enterContext(WithPassphrase(self.entra, FIRST))
        sealed = purser.cli("doctor").stdout
        self.assertRegex(sealed, r"(?s)kind passphrase\) has not opened the store.*purser unseal")
        self.assertEqual(purser.cli("unseal", stdin=FIRST).returncode, 0)
        self.assertIn("([seal] kind passphrase) opened the store", purser.cli("doctor").stdout)

    def test_a_key_file_rotates_without_downtime(self):
        purser = self.started()
        key = pathlib.Path(purser.config["seal"]["path"])
        before = key.read_bytes()
        self.rotate_under_load(purser)
        self.assertNotEqual(key.read_bytes(), before)
        self.assertFalse(key.with_name(key.name + ".next").exists())
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()
        self.works(purser)
        self.assert_verifies(purser)

    def test_after_a_crash_before_the_rename_the_next_key_opens_the_store(self):
        purser = self.started()
        key = pathlib.Path(purser.config["seal"]["path"])
        before = key.read_bytes()
        done = purser.cli("seal", "rotate")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(purser.stop(), 0, purser.log())
        # As if the command had died before its last step.
        following = key.with_name(key.name + ".next")
        key.rename(following)
        key.write_bytes(before)
        key.chmod(0o400)
        os.chown(key, following.stat().st_uid, following.stat().st_gid)
        purser.start()
        self.works(purser)
        purser.program.wait_for_line(lambda line: "put that in its place" in line)
        self.assertIn(".next", purser.cli("status").stdout)
        following.replace(key)
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()
        self.works(purser)
        self.assertNotIn("put that in its place", purser.log())

    def test_a_broker_killed_during_a_rotation_comes_back(self):
        purser = self.started()
        key = pathlib.Path(purser.config["seal"]["path"])
        following = key.with_name(key.name + ".next")
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            for part in range(6):  # a few points of the some tenths of a second that it takes
                rotation = Program([BIN / "purser", "seal", "rotate"],
                                   env=purser.cli_environment())
                deadline = time.monotonic() + 30
                while not following.exists() and rotation.process.poll() is None:
                    self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02 * part)  # the moment to die at, not a wait
                self.kill_broker(purser)
                rotation.process.wait(60)
                rotation.stop()
                agent.wait_for_success(time.monotonic())
                if following.exists():  # the operator looks which of the two opens the store
                    self.assertEqual(purser.stop(), 0, purser.log())
                    purser.start()
                    agent.wait_for_success(time.monotonic())
                    if "put that in its place" in purser.log():
                        following.replace(key)
                    else:
                        following.unlink()
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()
        self.works(purser)
        self.assert_verifies(purser)

    def test_a_passphrase_opens_rotates_and_outlives_the_broker(self):
        purser = self.enterContext(WithPassphrase(self.entra, FIRST))
        self.assertIn("sealed", purser.cli("status").stdout)
        wrong = purser.cli("unseal", stdin="not the passphrase at all")
        self.assertEqual(wrong.returncode, 1, wrong)
        self.assertEqual(purser.cli("unseal", stdin=FIRST).returncode, 0, purser.log())
        enrolled.enrol(purser)
        self.works(purser)
        self.rotate_under_load(purser, stdin=SECOND)
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            self.kill_broker(purser)
            agent.wait_for_success(time.monotonic())  # from the memory that the supervisor kept
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()
        self.refused(purser, purser.token(HELPDESK, ["Mail.Read"]), 503, "sealed")
        self.assertEqual(purser.cli("unseal", stdin=FIRST).returncode, 1)
        self.assertEqual(purser.cli("unseal", stdin=SECOND).returncode, 0, purser.log())
        self.works(purser)

    def test_a_credential_of_systemd_opens_rotates_and_is_read_again(self):
        purser = self.enterContext(WithSystemdCredential(self.entra))
        enrolled.enrol(purser)
        self.works(purser)
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            self.kill_broker(purser)
            agent.wait_for_success(time.monotonic())
        first, second = purser.key, new_key()
        for wrong in ("", "0" * 64, second[:-1]):
            self.assertEqual(purser.cli("seal", "rotate", stdin=wrong).returncode, 1, wrong)
        done = purser.cli("seal", "rotate", stdin=second)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.works(purser)
        self.kill_broker(purser)  # the unit still shows the old one: what was kept opens the store
        until(lambda: purser.cli("ready").returncode == 0)
        self.works(purser)
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()
        self.refused(purser, purser.token(HELPDESK, ["Mail.Read"]), 503, "sealed")
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.replace_credential(second)
        purser.start()
        self.works(purser)
        self.assert_verifies(purser)
        self.assertNotEqual(first, second)

    def test_without_systemd_there_is_no_credential_and_the_advice_says_so(self):
        purser = self.enterContext(WithSystemdCredential(self.entra))
        self.assertEqual(purser.stop(), 0, purser.log())
        del purser.environment["CREDENTIALS_DIRECTORY"]
        with self.assertRaisesRegex(RuntimeError, "LoadCredentialEncrypted=kek"):
            purser.start()
        for path in (purser.dir / "state").rglob("store.db*"):
            path.unlink()
        made = purser.cli("init")
        self.assertEqual(made.returncode, 1, made.stdout)
        self.assertIn("LoadCredentialEncrypted=kek", made.stderr)


if __name__ == "__main__":
    harness.main()
