#!/usr/bin/env python3
"""What is revoked is used no more: over restarts and crashes, until somebody puts it back."""
import grp
import json
import os
import signal
import unittest

import enrolled
import harness
from harness import CLIENT_SECRET, HELPDESK, IS_ROOT, OTHER_UID, until

AUDITORS = "adm"  # a group of every Debian; nobody's here
USERS, MAIL = ["User.Read.All"], ["Mail.Read"]


class Revoking(enrolled.TenantCase):
    """A purserd for each test: what is revoked stays revoked."""

    def setUp(self):
        self.purser = self.started()

    def done(self, *arguments, stdin=None):
        told = self.purser.cli(*arguments, stdin=stdin)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        return told.stdout

    def grants(self, scope=USERS):
        return self.granted(self.purser, self.purser.token(HELPDESK, scope))

    def decided(self, scope=USERS):
        """While a part restarts the answer may be 503, or none: ask until it is a decision."""
        def answer():
            try:
                reply = self.purser.token(HELPDESK, scope)
            except OSError:  # cut off with the part that ended
                return None
            return None if reply.status == 503 else reply
        return until(answer)

    def assert_revoked(self, scope=USERS):
        self.refused(self.purser, self.decided(scope), 403, "credential_revoked")

    def entries(self, kind):
        return [entry for entry in self.purser.ledger_lines() if entry["type"] == kind]

    def test_a_secret_is_destroyed_and_its_cached_token_is_given_to_nobody(self):
        self.grants()
        seq = self.entries("token.issued")[-1]["seq"]
        asked = self.entra.requests("token")
        told = self.done("revoke", "app", "--why", "laptop stolen")
        for text in ("destroyed its client secret", "work until they expire", "User.Read.All",
                     str(seq), "purser secret set app", "revoke the user's sessions"):
            self.assertIn(text, told)
        self.assert_revoked()
        self.assertEqual(self.entra.requests("token"), asked)
        shown = json.loads(self.done("--json", "credentials"))["credentials"]
        app = next(one for one in shown if one["name"] == "app")
        self.assertEqual((app["revoked"], app["secrets"][0]["enrolled"]), ("app", False))
        self.grants(MAIL)  # the other credential of the same agent
        entry = self.entries("secret.revoked")[0]
        self.assertEqual((entry["outcome"], entry["credential"]["name"], entry["change"]["why"]),
                         ("success", "app", "laptop stolen"))
        self.assertIn("caller", entry)
        self.done("secret", "set", "app", stdin=CLIENT_SECRET)
        self.grants()
        self.assert_verifies(self.purser)

    def test_it_survives_a_restart_and_a_crash_and_is_neither_tried_nor_released(self):
        self.done("revoke", "app")
        self.purser.stop()
        self.purser.start()
        self.assert_revoked()
        os.kill(self.purser.roles()["purser-broker"][0], signal.SIGKILL)
        self.assert_revoked()
        released = self.purser.cli("release", "--credential", "app", "--why", "sorry")
        self.assertNotEqual(released.returncode, 0)
        self.assertIn("purser secret set app", released.stderr)
        self.assert_revoked()

    def test_a_refresh_token_comes_back_by_a_login_alone(self):
        self.grants(MAIL)
        self.assertIn("destroyed its refresh token", self.done("revoke", "mail"))
        self.assert_revoked(MAIL)
        login = self.purser.log_in("mail")
        self.assertEqual(login.returncode, 0, login.stdout)
        self.grants(MAIL)

    def test_an_agent_is_stopped_as_by_a_kill(self):
        told = self.done("revoke", "--agent", HELPDESK, "--why", "gone")
        self.assertIn(f"purser release {HELPDESK} --why TEXT", told)
        self.refused(self.purser, self.decided(), 403, "killed")
        self.assertEqual(self.entries("kill.engaged")[0]["change"]["why"], "gone")
        self.done("release", HELPDESK, "--why", "back")
        self.grants()

    def test_one_token_is_forgotten_here_and_said_to_be_alive_outside(self):
        first = self.grants()["access_token"]
        seq = self.entries("token.issued")[-1]["seq"]
        self.assertEqual(self.grants()["access_token"], first)
        told = self.done("revoke", "--token", str(seq))
        self.assertIn("work until they expire", told)
        self.assertNotEqual(self.grants()["access_token"], first)
        self.assertEqual(self.entra.call_graph("/v1.0/users", first).status, 200)
        self.assertEqual(self.entries("admin.action")[-1]["change"]["token_seq"], seq)

    def test_a_token_from_before_a_restart_is_known_with_its_entry_and_can_be_forgotten(self):
        self.grants()
        issued = self.entries("token.issued")[-1]
        for restart in (self.crash_broker, self.restart):
            restart()
            body = until(self.all_known)
            token = next(one for one in body["alive"] if one["seq"] == issued["seq"])
            self.assertEqual((token["agent"], token["credential"], token["scopes"], token["expires_on"],
                              token["earlier"]),
                             (HELPDESK, "app", USERS, issued["token"]["exp"], True))
            credentials = json.loads(self.done("--json", "credentials"))
            app = next(one for one in credentials["credentials"] if one["name"] == "app")
            self.assertEqual(app["outstanding"], {"tokens": 1, "until": issued["token"]["exp"]})
            self.assertNotIn("outstanding_unknown", credentials)
            self.assertIn(f"{issued['seq']} ", self.done("revoke", "--token", str(issued["seq"])))
        self.grants()
        told = self.done("revoke", "app")
        for text in (str(issued["seq"]), "User.Read.All *", "from before purser-broker's start"):
            self.assertIn(text, told)


    def crash_broker(self):
        before = self.purser.roles()["purser-broker"]
        os.kill(before[0], signal.SIGKILL)
        until(lambda: self.purser.roles().get("purser-broker", before) != before
              and self.purser.cli("ready").returncode == 0)

    def restart(self):
        self.purser.stop()
        self.purser.start()

    def all_known(self):
        """The answer of a stop of a token, once the ledger was read."""
        seq = self.entries("token.issued")[-1]["seq"]
        told = self.purser.cli("--json", "revoke", "--token", str(seq))
        body = json.loads(told.stdout) if told.returncode == 0 else {}
        return body if body and "alive_unknown" not in body else None

    def test_what_is_refused(self):
        before = len(self.purser.ledger_lines())
        for words, say in [(("revoke",), "credential"),
                           (("revoke", "apq"), "no credential"),
                           (("revoke", "--agent", "helpdisk"), "helpdesk"),
                           (("revoke", "--token", str(before + 1000)), "no token"),
                           (("revoke", "--token", "one"), ""),
                           (("revoke", "app", "--agent", HELPDESK), ""),
                           (("release", "--credential", "app", "--why", "x"), "not revoked")]:
            with self.subTest(words):
                told = self.purser.cli(*words)
                self.assertNotEqual(told.returncode, 0, told.stdout)
                self.assertIn(say, (told.stdout + told.stderr).lower())
        self.grants()
        self.assertEqual(self.entries("secret.revoked"), [])

    def test_as_json_all_of_it_is_for_a_program(self):
        self.grants()
        answer = json.loads(self.done("--json", "revoke", "app"))
        self.assertEqual((answer["revoked"], answer["recorded"], answer["durable"],
                          answer["destroyed"], answer["alive"][0]["agent"]),
                         ("app", True, True, ["client secret"], HELPDESK))


@unittest.skipUnless(IS_ROOT, "needs users of other groups")
class WhoMay(enrolled.TenantCase):
    def test_an_auditor_and_an_agent_may_not(self):
        def edit(config):
            config["admin"]["auditors"] = [f"group:{AUDITORS}"]
        purser = self.started(edit=edit)
        auditor = {"uid": OTHER_UID, "gid": grp.getgrnam(AUDITORS).gr_gid}
        for words in (("app",), ("--agent", HELPDESK), ("--token", "1")):
            told = purser.cli("revoke", *words, **auditor)
            self.assertNotEqual(told.returncode, 0)
            self.assertIn("operator", told.stderr)
        told = purser.cli("revoke", "app", uid=purser.agent_uid, gid=purser.agent_uid)
        self.assertNotEqual(told.returncode, 0)
        self.granted(purser, purser.token(HELPDESK, USERS))
        denied = [e["reason"] for e in purser.ledger_lines() if e["type"] == "admin.denied"]
        self.assertEqual(denied, ["role_missing"] * 3)


if __name__ == "__main__":
    harness.main()
