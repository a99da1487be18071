#!/usr/bin/env python3
"""An instance is torn down: nothing opens what is left of it, the ledger is closed and verifies; over crashes, too."""
import json
import os
import pathlib
import shutil
import signal

import harness
import stopper
from harness import BIN, BROAD, CERT_APP, CLIENT_SECRET, HELPDESK, MAIL_APP, ROBOT, SECRET_APP, until
from programs import Program
from stopper import ADMIN

USERS = ["User.Read.All"]
REFUSED = 1


class TearingDown(stopper.StopperCase):
    def setUp(self):
        super().setUp()
        self.done("secret", "set", "cert", stdin=self.signer.key.read_text() + self.signer.pem)
        self.state = pathlib.Path(self.purser.config["paths"]["state"])
        self.key = pathlib.Path(self.purser.config["seal"]["path"])

    def edit(self, config):
        for name in ("broad", "web"):  # purser never got their secrets, nor can it remove them
            del config["credential"][name]
        del config["agent"][BROAD]
        del config["agent"][ROBOT]["allow"][1]

    def teardown_now(self, code, *options):
        return self.told(code, "teardown", "--why", "project ended", "--yes-destroy", "e2e",
                         *options)

    def ended(self):
        """The exit status of purserd, which ends by itself."""
        return self.purser.program.process.wait(harness.START_SECONDS)

    def does_not_start(self):
        """What purserd says instead."""
        daemon = Program([BIN / "purserd", "--config", self.purser.config_path, "--foreground",
                          "--libexec", BIN], env={"PATH": os.environ["PATH"]}, cwd="/")
        status = daemon.process.wait(harness.START_SECONDS)
        daemon.stop()
        return status, daemon.log()

    def assert_gone(self):
        """Nothing opens what is left, and the ledger is closed and good."""
        self.assertFalse(self.key.exists())
        self.assertEqual([str(one) for one in (self.state / "store").glob("*")], [])
        last = self.purser.ledger_lines()[-1]
        self.assertEqual(last["type"], "instance.torn_down")
        kept = json.loads(self.told(0, "--json", "teardown", "--report"))
        self.assertEqual((kept["phase"], kept["ledger"]["seq"]), ("closed", last["seq"]))
        self.told(0, "audit", "verify", "--head", f"{last['seq']}:{kept['ledger']['leaf']}")
        status, said = self.does_not_start()
        self.assertEqual(status, 1, said)
        self.assertIn("this instance was torn down", said)
        self.assertNotEqual(self.purser.cli("init").returncode, 0)
        return kept

    def test_all_of_it_ends_and_a_copy_of_the_store_stays_shut(self):
        self.granted(self.purser, self.purser.token(HELPDESK, USERS))
        self.a_dry_run_changes_nothing()
        self.who_types_another_name_destroys_nothing()
        copy = self.state.parent / "copy"
        shutil.copytree(self.state / "store", copy)
        out = self.purser.dir / "report.json"
        said = self.teardown_now(0, "--out", str(out))
        for text in (f"remove the client secret of {SECRET_APP}", f"remove the client secret of {ADMIN}",
                     "disable the service principal", "work until they expire",
                     "the key-encryption key", "overwritten and removed", "tried to open",
                     "audit verify --head", "project ended", "torn down"):
            self.assertIn(text, said)
        self.assertNotIn(CLIENT_SECRET, said + out.read_text())
        self.assertEqual(self.ended(), 0, self.purser.log())
        self.assertEqual(json.loads(out.read_text())["torn_down"], True)
        kept = self.assert_gone()
        self.assertEqual(kept["report"], json.loads(out.read_text())["report"])
        for client in (SECRET_APP, ADMIN):
            self.assertEqual(self.entra.registered(client)["passwords"], [])
        for client, enabled in ((SECRET_APP, False), (MAIL_APP, False), (ADMIN, True)):
            self.assertEqual(self.entra.registered(client)["enabled"], enabled)
        self.assertEqual(self.entra.registered(CERT_APP)["keys"], [])
        self.a_copy_put_back_is_opened_by_nobody(copy)

    def a_dry_run_changes_nothing(self):
        entries = len(self.purser.ledger_lines())
        said = self.told(0, "teardown", "--dry-run")
        for text in (str(self.key), SECRET_APP, "close the ledger"):
            self.assertIn(text, said)
        self.granted(self.purser, self.purser.token(HELPDESK, USERS))
        types = {entry["type"] for entry in self.purser.ledger_lines()[entries:]}
        self.assertNotIn("kill.engaged", types)

    def who_types_another_name_destroys_nothing(self):
        for words, stdin in ((("--yes-destroy", "other"), ""), ((), "other\n"), ((), "")):
            self.told(REFUSED, "teardown", "--why", "x", *words, stdin=stdin)
        self.granted(self.purser, self.purser.token(HELPDESK, USERS))
        self.assertTrue(self.key.exists())

    def a_copy_put_back_is_opened_by_nobody(self, copy):
        """As a new instance with a key of its own, for the old one is nowhere."""
        self.purser.stop()
        self.state.rename(self.state.parent / "kept")
        self.told(0, "init")
        shutil.rmtree(self.state / "store")
        shutil.copytree(copy, self.state / "store")
        if harness.IS_ROOT:
            for path in (self.state / "store", *(self.state / "store").iterdir()):
                shutil.chown(path, "purser-broker", "purser-broker")
        self.purser.start()

        def shut():
            told = self.purser.cli("ready")
            said = told.stdout + told.stderr + self.purser.log()
            return told.returncode != 0 and "another key-encryption key" in said
        until(shut)
        self.assertNotEqual(self.purser.token(HELPDESK, USERS).status, 200)

    def test_what_entra_does_not_do_holds_it_up_until_that_is_said(self):
        self.addCleanup(self.entra.clear_faults)
        self.entra.fault(endpoint="graph", status=503)
        said = self.teardown_now(REFUSED)
        for text in ("not torn down", "--even-if-upstream-failed", "at Entra, not done"):
            self.assertIn(text, said)
        self.refused(self.purser, self.purser.token(HELPDESK, USERS), 403, "killed")
        self.assertTrue(self.key.exists())
        self.assertEqual(self.purser.admin("GET", "/v1/status").json()["stopped"]["all"], True)
        self.assertEqual(self.purser.admin("GET", "/v1/teardown").json()["state"], "begun")
        self.told(REFUSED, "release", "--all", "--why", "a mistake")
        self.assertIn("nothing is destroyed yet", self.told(REFUSED, "teardown", "--report"))
        said = self.teardown_now(REFUSED, "--even-if-upstream-failed")  # 1: not all of it ended
        self.assertIn("torn down. purserd ends", said)
        self.assertEqual(self.ended(), 0, self.purser.log())
        self.assert_gone()

    def test_killed_in_the_middle_the_same_command_or_the_next_start_finishes(self):
        self.entra.fault(endpoint="graph", status=503)
        self.teardown_now(REFUSED)
        self.entra.clear_faults()
        self.purser.stop(signal.SIGKILL)
        self.purser.start_ready()
        self.refused(self.purser, self.purser.token(HELPDESK, USERS), 403, "killed")
        self.killed_once_the_keys_are_gone()
        status, said = self.does_not_start()
        self.assertIn(status, (0, 1), said)  # 1: it was over before the signal came
        self.assertIn("this instance was torn down", said)
        kept = self.assert_gone()
        self.assertTrue(all(one["done"] for one in kept["report"]["upstream"]), kept["report"])

    def killed_once_the_keys_are_gone(self):
        command = Program([BIN / "purser", "teardown", "--why", "project ended", "--yes-destroy",
                           "e2e"], env=self.purser.cli_environment())
        until(lambda: not self.key.exists() or None)
        self.purser.stop(signal.SIGKILL)
        command.process.wait(harness.START_SECONDS)
        command.stop()

    def test_a_start_finishes_what_was_cut_short_before_anything_was_destroyed(self):
        """As a power failure leaves it, right after purserd noted that it begins."""
        self.purser.stop(signal.SIGKILL)
        note = self.state / "teardown.json"
        note.write_text("{}")
        self.assertIn("is damaged", self.does_not_start()[1])
        self.assertTrue(self.key.exists())
        note.write_text(json.dumps({"v": 1, "phase": "destroying", "report": {"v": 1}}))
        self.told(REFUSED, "teardown", "--report")
        status, said = self.does_not_start()
        self.assertEqual(status, 0, said)
        kept = self.assert_gone()
        self.assertTrue(all(one["done"] for one in kept["destroyed"]), kept)
        self.assertIn("ENOENT", kept["unreadable"][-1])
        self.assertEqual(self.purser.ledger_lines()[-1]["change"]["by"], "purserd")


if __name__ == "__main__":
    harness.main()
