#!/usr/bin/env python3
"""A person's yes: who may give it, to what exactly, and what it is good for."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import enrolled
import harness
from agents import BECOME
from harness import BIN, HELPDESK, IS_ROOT, OTHER_UID, Program, until
from watch_test import Screen

SCOPE = ["User.Read.All"]
OTHER = "other"
# Users are numbers, groups too: none of them needs an account.
LEADS, OPERATORS = 62001, 62002
LEAD_UID, SECOND_LEAD_UID, OPERATOR_UID = 61021, 61022, 61023


# A request that is held: says that it is on its way, then what the answer was.
HELD = BECOME + r"""
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(sys.argv[2])
connection.request("POST", "/v1/token", sys.argv[3], json.loads(sys.argv[4]))
print("asked", flush=True)
answer = connection.getresponse()
print(json.dumps([answer.status, json.loads(answer.read()).get("reason")]), flush=True)
"""


@unittest.skipUnless(IS_ROOT, "needs users who are not each other")
class Approving(enrolled.TenantCase):
    """A purserd for each test. read-users of the helpdesk agent waits for one of the leads."""

    terms = {
        "test_two_people_two_tokens_and_nobody_twice": {"quorum": 2, "uses": 2, "within": "1h"},
        "test_what_nobody_decides_in_time_is_over_and_recorded": {"expires": "5s"},
    }

    def setUp(self):
        terms = {"by": [f"group:{LEADS}"], **self.terms.get(self._testMethodName, {})}
        def edit(config):
            config["admin"]["approvers"] = [f"group:{LEADS}"]
            config["admin"]["operators"].append(f"group:{OPERATORS}")
            config["agent"][OTHER] = json.loads(json.dumps(config["agent"][HELPDESK]))
            rule = config["agent"][HELPDESK]["allow"][1]
            rule |= {"decision": "approve", "approve_bearer": True, "approval": terms}
            config["agent"][HELPDESK]["allow"][0]["decision"] = "notify"
        self.purser = self.started(edit=edit)

    def ask(self, agent=HELPDESK, headers=None, **members):
        body = {"scopes": SCOPE, "context": {"purpose": "find a colleague"}, **members}
        return self.purser.request(agent, "POST", "/v1/token", body, headers)

    def pending(self, **members):
        body = self.refused(self.purser, self.ask(**members), 403, "approval_pending")
        self.assertEqual(body["error"], "authorization_pending")
        return body["approval"]

    def held(self, prefer):
        """The same as ask(), by a process of its own; its answer is the last line."""
        body = json.dumps({"scopes": SCOPE, "context": {"purpose": "find a colleague"}})
        headers = json.dumps({"Content-Type": "application/json", "Prefer": prefer})
        program = Program([sys.executable, "-c", HELD, self.purser.agent_uid,
                           self.purser.agent_socket(), body, headers], cwd="/")
        self.addCleanup(program.stop)
        program.wait_for_line(lambda line: line == "asked")
        return program

    def lead(self, *arguments, uid=LEAD_UID, gid=LEADS):
        return self.purser.cli(*arguments, uid=uid, gid=gid)

    def done(self, told):
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        return told.stdout

    def listed(self, identity):
        told = json.loads(self.done(self.purser.cli("--json", "approvals")))
        return [one for one in told["approvals"] if one["id"] == identity][0]

    def types(self, about="approval."):
        return [entry["type"] for entry in self.purser.ledger_lines() if entry["type"].startswith(about)]

    def test_metrics_count_what_waits_and_what_became_of_it(self):
        identity = self.pending()
        def shown():
            return self.done(self.purser.cli("metrics")).splitlines()
        for line in ('purser_approvals_total{event="requested"} 1',
                     'purser_approvals_total{event="denied"} 0',
                     f'purser_approvals_waiting{{agent="{HELPDESK}"}} 1'):
            self.assertIn(line, shown())
        self.done(self.lead("deny", identity))
        for line in ('purser_approvals_total{event="requested"} 1',
                     'purser_approvals_total{event="denied"} 1',
                     'purser_approvals_total{event="granted"} 0',
                     f'purser_approvals_waiting{{agent="{HELPDESK}"}} 0',
                     f'purser_approvals_waiting{{agent="{OTHER}"}} 0'):
            self.assertIn(line, shown())

    def test_one_yes_is_one_token_and_the_ledger_tells_the_story(self):
        identity = self.pending()
        self.assertEqual(self.pending(), identity)  # asking again is resuming
        told = self.done(self.lead("approve", identity[:8], "--why", "ticket 1042"))
        for said in ("User.Read.All", "read-users", f"user {self.purser.agent_uid}", '"find a colleague"',
                     "nobody has proven"):
            self.assertIn(said, told)
        issued = self.granted(self.purser, self.ask())
        self.assertNotEqual(self.pending(), identity)
        entries = self.purser.ledger_lines()
        story = [entry for entry in entries if entry.get("approval", {}).get("id") == identity]
        self.assertEqual([entry["type"] for entry in story],
                         ["approval.requested", "approval.granted", "token.issued"])
        asked, said, released = story
        self.assertEqual(asked["claimed"]["purpose"], "find a colleague")
        self.assertEqual((said["caller"]["uid"], said["change"]["why"]), (LEAD_UID, "ticket 1042"))
        self.assertEqual(released["seq"], issued["audit"]["seq"])
        self.assertIn(f"uid:{LEAD_UID}", released["approval"]["by"])
        self.assertEqual(len({entry["approval"]["digest"] for entry in story}), 1)
        shown = self.purser.request(HELPDESK, "GET", "/v1/audit").json()["entries"]
        self.assertEqual([], [entry for entry in shown if "by" in entry.get("approval", {})])
        self.assert_verifies(self.purser)

    def test_whoever_may_not_say_yes_does_not(self):
        identity = self.pending()
        agent = self.purser.agent_uid
        rows = [
            ("an operator without that role", OPERATOR_UID, OPERATORS, "role_missing"),
            ("the agent's own user, in the group", agent, LEADS, "peer_refused"),
            ("a stranger", OTHER_UID, OTHER_UID, None),
        ]
        for about, uid, gid, reason in rows:
            for verb in ("approve", "deny"):
                with self.subTest(about, verb=verb):
                    told = self.lead(verb, identity, uid=uid, gid=gid)
                    self.assertNotEqual(told.returncode, 0, told)
                    if reason:
                        self.assertIn(reason, told.stderr)
        digest = self.listed(identity)["digest"]
        for about, body in (("another digest", {"digest": "0" * 64}), ("none", {})):
            with self.subTest(about):
                reply = self.purser.admin("POST", f"/v1/approvals/{identity}/approve", body, uid=0)
                self.assertIn(reply.status, (400, 403, 409), reply)
        self.assertEqual(self.purser.admin("POST", f"/v1/approvals/{'0' * 32}/deny", {"digest": digest}).status, 404)
        self.assertEqual(self.pending(), identity)
        self.assertEqual(self.types(), ["approval.requested"])
        lines = self.purser.ledger_lines()
        for uid, kind in ((OPERATOR_UID, "admin.denied"), (agent, "connection.refused")):
            self.assertIn(uid, {entry["caller"]["uid"] for entry in lines if entry["type"] == kind})

    def test_a_denied_one_stays_denied_whatever_is_claimed_and_over_a_restart(self):
        identity = self.pending()
        self.done(self.lead("deny", identity))
        for how in (None, signal.SIGKILL):
            if how:
                self.purser.stop(how)
                self.purser.start_ready()
            self.refused(self.purser, self.ask(), 403, "approval_denied")
            self.refused(self.purser, self.ask(context={"purpose": "urgent"}), 403, "approval_denied")
        self.assertEqual(self.types(), ["approval.requested", "approval.denied"])
        self.granted(self.purser, self.ask(OTHER))  # its rule waits for nobody

    def test_pending_and_granted_survive_a_crash_and_a_use_does_not_come_back(self):
        identity = self.pending()
        self.purser.stop(signal.SIGKILL)
        self.purser.start_ready()
        self.assertEqual(self.pending(), identity)
        self.done(self.lead("approve", identity))
        self.purser.stop(signal.SIGKILL)
        self.purser.start_ready()
        self.granted(self.purser, self.ask())
        self.purser.stop(signal.SIGKILL)
        self.purser.start_ready()
        self.assertNotEqual(self.pending(), identity)
        self.assertEqual(self.purser.request(HELPDESK, "GET", f"/v1/approvals/{identity}").json()["state"], "used")
        self.assert_verifies(self.purser)

    def test_a_stop_ends_what_waits_and_what_was_granted(self):
        first = self.pending()
        granted = self.pending(context={"purpose": "another"})
        self.done(self.lead("approve", granted))
        held = self.held("wait=60")
        self.done(self.purser.cli("kill", HELPDESK))
        self.assertEqual(held.wait_for_line(lambda line: "[" in line), '[403, "killed"]')
        self.assertNotEqual(self.lead("approve", first).returncode, 0)
        self.done(self.purser.cli("release", HELPDESK, "--why", "test"))
        for identity in (first, granted):
            self.assertEqual(self.listed(identity)["state"], "killed")
            self.refused(self.purser, self.ask(approval=identity, context={
                "purpose": "another" if identity == granted else "find a colleague"}), 403, "approval_expired")
        until(lambda: self.types().count("approval.expired") == 2)

    def test_a_held_request_has_its_answer_with_the_yes_and_delays_nobody(self):
        identity = self.pending()
        held = self.held("respond-async, wait=50")
        self.granted(self.purser, self.purser.token(OTHER, SCOPE))
        self.granted(self.purser, self.purser.token(HELPDESK, ["Mail.Read"]))
        self.assertEqual(len(held.lines), 1)
        self.done(self.lead("approve", identity))
        self.assertEqual(held.wait_for_line(lambda line: "[" in line), "[200, null]")
        identity = self.pending()
        self.held("wait=50").stop()  # whoever has gone takes no use with it
        self.done(self.lead("approve", identity))
        self.granted(self.purser, self.ask())
        began = time.monotonic()
        self.pending()
        self.refused(self.purser, self.ask(headers={"Prefer": "wait=1"}), 403, "approval_pending")
        self.assertGreaterEqual(time.monotonic() - began, 1)

    def test_a_person_decides_in_place_on_the_screen(self):
        first = self.pending()
        with Screen(self.purser, "approvals", "--watch", user=LEAD_UID, group=LEADS, extra_groups=[]) as screen:
            screen.shows(first[:8].encode())
            screen.shows(b"nobody has proven")
            screen.types(b"a")
            screen.shows(b"approved")
            self.granted(self.purser, self.ask())
            second = self.pending()
            screen.shows(second[:8].encode())
            screen.types(b"d")
            screen.shows(b"denied")
            screen.types(b"q")
            self.assertEqual(screen.ended(), 0)
        self.refused(self.purser, self.ask(), 403, "approval_denied")

    def test_what_is_no_use_of_an_approval_is_refused(self):
        identity = self.pending()
        rows = [
            ("another request", {"approval": identity, "context": {"purpose": "else"}}, 409, "approval_mismatch"),
            ("one that is not there", {"approval": "0" * 32}, 409, "approval_mismatch"),
            ("no id", {"approval": "x"}, 400, "value_out_of_range"),
            ("a number", {"approval": 7}, 400, "wrong_type"),
            ("where nobody is asked", {"approval": identity, "scopes": ["Mail.Read"]}, 409, "approval_mismatch"),
        ]
        for about, members, status, reason in rows:
            with self.subTest(about):
                self.refused(self.purser, self.ask(**members), status, reason)
        for agent in (OTHER,):
            reply = self.purser.request(agent, "GET", f"/v1/approvals/{identity}")
            self.refused(self.purser, reply, 404, "not_found")
        told = self.purser.request(HELPDESK, "GET", f"/v1/approvals/{identity}").json()
        self.assertEqual(told["state"], "pending")
        dry = self.granted(self.purser, self.ask(dry_run=True, context={"purpose": "a third"}))
        self.assertEqual(dry["decision"], "approve")
        self.assertEqual(self.types(), ["approval.requested"])

    def test_an_agent_that_tires_people_out_is_told_to_wait(self):
        seen = [self.ask(context={"purpose": str(number)}) for number in range(6)]
        self.assertEqual([reply.json()["reason"] for reply in seen], ["approval_pending"] * 5 + ["approval_limit"])
        self.assertGreater(int(seen[5].headers["Retry-After"]), 0)
        self.assertEqual(self.types(), ["approval.requested"] * 5)

    def test_a_command_of_the_operator_is_told_of_each_and_one_that_fails_delays_nobody(self):
        identity = self.pending()
        told = self.purser.dir / "told"
        script = f"cat >> {told}; grep -q other {told} && exit 3; exit 0"
        environment = {"PATH": os.environ["PATH"], "PURSER_ADMIN_SOCKET": self.purser.admin_socket,
                       "PURSER_CONFIG": str(self.purser.config_path)}
        hook = Program([BIN / "purser", "approvals", "--watch", "--exec", script], env=environment, cwd="/")
        self.addCleanup(hook.stop)
        def lines():
            return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        until(lambda: lines())
        self.assertEqual(lines()[0]["approval"]["id"], identity)
        self.assertEqual(lines()[0]["approval"]["shown"]["claimed"]["purpose"], "find a colleague")
        issued = self.granted(self.purser, self.purser.token(HELPDESK, ["Mail.Read"]))
        self.pending(context={"purpose": "other"})
        until(lambda: len(lines()) == 3)
        self.assertEqual([line["notice"]["seq"] for line in lines() if "notice" in line],
                         [issued["audit"]["seq"]])
        hook.wait_for_line(lambda line: "ended with 3" in line)
        self.assertNotIn(issued["access_token"], told.read_text())

    def test_two_people_two_tokens_and_nobody_twice(self):
        identity = self.pending()
        self.done(self.lead("approve", identity))
        self.assertIn("conflict", self.lead("approve", identity).stderr)
        # A process that no login started may say whose login it has: that makes nobody another person.
        chosen = subprocess.run(["sh", "-c", 'echo 4711 > /proc/self/loginuid; exec "$@"', "sh",
                                 BIN / "purser", "approve", identity], text=True, capture_output=True,
                                user=LEAD_UID, group=LEADS, extra_groups=[], env=self.purser.cli_environment())
        self.assertIn("conflict", chosen.stderr)
        self.assertEqual(self.pending(), identity)
        self.done(self.lead("approve", identity, uid=SECOND_LEAD_UID))
        tokens = {self.granted(self.purser, self.ask())["access_token"] for _ in range(2)}
        self.assertEqual(len(tokens), 2)
        self.assertNotEqual(self.pending(), identity)

    def test_what_nobody_decides_in_time_is_over_and_recorded(self):
        identity = self.pending()
        until(lambda: self.types() == ["approval.requested", "approval.expired"])
        self.refused(self.purser, self.ask(approval=identity), 403, "approval_expired")
        self.assertIn("conflict", self.lead("approve", identity).stderr)
        self.refused(self.purser, self.ask(), 429, "approval_limit")  # not granted: the next one waits


if __name__ == "__main__":
    harness.main()
