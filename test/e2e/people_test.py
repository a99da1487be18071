#!/usr/bin/env python3
"""People who sign in with Entra: what they may do by it, and when it ends."""
import json
import os
import unittest

import harness
import people
from dev_tenant import JO, SAM
from harness import HELPDESK, IS_ROOT
from people import JO_UID, OTHER_UID, PEOPLE_APP, SAM_UID

SCOPE = ["User.Read.All"]
OPERATORS, LEADS, OTHERS = (f"bbbbbbbb-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


@unittest.skipUnless(IS_ROOT, "needs users who are not each other")
class People(people.PeopleCase):
    """A purserd for each test. read-users of the helpdesk agent waits for one of the leads."""

    def setUp(self):
        self.entra.user(JO, groups=[OPERATORS, OTHERS])
        self.entra.user(SAM, groups=[LEADS])
        def edit(config):
            config["admin"] |= {
                "operators": config["admin"]["operators"] + [f"entra-group:{OPERATORS}"],
                "approvers": [f"entra-group:{LEADS}"], "client_id": PEOPLE_APP, "require_person": True}
            config["agent"][HELPDESK]["allow"][1] |= {"decision": "approve", "approve_bearer": True}
        self.purser = self.started(edit=edit)

    def pending(self):
        reply = self.purser.token(HELPDESK, SCOPE)
        return self.refused(self.purser, reply, 403, "approval_pending")["approval"]

    def test_a_person_does_what_their_groups_allow_and_the_ledger_names_them(self):
        self.may_not("role_missing", JO_UID, "status")
        self.may_not("role_missing", JO_UID, "approvals")
        self.assertIn("operator", self.signed_in(JO_UID, JO))
        self.may(JO_UID, "status")
        socket = f"{self.purser.config['paths']['run']}/admin/sock"
        self.assertIn(f"good    {socket} (mode 0666)", self.purser.cli("doctor").stdout)
        self.may(JO_UID, "reload")
        self.assertEqual(self.entries("admin.action")[-1]["user"]["oid"], JO)
        self.assertEqual(self.entries("admin.signed_in")[-1]["user"]["oid"], JO)
        self.assertEqual(self.entries("admin.signed_in")[-1]["outcome"], "success")
        identity = self.pending()
        self.may_not("role_missing", JO_UID, "approve", identity)  # an operator is no approver
        self.may_not("person_required", 0, "approve", identity)
        self.signed_in(SAM_UID, SAM)
        self.may_not("role_missing", SAM_UID, "reload")
        self.may(SAM_UID, "approve", identity)
        self.assertIn(f"oid:{SAM}", self.entries("approval.granted")[-1]["approval"]["by"])
        self.granted(self.purser, self.purser.token(HELPDESK, SCOPE))
        self.may(JO_UID, "logout")
        self.assertFalse(self.file_of(JO_UID).exists())
        self.may_not("role_missing", JO_UID, "status")
        kept = [one for one in self.entra.secrets() if one["kind"] == "id_token"]
        self.assertTrue(kept)
        everything = "\n".join(map(json.dumps, self.purser.ledger_lines())) + self.purser.log()
        for secret in [one["value"] for one in kept]:
            self.assertNotIn(secret, everything)
        self.assertEqual([one for one in self.entra.control("GET", "/grants")
                          if one["client_id"] == PEOPLE_APP], [])  # no refresh token was asked for
        self.assert_verifies(self.purser)

    def test_a_stop_needs_nobody_and_a_release_needs_a_person(self):
        self.may(0, "kill", "--all", "--why", "test")
        self.may_not("person_required", 0, "release", "--all", "--why", "over")
        self.signed_in(JO_UID, JO)
        self.may(JO_UID, "release", "--all", "--why", "over")
        self.assertEqual(self.entries("kill.released")[-1]["user"]["oid"], JO)
        self.may(JO_UID, "kill", HELPDESK, "--why", "test")

    def test_a_session_is_of_one_user_of_this_machine_and_of_one_run(self):
        self.signed_in(JO_UID, JO)
        kept = self.file_of(JO_UID)
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
        copy = self.file_of(OTHER_UID)
        copy.write_bytes(kept.read_bytes())
        copy.chmod(0o600)
        os.chown(copy, OTHER_UID, OTHER_UID)
        self.may_not("role_missing", OTHER_UID, "status")
        self.may(JO_UID, "status")
        kept.chmod(0o644)  # others could have read it: it is not sent
        self.may_not("role_missing", JO_UID, "status")
        kept.chmod(0o600)
        self.purser.stop()
        self.purser.start_ready()
        self.may_not("role_missing", JO_UID, "status")

    def test_who_has_left_or_is_unknown_or_an_agent_gets_nothing(self):
        self.signed_in(JO_UID, JO)
        self.entra.user(JO, groups=[OTHERS])  # off-boarded: the next sign-in tells
        self.assertIn("no role", self.signed_in(JO_UID, JO))
        self.may_not("role_missing", JO_UID, "status")
        self.entra.user(JO, groups=[f"cccccccc-0000-4000-8000-{n:012}" for n in range(201)])
        left_out = self.sign_in(JO_UID, JO)
        self.assertEqual(left_out.returncode, 1)
        self.assertIn("too many", left_out.stdout)
        self.assertEqual(self.entries("admin.signed_in")[-1]["reason"], "role_missing")
        self.assertEqual(self.sign_in(SAM_UID, SAM, "decline").returncode, 1)
        self.assertEqual(self.entries("admin.signed_in")[-1]["outcome"], "failure")
        self.may_not("role_missing", SAM_UID, "status")
        agent = self.run_as(self.purser.agent_uid, "login", "--as-operator")
        self.assertNotEqual(agent.returncode, 0)
        self.assertIn("peer_refused", agent.stdout + agent.stderr)

    def test_an_operator_ends_the_sign_in_of_who_has_left(self):
        self.signed_in(JO_UID, JO)
        self.signed_in(SAM_UID, SAM)
        self.entra.user(JO, groups=[OTHERS])
        self.may(JO_UID, "status")  # until the session ends
        for uid in (SAM_UID, OTHER_UID):  # an approver, a stranger
            self.may_not("role_missing", uid, "logout", "--person", JO, "--why", "x")
        self.assertIn(JO, self.may(0, "roles"))
        told = self.may(0, "logout", "--person", JO.upper(), "--why", "has left")
        self.assertIn("1 session, entry", told)
        entry = self.entries("admin.action")[-1]
        self.assertEqual((entry["change"]["holder"], entry["change"]["signed_out"], entry["change"]["why"]),
                         (f"oid:{JO}", 1, "has left"))
        self.may_not("role_missing", JO_UID, "status")
        self.may(SAM_UID, "approvals")
        self.assertNotIn(JO, self.may(0, "roles"))
        self.assertIn("0 sessions", self.may(0, "logout", "--person", JO))
        self.assertIn("everybody, 1 session", self.may(0, "logout", "--all"))
        self.may_not("role_missing", SAM_UID, "approvals")
        self.assertIn(JO, self.may(0, "audit", "search", "--person", JO, "--json"))
        self.assertNotIn(SAM, self.may(0, "audit", "search", "--person", JO, "--json"))
        for words in (["--person", "jo"], ["--why", "x"], ["--person", JO, "--all"]):
            self.assertEqual(self.run_as(0, "logout", *words).returncode, 2)
        self.entra.user(JO, groups=[OPERATORS], enabled=False)
        self.assertEqual(self.sign_in(JO_UID, JO).returncode, 1)  # a disabled account
        self.assertEqual(self.entries("admin.signed_in")[-1]["outcome"], "failure")
        self.entra.user(JO, enabled=True)
        self.assert_verifies(self.purser)

    def test_a_role_for_a_time_is_given_by_operators_alone_and_ends(self):
        give = ["role", "give", str(OTHER_UID), "operator", "--for", "2h", "--why", "support"]
        self.may_not("role_missing", OTHER_UID, "reload")
        self.may_not("person_required", 0, *give)  # root is nobody in particular
        self.signed_in(JO_UID, JO)
        self.may_not("own_request", JO_UID, "role", "give", str(JO_UID), "auditor", "--for", "1h", "--why", "x")
        self.may_not("own_request", JO_UID, "role", "give", JO, "auditor", "--for", "1h", "--why", "x")
        self.may_not("role_missing", JO_UID, "role", "give", str(OTHER_UID), "approver", "--for", "1h", "--why", "x")
        self.may_not("role_missing", JO_UID, "role", "give", str(self.purser.agent_uid), "auditor",
                     "--for", "1h", "--why", "x")
        self.may_not("value_out_of_range", JO_UID, "role", "give", str(OTHER_UID), "auditor", "--for", "2d", "--why", "x")
        self.assertEqual(self.entries("role.granted"), [])
        self.assertIn("given", self.may(JO_UID, *give))
        granted = self.entries("role.granted")[-1]
        self.assertEqual(granted["user"]["oid"], JO)
        self.assertEqual(granted["change"]["holder"], f"uid:{OTHER_UID}")
        self.assertEqual(granted["change"]["why"], "support")
        self.may(OTHER_UID, "reload")
        self.may_not("role_missing", OTHER_UID, "role", "give", str(SAM_UID), "auditor", "--for", "1h", "--why", "x")
        self.assertIn("support", self.may(OTHER_UID, "roles"))
        self.may_not("role_missing", SAM_UID, "roles")
        self.purser.stop()
        self.purser.start_ready()
        self.may(OTHER_UID, "reload")  # over a restart, unlike a sign-in
        self.may_not("role_missing", JO_UID, "reload")
        self.may(0, "role", "end", str(OTHER_UID), "operator")
        self.may_not("role_missing", OTHER_UID, "reload")
        self.assertEqual(self.entries("role.ended")[-1]["change"]["by"], "operator")
        self.may_not("not_found", 0, "role", "end", str(OTHER_UID), "operator")
        self.assert_verifies(self.purser)

    def test_a_person_is_given_a_role_by_a_person_and_needs_the_sign_in(self):
        identity = self.pending()
        give = ["role", "give", JO, "approver", "--for", "1h", "--why", "night shift"]
        self.signed_in(SAM_UID, SAM)
        self.may_not("role_missing", SAM_UID, *give)  # an approver gives nothing
        self.entra.user(SAM, groups=[OPERATORS])
        self.signed_in(SAM_UID, SAM)
        self.may_not("role_missing", SAM_UID, *give)  # nor does an operator who is no approver
        self.entra.user(SAM, groups=[OPERATORS, LEADS])
        self.signed_in(SAM_UID, SAM)
        self.may(SAM_UID, *give)
        self.may_not("role_missing", OTHER_UID, "approve", identity)
        self.entra.user(JO, groups=[OTHERS])
        self.assertIn("approver", self.signed_in(JO_UID, JO))
        self.may_not("role_missing", JO_UID, "status")  # an approver is no auditor
        self.may(JO_UID, "approve", identity)
        self.assertIn(f"oid:{JO}", self.entries("approval.granted")[-1]["approval"]["by"])
        self.may(SAM_UID, "role", "end", JO, "approver")
        self.may_not("role_missing", JO_UID, "approvals")


if __name__ == "__main__":
    harness.main()
