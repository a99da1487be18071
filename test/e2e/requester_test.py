#!/usr/bin/env python3
"""by = ["requester"]: the person whose token a request brings says yes to it, and nobody else does."""
import unittest

import harness
import people
from dev_tenant import JO, SAM
from harness import CLIENT_SECRET, IS_ROOT, DevTenant
from oauth import claims_of
from obo_test import DESK, acting_for_users, tenant_with_app, user_token
from people import JO_UID, OTHER_UID, PEOPLE_APP, SAM_UID

APPROVERS, OTHERS = (f"bbbbbbbb-0000-4000-8000-00000000000{n}" for n in (1, 2))


@unittest.skipUnless(IS_ROOT, "needs users who are not each other")
class Requester(people.PeopleCase):
    """A purserd for each test. The desk agent reads the mail of whoever calls it, once they said yes."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant_with_app()))
        cls.entra.settings(device_code_interval_s=1)
        cls.entra.registration(PEOPLE_APP, name="purser operators", public_client=True)

    def setUp(self):
        for person in (JO, SAM):
            self.entra.user(person, groups=[APPROVERS])

        def edit(config):
            acting_for_users(config)
            config["admin"] |= {"approvers": [f"entra-group:{APPROVERS}"], "client_id": PEOPLE_APP}
            config["agent"][DESK]["allow"][0] |= {"decision": "approve", "approve_bearer": True,
                                                  "approval": {"by": ["requester"]}}
        self.purser = self.started(edit=edit)
        done = self.purser.cli("secret", "set", "obo-app", stdin=CLIENT_SECRET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def ask(self, user, **claims):
        """With a new assertion each time, as the user's client would make it."""
        return self.purser.token(DESK, ["Mail.Read"], user_assertion=user_token(self.entra, user, **claims))

    def pending(self, user):
        return self.refused(self.purser, self.ask(user), 403, "approval_pending")["approval"]

    def test_who_is_acted_for_says_yes_and_the_token_is_theirs(self):
        identity = self.pending(JO)
        self.assertEqual(self.pending(JO), identity)
        self.signed_in(JO_UID, JO)
        self.assertIn(f"{JO}, proven", self.may(JO_UID, "approvals"))
        self.may(JO_UID, "approve", identity)
        issued = self.granted(self.purser, self.ask(JO))
        self.assertEqual(claims_of(issued["access_token"])["oid"], JO)
        granted, released = self.entries("approval.granted")[-1], self.entries("token.issued")[-1]
        self.assertEqual((granted["user"]["oid"], released["user"]["oid"]), (JO, JO))
        self.assertEqual(released["approval"]["by"], f"uid:{JO_UID},oid:{JO}")
        self.assertNotEqual(self.pending(JO), identity)  # one yes, one token
        self.assert_verifies(self.purser)

    def test_nobody_else_decides_whatever_they_may_besides(self):
        identity = self.pending(JO)
        self.signed_in(SAM_UID, SAM)
        self.signed_in(0, SAM)
        for verb in ("approve", "deny"):
            self.may_not("role_missing", SAM_UID, verb, identity)    # an approver of other requests
            self.may_not("role_missing", 0, verb, identity)          # as root, too
            self.may_not("role_missing", OTHER_UID, verb, identity)  # nobody has signed in
        self.signed_in(JO_UID, JO)
        other = self.pending(SAM)
        self.assertNotEqual(other, identity)
        self.may_not("role_missing", JO_UID, "approve", other)
        self.purser.stop()
        self.purser.start_ready()
        self.assertEqual(self.pending(JO), identity)
        self.signed_in(SAM_UID, SAM)
        self.may_not("role_missing", SAM_UID, "approve", identity)
        self.entra.user(JO, groups=[OTHERS])  # no approver any more
        self.signed_in(JO_UID, JO)
        self.may_not("role_missing", JO_UID, "approve", identity)
        self.assertEqual(self.entries("approval.granted"), [])
        self.assertEqual(self.entries("token.issued"), [])

    def test_without_a_person_who_is_proven_nobody_is_asked(self):
        rows = [
            ("no person", self.purser.token(DESK, ["Mail.Read"]), 400, "missing_field"),
            ("another audience", self.ask(JO, audience=PEOPLE_APP), 400, "invalid_user_assertion"),
            ("one that is over", self.ask(JO, exp=1), 400, "invalid_user_assertion"),
            ("no token", self.purser.token(DESK, ["Mail.Read"], user_assertion="Jo"), 400,
             "invalid_user_assertion"),
        ]
        for about, reply, status, reason in rows:
            with self.subTest(about):
                self.refused(self.purser, reply, status, reason)
        self.assertEqual(self.entries("approval.requested"), [])

    def test_a_no_of_theirs_is_a_no_to_their_own(self):
        identity, other = self.pending(JO), self.pending(SAM)
        self.signed_in(JO_UID, JO)
        self.may(JO_UID, "deny", identity)
        self.refused(self.purser, self.ask(JO), 403, "approval_denied")
        self.assertEqual(self.pending(SAM), other)


if __name__ == "__main__":
    harness.main()
