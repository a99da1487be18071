#!/usr/bin/env python3
"""What is stopped here is ended at Entra, too, where that is asked for; and the stop never waits for it."""
import json

import enrolled
import harness
import stopper
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, JO, MAIL_APP, ROBOT, SECRET_APP
from stopper import ADMIN

USERS, MAIL = ["User.Read.All"], ["Mail.Read"]
OTHER = "other"


class AtEntra(stopper.StopperCase):
    def edit(self, config):
        config["agent"][OTHER] = dict(config["agent"][HELPDESK])
        config["agent"][OTHER]["allow"] = [harness.rule("read-mail", MAIL, "broad")]

    def assert_killed(self, agent=HELPDESK):
        self.refused(self.purser, self.purser.token(agent, USERS), 403, "killed")

    def reported(self):
        return [(entry["outcome"], entry["target"]["id"]) for entry in self.purser.ledger_lines()
                if entry["type"] == "admin.action" and entry["target"]["kind"] == "upstream"]

    def live_grants(self):
        return [one for one in self.entra.control("GET", "/grants") if one["dead"] == 0]

    # One purserd and one tenant for all that takes a credential back: each takes another one.
    def test_what_takes_a_credential_back_is_done_at_entra(self):
        self.client_secret_is_removed_from_its_registration()
        self.certificate_is_removed_with_a_proof_by_itself()
        self.users_sessions_and_grants_end()
        self.assert_verifies(self.purser)

    def client_secret_is_removed_from_its_registration(self):
        self.entra.registration(SECRET_APP, secrets=[CLIENT_SECRET, "another~secret"])
        self.granted(self.purser, self.purser.token(HELPDESK, USERS))
        told = self.done("revoke", "app", "--upstream", "--why", "leaked")
        self.assertIn(f"remove the client secret of {SECRET_APP} (app): removed", told)
        self.assertEqual([one["hint"] for one in self.entra.registered(SECRET_APP)["passwords"]],
                         ["ano"])
        self.assertEqual([outcome for outcome, _ in self.reported()], ["pending", "success"])
        self.assertEqual(self.reported()[1][1], f"remove the client secret of {SECRET_APP}")

    def certificate_is_removed_with_a_proof_by_itself(self):
        pem = self.signer.key.read_text() + self.signer.pem
        self.done("secret", "set", "cert", stdin=pem)
        self.granted(self.purser, self.purser.token(ROBOT, USERS))
        self.assertIn("removed", self.done("revoke", "cert", "--upstream"))
        self.assertEqual(self.entra.registered(CERT_APP)["keys"], [])

    def users_sessions_and_grants_end(self):
        self.assertTrue(self.live_grants())
        told = self.done("revoke", "mail", "--upstream")
        for text in (f"revoke the sessions of user {JO}", "delete the delegated grants", "1 deleted"):
            self.assertIn(text, told)
        self.assertEqual(self.live_grants(), [])
        started = self.entra.devicecode(client_id=MAIL_APP, scope="Mail.Read offline_access").json()
        self.entra.decide(started["user_code"], JO)
        again = self.entra.token(grant_type="urn:ietf:params:oauth:grant-type:device_code",
                                 client_id=MAIL_APP, device_code=started["device_code"])
        self.assertEqual(again.json()["error_codes"], [65001])  # consented to no more

    def test_a_killed_agents_identities_are_disabled_and_nobody_elses(self):
        answer = json.loads(self.done("--json", "kill", HELPDESK, "--upstream"))
        self.assertTrue(answer["recorded"])
        self.assertEqual({(one["what"], one["target"], one["done"]) for one in answer["upstream"]},
                         {("disable the service principal of", SECRET_APP, True),
                          ("disable the service principal of", MAIL_APP, True)})
        self.assertTrue(self.live_grants())  # another agent acts for the same user
        self.assert_killed()
        for client, enabled in ((SECRET_APP, False), (MAIL_APP, False), (CERT_APP, True),
                                (ADMIN, True)):
            self.assertEqual(self.entra.registered(client)["enabled"], enabled)

    def test_what_another_agent_uses_is_left(self):
        told = self.done("kill", OTHER, "--upstream")
        self.assertIn("the identity of broad: another agent", told)
        self.assertEqual(self.reported(), [])
        told = self.done("revoke", "--agent", HELPDESK, "--upstream")
        self.assertIn(f"disable the service principal of {SECRET_APP} (app): disabled", told)
        told = self.done("kill", "--all", "--upstream")
        self.assertIn(f"revoke the sessions of user {JO}", told)
        self.assertNotIn(ADMIN, told)
        self.assertEqual(self.live_grants(), [])

    def test_a_stop_does_not_depend_on_entra(self):
        self.addCleanup(self.entra.clear_faults)
        self.entra.fault(endpoint="any", drop="before")
        told = self.told(1, "kill", HELPDESK, "--upstream")
        for text in ("stopped", "at Entra, not done", "Repeat it"):
            self.assertIn(text, told)
        self.assert_killed()
        self.entra.clear_faults()
        self.entra.fault(endpoint="graph", status=503)
        told = self.told(1, "revoke", "app", "--upstream")
        self.assertIn("destroyed its client secret", told)
        self.assertIn("at Entra, not done", told)
        self.assertEqual(self.reported()[-1], ("failure",
                                               f"remove the client secret of {SECRET_APP}"))

    def test_what_is_refused_here_and_by_graph(self):
        for words in (("revoke", "--token", "1", "--upstream"), ("release", HELPDESK, "--upstream")):
            self.assertNotEqual(self.purser.cli(*words).returncode, 0)
        for body, reason in (({"agent": HELPDESK}, "conflict"), ({"all": True}, "conflict"),
                             ({"agent": "nobody"}, "not_found"), ({}, "missing_field"),
                             ({"all": False}, "missing_field"), ({"agent": 1}, "wrong_type")):
            reply = self.purser.admin("POST", "/v1/upstream", body)
            self.assertEqual(reply.json()["reason"], reason, reply)
        self.assertEqual(self.reported(), [])
        self.granted(self.purser, self.purser.token(HELPDESK, USERS))
        self.entra.registration(ADMIN, application={"graph": ["User.Read.All"]})
        self.assertIn("Application.ReadWrite", self.told(1, "kill", HELPDESK, "--upstream"))
        self.assertIn("User.RevokeSessions.All", self.told(1, "revoke", "mail", "--upstream"))
        self.assert_killed()
        self.assertTrue(self.entra.registered(SECRET_APP)["enabled"])


class Unconfigured(enrolled.TenantCase):
    def test_without_a_credential_for_it_the_stop_works_and_says_what_to_write(self):
        purser = self.started()
        for words in (("revoke", "app", "--upstream"), ("kill", HELPDESK, "--upstream")):
            told = purser.cli(*words)
            self.assertEqual(told.returncode, 1, told.stdout + told.stderr)
            self.assertIn('write upstream = "NAME"', told.stdout)
        self.refused(purser, purser.token(HELPDESK, USERS), 403, "killed")


if __name__ == "__main__":
    harness.main()
