#!/usr/bin/env python3
"""Roles are killed at random moments while agents ask: no token without its entry, and it comes back.

PURSER_SEED repeats a run's choices (not its timing), PURSER_KILLS changes how many there are.
"""
import json
import os
import random
import signal
import time
import unittest

import enrolled
import harness
from agents import Agent
from harness import HELPDESK, IS_ROOT, until

SEED = int(os.environ.get("PURSER_SEED", random.SystemRandom().randrange(2**32)))
KILLS = int(os.environ.get("PURSER_KILLS", 240))
ROLES = ["purser-window", "purser-broker", "purser-ledger", "purser-dialer"]
# Requests that may fail before one succeeds: an agent tries every 10 ms, and a role that worked before
# it died is started after half a second at the latest; two of them one after the other.
MOST_TRIES = 500
# All that an agent may be told while a role is away. The two about credentials and upstream are
# what a mint says whose dialer died.
TROUBLE = {"restarting", "overloaded", "ledger_unavailable", "sealed", "store_unavailable",
           "upstream_unavailable", "caller_gone"}
# How a connection may end; and how it may fail while purserd is away, or makes its sockets anew.
ENDS = {"ConnectionResetError", "BrokenPipeError", "ConnectionRefusedError", "RemoteDisconnected"}
AWAY = ENDS | {"FileNotFoundError", "PermissionError"}


class Chaos(enrolled.TenantCase):
    def kill(self, purser, choices):
        """Kills one role, now and then two at once; the names of those that there were."""
        running = purser.roles()
        names = choices.sample(ROLES, 2 if choices.random() < 0.1 else 1)
        for name in names:
            for pid in running.get(name, []):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # ended by itself, as a window whose broker died may
        return [name for name in names if name in running]

    def check_answers(self, agents, ledger, ends=ENDS):
        """Each token has its entry; all else is a typed error or a connection that ended."""
        tokens = 0
        for agent in agents:
            for answer in agent.answers():
                if answer["status"] == 200:
                    self.assertTrue(answer["token"], answer)
                    leaf, line = ledger[answer["audit"]["seq"]]
                    entry = json.loads(line)
                    self.assertEqual((leaf, entry["seq"], entry["type"]),
                                     (answer["audit"]["leaf"], answer["audit"]["seq"],
                                      "token.issued"))
                    tokens += 1
                elif answer["status"] is None:
                    self.assertIn(answer["closed"], ends, answer)
                elif answer["status"] == 403:
                    self.assertEqual((answer["error"], answer["reason"]),
                                     ("access_denied", "no_rule"), answer)
                else:
                    self.assertEqual(answer["status"], 503, answer)
                    self.assertIn(answer["reason"], TROUBLE, answer)
        return tokens

    def storm(self, kills, **options):
        choices = random.Random(SEED)
        purser = self.started(**options)
        cached = self.enterContext(Agent(purser, HELPDESK, ["User.Read.All"]))
        minting = self.enterContext(Agent(purser, HELPDESK, ["Mail.Read"], mint=True))
        second = self.enterContext(Agent(purser, HELPDESK, ["User.Read.All"], mint=True))
        denied = self.enterContext(Agent(purser, HELPDESK, ["Mail.Send"]))
        agents = [cached, minting, second, denied]
        killed, tries, began = {}, 0, time.monotonic()
        for _ in range(kills):
            time.sleep(choices.uniform(0, 0.15))  # a random point of what goes on, not a wait
            for name in self.kill(purser, choices):
                killed[name] = killed.get(name, 0) + 1
            if choices.random() < 0.2:
                continue  # the next one dies while this one starts
            after = time.monotonic()
            for agent in (minting, cached):
                tries = max(tries, agent.wait_for_success(after))
        after = time.monotonic()
        for agent in (cached, minting, second):
            agent.wait_for_success(after)
        for agent in agents:
            self.assertEqual(agent.stop(), 0, agent.log()[-2000:])
        seconds = time.monotonic() - began
        self.assertEqual(purser.stop(), 0, purser.log())

        tokens = self.check_answers(agents, enrolled.leaves(purser))
        self.assert_verifies(purser)
        entries = purser.ledger_lines()
        restarted = {e["change"]["role"] for e in entries if e["type"] == "role.restarted"}
        print(f"{sum(killed.values())} kills {killed} in {seconds:.0f} s: {tokens} tokens, "
              f"at most {tries} failed requests before the next success, {len(entries)} entries")
        self.assertEqual(restarted, {name.removeprefix("purser-") for name in killed})
        self.assertLessEqual(tries, MOST_TRIES)
        self.assertEqual(entries[-1]["type"], "daemon.stopped")

    def test_roles_killed_at_random_points(self):
        self.storm(KILLS)

    def test_purserd_killed_under_load_and_started_again(self):
        choices = random.Random(SEED)
        purser = self.started()
        cached = self.enterContext(Agent(purser, HELPDESK, ["User.Read.All"]))
        minting = self.enterContext(Agent(purser, HELPDESK, ["Mail.Read"], mint=True))
        denied = self.enterContext(Agent(purser, HELPDESK, ["Mail.Send"]))
        kills = max(3, KILLS // 24)
        for _ in range(kills):
            after = time.monotonic()
            for agent in (cached, minting):
                agent.wait_for_success(after)
            time.sleep(choices.uniform(0, 0.15))  # a random point of what goes on, not a wait
            pids = [pid for pids in purser.roles().values() for pid in pids]
            self.assertEqual(purser.stop(signal.SIGKILL), -signal.SIGKILL)
            # Without its supervisor no role goes on.
            until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))
            purser.start()
        after = time.monotonic()
        for agent in (cached, minting):
            agent.wait_for_success(after)
        agents = [cached, minting, denied]
        for agent in agents:
            self.assertEqual(agent.stop(), 0, agent.log()[-2000:])
        self.assertEqual(purser.stop(), 0, purser.log())

        tokens = self.check_answers(agents, enrolled.leaves(purser), AWAY)
        self.assert_verifies(purser)
        types = [entry["type"] for entry in purser.ledger_lines()]
        self.assertEqual((types.count("daemon.started"), types.count("daemon.stopped")),
                         (kills + 1, 1))
        self.assertEqual(types[-1], "daemon.stopped")
        print(f"purserd killed {kills} times: {tokens} tokens, {len(types)} entries")

    @unittest.skipUnless(IS_ROOT, "the test above was that already")
    def test_the_same_as_one_unprivileged_user(self):
        self.storm(KILLS // 4, solo=True)


if __name__ == "__main__":
    print(f"PURSER_SEED={SEED}", flush=True)
    harness.main()
