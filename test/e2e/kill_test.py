#!/usr/bin/env python3
"""A stop is a stop (promise 8): by command, file and signal, under load, over restarts and crashes."""
import concurrent.futures
import os
import pathlib
import signal
import time
import unittest

import enrolled
import harness
from agents import Agent
from harness import HELPDESK, IS_ROOT, OTHER_UID, until
from oauth import new_claims

SCOPE = ["User.Read.All"]
OTHER = "other"


class Killing(enrolled.TenantCase):
    """A purserd for each test: what is stopped stays stopped."""

    def setUp(self):
        def second(config):
            config["agent"][OTHER] = dict(config["agent"][HELPDESK])
        self.purser = self.started(edit=second)

    def assert_killed(self, agent=HELPDESK):
        reply = self.purser.token(agent, SCOPE)
        self.assertEqual((reply.status, reply.json()["reason"]), (403, "killed"), reply)

    def assert_still_killed(self, agent=HELPDESK):
        """While a part restarts the answer may be 503, or none; the next one that decides is a refusal."""
        def decided():
            try:
                reply = self.purser.token(agent, SCOPE)
            except ConnectionError:  # its window died with the request
                return None
            return None if reply.status == 503 else reply
        reply = until(decided)
        self.assertEqual((reply.status, reply.json().get("reason")), (403, "killed"), reply)

    def assert_grants(self, agent=HELPDESK):
        self.granted(self.purser, self.purser.token(agent, SCOPE))

    def done(self, *arguments):
        told = self.purser.cli(*arguments)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        return told.stdout

    def engaged(self):
        return [entry for entry in self.purser.ledger_lines() if entry["type"] == "kill.engaged"]

    def assert_nothing_was_released_after(self, seq, agents):
        later = [entry for entry in self.purser.ledger_lines()[seq:]
                 if entry["type"] == "token.issued" and entry["agent"]["name"] in agents]
        self.assertEqual(later, [])

    def test_one_agent_is_stopped_and_let_go_and_the_ledger_says_by_whom_and_why(self):
        self.assert_grants()
        told = self.done("kill", HELPDESK, "--why", "mails a stranger")
        self.assertIn("alive", told)
        self.assertIn("User.Read.All", told)
        self.assertIn("work until they expire", told)
        self.assert_killed()
        self.assert_grants(OTHER)
        self.assertTrue(self.purser.request(HELPDESK, "GET", "/v1/whoami").json()["killed"])
        self.assertIn(f"purser release {HELPDESK} --why TEXT", self.done("status"))
        self.assertIn(f"{HELPDESK} (stopped)", self.done("agents"))
        self.assertNotIn(f"{OTHER} (stopped)", self.done("agents"))
        def explained(agent):
            return self.done("explain", agent, "--scopes", *SCOPE)
        # It reads the head file, which follows an entry a moment later.
        until(lambda: f"purser release {HELPDESK}" in explained(HELPDESK))
        self.assertNotIn("STOPPED", explained(OTHER))
        self.assertIn('why="mails a stranger"', self.done("audit", "search", "--type", "kill.engaged"))
        entry = self.engaged()[0]
        self.assertEqual(entry["agent"]["name"], HELPDESK)
        self.assertEqual(entry["change"]["why"], "mails a stranger")
        self.assertEqual(entry["caller"]["uid"], os.geteuid())
        self.assert_nothing_was_released_after(entry["seq"], [HELPDESK])
        self.done("release", HELPDESK, "--why", "the prompt was mended")
        self.assert_grants()
        self.assertNotIn("(stopped)", self.done("agents"))
        until(lambda: "STOPPED" not in explained(HELPDESK))
        released = [entry for entry in self.purser.ledger_lines() if entry["type"] == "kill.released"]
        self.assertEqual(released[0]["change"]["why"], "the prompt was mended")
        self.assert_verifies(self.purser)

    def test_a_reason_that_is_too_long_is_cut_and_the_stop_holds(self):
        self.done("kill", HELPDESK, "--why", "ä" * 300)
        self.assert_killed()
        self.assertEqual(self.engaged()[0]["change"]["why"], "ä" * 200)

    def test_under_load_no_release_follows_the_entry_of_the_stop(self):
        loads = [Agent(self.purser, name, SCOPE, mint=mint)
                 for name in (HELPDESK, OTHER) for mint in (False, True)]
        for load in loads:
            self.enterContext(load)
            load.wait_for_success(after=0)
        self.done("kill", "--all")
        for load in loads:
            load.wait_for_line(lambda line: '"killed"' in line)
        seq = self.engaged()[0]["seq"]
        self.assertNotIn("agent", self.engaged()[0])
        self.done("release", "--all", "--why", "test")
        released = [entry["seq"] for entry in self.purser.ledger_lines()
                    if entry["type"] == "kill.released"][0]
        issued = [entry["seq"] for entry in self.purser.ledger_lines()
                  if entry["type"] == "token.issued"]
        self.assertTrue([number for number in issued if number < seq])
        self.assertEqual([number for number in issued if seq < number < released], [])
        for load in loads:  # and then they go on
            load.wait_for_success(after=time.monotonic())

    def test_who_waits_for_entra_is_refused_at_once(self):
        self.addCleanup(self.entra.clear_faults)
        self.entra.fault(delay_ms=8000, count=1)
        def accesses():
            return [entry["type"] for entry in self.purser.ledger_lines()].count("credential.access")
        before, asked = accesses(), self.entra.requests("token")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            waiting = threads.submit(self.purser.token, HELPDESK, SCOPE, claims=new_claims())
            until(lambda: accesses() > before)  # the last thing before Entra is asked
            self.done("kill", HELPDESK)
            self.assertEqual(waiting.result().json().get("reason"), "killed")
            self.assertEqual(self.entra.requests("token"), asked)  # Entra has not answered yet
        denials = [entry for entry in self.purser.ledger_lines()
                   if entry["type"] == "token.denied" and entry["reason"] == "killed"]
        self.assertEqual(len(denials), 1)

    def test_it_survives_a_restart_a_crash_of_each_role_and_a_reload(self):
        self.done("kill", "--all")
        for role in ("purser-broker", "purser-ledger", "purser-window"):
            for pid in self.purser.roles().get(role, []):
                os.kill(pid, signal.SIGKILL)
            self.assert_still_killed()
        self.done("reload")
        self.assert_still_killed()
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.purser.stop(how)
            self.purser.start()
            self.assert_still_killed()
            self.assert_still_killed(OTHER)
        self.assertIn("all agents", self.done("status"))
        self.done("release", "--all", "--why", "test")
        self.assert_grants()

    def test_after_a_restart_it_lists_the_tokens_from_before(self):
        self.assert_grants()
        issued = [entry for entry in self.purser.ledger_lines() if entry["type"] == "token.issued"][-1]
        self.purser.stop(signal.SIGKILL)
        self.purser.start()
        def listed():
            told = self.done("kill", HELPDESK)
            return told if "not all" not in told else None
        told = until(listed)
        self.assertIn(f" {issued['seq']} ", told)
        self.assertIn("User.Read.All *", told)
        self.assertNotIn("User.Read.All", self.done("kill", OTHER))

    def test_a_file_stops_all_for_as_long_as_it_is_there_and_no_release_helps(self):
        file = pathlib.Path(self.purser.config["paths"]["state"], "stop")
        file.touch()
        until(lambda: self.purser.token(HELPDESK, SCOPE).json().get("reason") == "killed")
        until(lambda: self.engaged())
        self.assertEqual(self.engaged()[0]["change"]["by"], "file")
        self.assert_nothing_was_released_after(self.engaged()[0]["seq"], [HELPDESK, OTHER])
        refused = self.purser.cli("release", "--all", "--why", "test")
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("remove it first", refused.stderr)
        self.assertIn("remove it, then: purser release --all --why TEXT", self.done("status"))
        for pid in self.purser.roles()["purser-broker"]:
            os.kill(pid, signal.SIGKILL)
        until(lambda: self.purser.cli("ready").returncode == 0)
        refused = self.purser.cli("release", "--all", "--why", "test")
        self.assertEqual(refused.returncode, 1, refused)
        self.purser.stop()
        self.purser.start()  # it is there from the beginning
        self.assert_still_killed()
        file.unlink()
        until(lambda: self.purser.cli("release", "--all", "--why", "test").returncode == 0)
        self.assert_grants()

    def test_a_signal_stops_all(self):
        self.assert_grants()
        self.purser.program.process.send_signal(signal.SIGUSR1)
        until(lambda: self.purser.token(HELPDESK, SCOPE).json().get("reason") == "killed")
        until(lambda: self.engaged())
        self.assertEqual(self.engaged()[0]["change"]["by"], "signal")
        self.done("release", "--all", "--why", "test")
        self.assert_grants()

    def test_the_ledger_refuses_a_release_even_if_the_broker_does_not_know(self):
        self.assert_grants()
        broker = self.purser.roles()["purser-broker"][0]
        os.kill(broker, signal.SIGSTOP)
        try:
            self.purser.program.process.send_signal(signal.SIGUSR1)
            until(lambda: self.engaged())
        finally:
            os.kill(broker, signal.SIGCONT)
        self.assert_killed()
        self.assert_nothing_was_released_after(self.engaged()[0]["seq"], [HELPDESK, OTHER])

    def test_what_is_no_order_stops_nobody(self):
        rows = [
            ("nobody named", ["kill"], 2),
            ("one and all", ["kill", HELPDESK, "--all"], 2),
            ("an agent that is not there", ["kill", "helpdisk"], 1),
            ("a release without a reason", ["release", "--all"], 2),
            ("a release of who is not stopped", ["release", HELPDESK, "--why", "x"], 1),
            ("a reason that moves the cursor", ["kill", HELPDESK, "--why", "a\x1b[2Jb"], 1),
        ]
        for about, arguments, status in rows:
            with self.subTest(about):
                told = self.purser.cli(*arguments)
                self.assertEqual(told.returncode, status, told.stdout + told.stderr)
        self.assertIn("helpdesk", self.purser.cli("kill", "helpdisk").stderr)
        self.assertEqual(self.engaged(), [])
        self.assert_grants()

    @unittest.skipUnless(IS_ROOT, "needs a user who is no operator")
    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_where_two_persons_are_wanted_one_alone_releases_nobody(self):
        operators = 61005

        def two(config):
            config["admin"] = {"operators": [f"group:{operators}"], "two_person_release": True}
        self.purser.edit = two
        self.purser.write_config()
        self.done("reload")
        self.done("kill", HELPDESK)
        release = ("release", HELPDESK, "--why", "looked at")
        for said in ("another operator confirms it", "You proposed it"):
            alone = self.purser.cli(*release)
            self.assertEqual(alone.returncode, 1, alone)
            self.assertIn(said, alone.stdout + alone.stderr)
            self.assert_killed()
        other = self.purser.cli(*release, uid=OTHER_UID, gid=operators)
        self.assertEqual(other.returncode, 0, other)
        self.assert_grants()
        released = [entry for entry in self.purser.ledger_lines() if entry["type"] == "kill.released"]
        self.assertEqual(released[0]["caller"]["uid"], OTHER_UID)
        self.assertIn("proposed_by", released[0]["change"])

    def test_an_agent_stops_and_releases_nobody(self):
        self.done("kill", HELPDESK)
        for arguments in (["kill", "--all"], ["release", HELPDESK, "--why", "let me"]):
            told = self.purser.cli(*arguments, uid=OTHER_UID)
            self.assertNotEqual(told.returncode, 0, told)
        self.assert_killed()
        self.assertEqual(len(self.engaged()), 1)


if __name__ == "__main__":
    harness.main()
