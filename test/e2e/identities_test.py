#!/usr/bin/env python3
"""Federated, managed and agent identities: who serves as whom, and what becomes of trouble."""
import json
import time
import unittest

import harness
from harness import CLIENT_SECRET, JO, SAM, Purser
from identities import (AIDE, AIDE_USER, BLUEPRINT, IDENTITIES, MACHINE, POD_APP, SHARED, SUBJECT,
                        VM_APP, Tenant)
from oauth import claims_of, new_claims

ELSEWHERE = "99999999-9999-4999-8999-999999999999"


class IdentityCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(Tenant())
        cls.purser = cls.enterClassContext(
            Purser(cls.entra, cls.entra.configure,
                   environment={"IDENTITY_HEADER": cls.entra.identity_header}))
        cls.enrol()

    @classmethod
    def enrol(cls, secret=CLIENT_SECRET):
        done = cls.purser.cli("secret", "set", "blueprint", stdin=secret)
        assert done.returncode == 0, done.stdout + done.stderr + cls.purser.log()

    def ask(self, agent, **members):
        if agent == "aide-obo":
            members.setdefault("user_assertion", self.entra.user_token())
        return self.purser.token(agent, IDENTITIES[agent], **members)

    def granted(self, agent, **members):
        reply = self.ask(agent, **members)
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        return reply.json()

    def refused(self, agent, reason, **members):
        answer = self.ask(agent, **members).json()
        self.assertEqual(answer.get("reason"), reason, f"{answer}\n{self.purser.log()}")
        self.assertNotIn("access_token", answer)
        entry = self.purser.ledger_lines()[answer["audit"]["seq"] - 1]
        self.assertEqual((entry["type"], entry["reason"]), ("token.denied", reason))

    def restart(self):
        """So that nothing is cached, and no trouble remembered."""
        self.purser.stop()
        self.purser.start()


class Serving(IdentityCase):
    def test_everybody_is_served_as_themselves(self):
        rows = [("pod", POD_APP, POD_APP, "app"), ("vm", MACHINE, MACHINE, "app"),
                ("shared", SHARED, SHARED, "app"), ("site", MACHINE, MACHINE, "app"),
                ("arc", MACHINE, MACHINE, "app"), ("vm-app", VM_APP, VM_APP, "app"),
                ("aide", AIDE, AIDE, "app"), ("aide-obo", AIDE, JO, "user"),
                ("aide-user", AIDE, AIDE_USER, "user")]
        for agent, client, subject, idtyp in rows:
            with self.subTest(agent):
                token = self.granted(agent)["access_token"]
                claims = claims_of(token)
                self.assertEqual((claims["appid"], claims["oid"], claims["idtyp"]),
                                 (client, subject, idtyp))
                asked = self.entra.requests("token") + self.entra.requests("imds")
                self.assertEqual(self.granted(agent)["access_token"], token)
                self.assertEqual(self.entra.requests("token") + self.entra.requests("imds"), asked)

    def test_a_platforms_token_is_read_again_for_each_request(self):
        for _ in range(2):
            projected = self.entra.project()
            self.granted("pod", claims=new_claims())
            seen = [secret["value"] for secret in self.entra.secrets()
                    if secret["kind"] == "client_assertion" and secret["event"] == "seen"]
            self.assertIn(projected, seen)

    def test_an_agent_identity_takes_its_legs_anew_each_time(self):
        for agent, legs in (("aide", 2), ("aide-obo", 2), ("aide-user", 3)):
            for _ in range(2):
                asked = self.entra.requests("token")
                self.granted(agent, claims=new_claims())
                self.assertEqual(self.entra.requests("token"), asked + legs, agent)

    def test_whose_secret_proves_it_is_in_the_ledger_before_the_release(self):
        for agent in ("aide", "aide-obo", "aide-user"):
            answer = self.granted(agent, claims=new_claims())
            entries = self.purser.ledger_lines()[:answer["audit"]["seq"]]
            since = [(entry["type"], entry["credential"]["name"]) for entry in entries[-3:]]
            self.assertEqual(since, [("credential.access", agent),
                                     ("credential.access", "blueprint"), ("token.issued", agent)])

    def test_agents_that_act_for_users_have_one_token_for_each(self):
        tokens = {user: self.granted("aide-obo", user_assertion=self.entra.user_token(user))
                  ["access_token"] for user in (JO, SAM)}
        for user, token in tokens.items():
            self.assertEqual(claims_of(token)["oid"], user)
            again = self.granted("aide-obo", user_assertion=self.entra.user_token(user))
            self.assertEqual(again["access_token"], token)


class Refusing(IdentityCase):
    def tearDown(self):
        self.entra.clear_faults()
        self.entra.project()
        self.entra.registration(AIDE, enabled=True)
        self.entra.registration(BLUEPRINT, secrets=[CLIENT_SECRET])
        self.entra.user(AIDE_USER, enabled=True, agent_identity=AIDE)

    def test_a_platforms_token_that_is_not_trusted(self):
        now = int(time.time())
        rows = [("another subject", {"subject": "system:serviceaccount:agents:other"}),
                ("another audience", {"aud": "https://kubernetes.default.svc"}),
                ("another issuer", {"iss": "https://issuer.example"}),
                ("expired", {"exp": now - 600, "nbf": now - 7200}),
                ("empty", {"text": "\n"}), ("no token", {"text": "not a token"})]
        for name, projected in rows:
            with self.subTest(name):
                self.restart()
                self.entra.project(**projected)
                self.refused("pod", "store_unavailable" if name == "empty" else
                             "credential_rejected")
        self.restart()
        self.entra.token_file.unlink()
        self.refused("pod", "store_unavailable")
        self.entra.project()
        self.granted("pod")

    def test_trouble_with_managed_identities(self):
        rows = [({"status": 500}, "upstream_unavailable"), ({"status": 404}, "upstream_unavailable"),
                ({"status": 429}, "upstream_throttled"), ({"status": 410}, "upstream_throttled"),
                ({"status": 403}, "credential_rejected"), ({"drop": "before"}, "upstream_unavailable"),
                ({"body": "invalid_json"}, "upstream_invalid"), ({"body": "huge"}, "upstream_invalid")]
        for fault, reason in rows:
            with self.subTest(fault):
                self.restart()
                self.entra.fault(endpoint="imds", **fault)
                self.refused("vm", reason)
                self.refused("vm-app", reason)  # whose proof it is
                self.entra.clear_faults()

    def test_an_identity_that_the_machine_does_not_have(self):
        self.restart()
        self.entra.registration(SHARED, managed_identity="")
        self.refused("shared", "principal_disabled")
        self.granted("vm")  # never in its stead, and never instead of it
        self.entra.registration(SHARED, managed_identity="user")
        self.restart()
        self.entra.registration(MACHINE, managed_identity="")
        for agent in ("vm", "site", "arc"):
            self.refused(agent, "principal_disabled")
        self.granted("shared")
        self.entra.registration(MACHINE, managed_identity="system")

    def test_another_identitys_token_is_never_released(self):
        rows = [("vm", {"appid": SHARED, "oid": SHARED}), ("aide", {"appid": BLUEPRINT}),
                ("aide-user", {"oid": JO}),
                ("aide-user", {"idtyp": "app", "scp": None, "roles": ["Mail.Read"]}),
                ("aide-obo", {"oid": SAM})]
        for agent, claims in rows:
            with self.subTest(agent):
                self.restart()
                self.entra.fault(claims=claims, endpoint="any")
                self.refused(agent, "minted_mismatch")
                self.entra.clear_faults()
                self.granted(agent)

    def test_an_agent_identity_without_its_blueprint_its_user_or_its_life(self):
        stranger = "cccccccc-0000-4000-8000-00000000000f"
        def spoil_secret():
            self.entra.registration(BLUEPRINT, secrets=["another"])
        def disable():
            self.entra.registration(AIDE, enabled=False)
        def give_user_away():
            self.entra.user(AIDE_USER, agent_identity=stranger)
        def disable_user():
            self.entra.user(AIDE_USER, enabled=False)
        rows = [(spoil_secret, "aide", "credential_rejected"),
                (spoil_secret, "aide-user", "credential_rejected"),
                (disable, "aide", "principal_disabled"), (disable, "aide-obo", "principal_disabled"),
                (give_user_away, "aide-user", "principal_disabled"),
                (disable_user, "aide-user", "principal_disabled")]
        for spoil, agent, reason in rows:
            with self.subTest(f"{spoil.__name__} {agent}"):
                self.restart()
                spoil()
                self.refused(agent, reason)
                self.tearDown()
                self.restart()
                self.granted(agent)

    def test_users_tokens_must_be_for_the_blueprint(self):
        asked = self.entra.requests("token")
        for audience in (AIDE, POD_APP, ELSEWHERE):
            self.refused("aide-obo", "invalid_user_assertion",
                         user_assertion=self.entra.user_token(audience=audience))
        self.refused("aide", "unknown_field", user_assertion=self.entra.user_token())
        self.refused("aide-user", "unknown_field", user_assertion=self.entra.user_token())
        self.assertEqual(self.entra.requests("token"), asked)


if __name__ == "__main__":
    harness.main()
