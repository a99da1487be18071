#!/usr/bin/env python3
"""Limits that survive restarts and crashes, and operators who allow more for a time."""
import json
import os
import signal
import unittest

import harness
from harness import CLIENT_SECRET, HELPDESK, DevTenant, Purser

DONE, REFUSED, USAGE = 0, 1, 2
RULE = "read-users"


def five_a_day(config):
    for rule in config["agent"][HELPDESK]["allow"]:
        if rule["name"] == RULE:
            rule["limit"] = "5/day"


def two_a_task(config):
    config["agent"][HELPDESK].update(per_task="2/day")
    for rule in config["agent"][HELPDESK]["allow"]:
        if rule["name"] == RULE:
            rule["concurrent"] = 1


class Budget(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra, edit=five_a_day))
        self.assertEqual(self.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET).returncode,
                         DONE)

    def ask(self):
        """The answer, once it is a decision."""
        while True:
            answer = self.purser.token(HELPDESK, ["User.Read.All"])
            if answer.status != 503:
                return answer

    def statuses(self, count):
        return [self.ask().status for _ in range(count)]

    def shown(self):
        done = self.purser.cli("--json", "budget", HELPDESK)
        self.assertEqual(done.returncode, DONE, done.stderr)
        limits = json.loads(done.stdout)["limits"]
        return next(limit for limit in limits if limit.get("rule") == RULE)

    def restart(self):
        self.purser.stop()
        self.purser.start_ready()

    def test_a_used_up_budget_says_when_it_refills_and_survives_a_restart(self):
        self.assertEqual(self.statuses(5), [200] * 5)
        refused = self.ask()
        self.assertEqual((refused.status, refused.json()["reason"]), (429, "budget"))
        self.assertTrue(0 < int(refused.headers["Retry-After"]) <= 17280)
        self.assertRegex(refused.json()["error_description"], "read-users, 5 in 86400 seconds, allows")
        self.assertEqual(self.shown()["remaining"], 0)
        self.restart()
        self.assertEqual(self.shown()["remaining"], 0)
        self.assertEqual(self.ask().status, 429)

    def test_a_crash_gives_back_no_more_than_the_last_moment(self):
        store = self.purser.dir / "state" / "store"

        def written():
            return sum(path.stat().st_mtime_ns for path in store.iterdir())

        before = written()
        self.assertEqual(self.statuses(1), [200])
        harness.until(lambda: written() != before)  # the note is a commit of the store
        self.assertEqual(self.statuses(4), [200] * 4)
        # A raise is noted at once, with all that was used before it.
        self.assertEqual(self.purser.cli("budget", HELPDESK, "--raise", f"{RULE}=0", "--why",
                                         "note").returncode, DONE)
        broker = self.purser.roles()["purser-broker"][0]
        os.kill(broker, signal.SIGKILL)
        harness.until(lambda: self.purser.roles().get("purser-broker", [broker]) != [broker])
        # While it restarts, and asks for its key, the answer is 503 and decides nothing.
        self.assertEqual(harness.until(lambda: (status := self.ask().status) != 503 and status), 429)

    def test_an_operator_allows_more_for_a_time_and_the_ledger_knows(self):
        self.assertEqual(self.statuses(6), [200] * 5 + [429])
        raised = self.purser.cli("budget", HELPDESK, "--raise", f"{RULE}=2", "--for", "2h",
                                 "--why", "phones lost")
        self.assertEqual(raised.returncode, DONE, raised.stderr)
        self.assertIn("2 more until", raised.stdout)
        entry = next(entry for entry in self.purser.ledger_lines()
                     if entry.get("change", {}).get("why") == "phones lost")
        self.assertEqual((entry["type"], entry["agent"]["name"], entry["policy"]["rule"],
                          entry["change"]["raised"]), ("admin.action", HELPDESK, RULE, 2))
        self.assertEqual(self.ask().status, 200)
        self.restart()
        self.assertEqual(self.shown()["raised"], 1)
        self.assertEqual(self.statuses(2), [200, 429])

    def test_what_is_no_order_changes_nothing(self):
        rows = [([HELPDESK, "--raise", "nonesuch=2", "--why", "x"], REFUSED),
                (["nobody", "--raise", f"{RULE}=2", "--why", "x"], REFUSED),
                ([HELPDESK, "--raise", "2", "--why", "x"], REFUSED),  # it has no limit of its own
                ([HELPDESK, "--raise", f"{RULE}=2", "--why", "x", "--for", "30d"], REFUSED),
                ([HELPDESK, "--raise", f"{RULE}=2", "--why", ""], REFUSED),
                ([HELPDESK, "--raise", f"{RULE}=many", "--why", "x"], USAGE),
                ([HELPDESK, "--raise", f"{RULE}=2"], USAGE), ([HELPDESK, "--why", "x"], USAGE)]
        for row, code in rows:
            with self.subTest(row):
                self.assertEqual(self.purser.cli("budget", *row).returncode, code)
        self.assertNotIn("raised", self.shown())


class TasksAndTokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra, edit=two_a_task))
        self.assertEqual(self.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET).returncode,
                         DONE)

    def ask(self, task=None):
        """The answer, once it is a decision."""
        context = {} if task is None else {"context": {"task": task}}
        while True:
            answer = self.purser.token(HELPDESK, ["User.Read.All"], **context)
            if answer.status != 503:
                return answer

    def limits(self):
        who = self.purser.request(HELPDESK, "GET", "/v1/whoami").json()
        return {(limit.get("rule"), limit["kind"]): limit for limit in who["limits"]}

    def test_each_task_has_its_share_over_restarts(self):
        self.assertEqual([self.ask(task).status for task in ("T-1", "T-1", "T-1", "T-2", None)],
                         [200, 200, 429, 200, 200])
        left = self.limits()[None, "per_task"]
        self.assertEqual((left["remaining"], left["tasks"]), (0, 3))
        self.purser.stop()
        self.purser.start_ready()
        refused = self.ask("T-1")
        self.assertEqual((refused.status, refused.json()["reason"]), (429, "budget"))
        self.assertRegex(refused.json()["error_description"],
                         f"limit per task of {HELPDESK}, 2 in 86400 seconds, allows one more")
        self.assertGreater(int(refused.headers["Retry-After"]), 0)
        raised = self.purser.cli("budget", HELPDESK, "--raise", "1", "--kind", "per-task", "--why",
                                 "a long case")
        self.assertEqual(raised.returncode, DONE, raised.stderr)
        self.assertIn("2 in 1d per task", raised.stdout)

    def test_a_token_that_is_alive_counts_over_a_restart(self):
        self.assertEqual([self.ask().status for _ in range(2)], [200, 200])  # one token, twice
        self.assertEqual(self.limits()[RULE, "concurrent"]["remaining"], 0)
        self.purser.stop()  # and with it the cache: the next token is another one
        self.purser.start_ready()
        refused = self.ask("T-1")
        self.assertEqual(refused.status, 429)
        self.assertRegex(refused.json()["error_description"], "1 token alive at a time")
        self.assertTrue(0 < int(refused.headers["Retry-After"]) <= 3600 * 2)
        raised = self.purser.cli("budget", HELPDESK, "--raise", f"{RULE}=1", "--kind", "concurrent",
                                 "--why", "it lost its token")
        self.assertEqual(raised.returncode, DONE, raised.stderr)
        self.assertEqual(self.ask("T-2").status, 200)


if __name__ == "__main__":
    harness.main()
