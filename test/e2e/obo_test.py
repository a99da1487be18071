#!/usr/bin/env python3
"""Agents that act for users: each user's own token, for a proven user alone."""
import base64
import json
import time
import unittest

import harness
from harness import CLIENT_SECRET, HELPDESK, JO, SAM, DevTenant, Purser, default_tenant, rule
from oauth import b64url, claims_of, new_claims

OBO_APP = "aaaaaaaa-0000-4000-8000-000000000006"  # what users' clients call the agent as
DESK = "desk"
DESKS = [DESK, "desk-2", "desk-3"]
ELSEWHERE = "99999999-9999-4999-8999-999999999999"


def acting_for_users(config):
    """An agent that may read the mail of whoever calls it."""
    config["credential"]["obo-app"] = {"kind": "client-secret", "client_id": OBO_APP}
    config["credential"]["obo"] = {"kind": "on-behalf-of", "client_id": OBO_APP,
                                   "proof": "obo-app", "scopes": ["Mail.Read"]}
    for desk in DESKS:
        config["agent"][desk] = dict(config["agent"][HELPDESK], allow=[
            rule("read-mail", ["Mail.Read"], "obo"), rule("read-users", ["User.Read.All"], "app")])


def tenant_with_app(secret=CLIENT_SECRET):
    tenant = default_tenant()
    for registration in tenant["registrations"]:
        if "secrets" in registration:
            registration["secrets"] = [secret]
    tenant["registrations"].append({"client_id": OBO_APP, "name": "agent-desk", "secrets": [secret],
                                    "delegated": {"graph": ["Mail.Read"]}})
    return tenant


def user_token(entra, user, audience=OBO_APP, **claims):
    """What a user's client would call the agent with."""
    made = entra.control("POST", "/user-tokens",
                         {"user": user, "audience": audience, "claims": claims})
    return made["token"]


def with_parts(token, header=None, claims=None, signature=None):
    """The token with parts of another."""
    parts = token.split(".")
    if header:
        head = json.loads(base64.urlsafe_b64decode(parts[0] + "=="))
        parts[0] = b64url(head | header)
    if claims:
        parts[1] = b64url(claims_of(token) | claims)
    if signature is not None:
        parts[2] = signature
    return ".".join(parts)


class OboCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant_with_app()))
        cls.purser = cls.enterClassContext(Purser(cls.entra, acting_for_users))
        for credential in ("app", "obo-app"):
            done = cls.purser.cli("secret", "set", credential, stdin=CLIENT_SECRET)
            assert done.returncode == 0, done.stdout + done.stderr + cls.purser.log()

    def tearDown(self):
        self.entra.clear_faults()
        for user in (JO, SAM):
            self.entra.user(user, enabled=True)

    def ask(self, assertion, scope="Mail.Read", desk=DESK, **members):
        if assertion is not None:
            members["user_assertion"] = assertion
        return self.purser.token(desk, [scope], **members)

    def granted(self, reply):
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        return reply.json()

    def refused(self, reply, status, reason):
        """The answer, whose entry in the ledger says the same."""
        answer = reply.json()
        self.assertEqual((reply.status, answer["reason"]), (status, reason), reply)
        entry = self.entry_of(answer)
        self.assertEqual((entry["type"], entry["reason"]), ("token.denied", reason))
        self.assertIn(entry["agent"]["name"], DESKS)
        self.assertNotIn("access_token", answer)
        return answer

    def entry_of(self, answer):
        return self.purser.ledger_lines()[answer["audit"]["seq"] - 1]


class Acting(OboCase):
    def test_each_user_has_a_token_of_their_own_that_is_kept_for_them_alone(self):
        tokens = {}
        for user in (JO, SAM):
            first = self.granted(self.ask(user_token(self.entra, user)))
            tokens[user] = first["access_token"]
            claims = claims_of(first["access_token"])
            self.assertEqual((claims["oid"], claims["appid"]), (user, OBO_APP))
            self.assertEqual(self.entry_of(first)["user"], {"oid": user})
        minted = self.entra.requests("token")
        for _ in range(3):
            for user in (JO, SAM, SAM, JO):  # with a new assertion each time
                again = self.granted(self.ask(user_token(self.entra, user)))
                self.assertEqual(again["access_token"], tokens[user])
                self.assertEqual(self.entry_of(again)["user"], {"oid": user})
        self.assertEqual(self.entra.requests("token"), minted)
        self.assertNotEqual(tokens[JO], tokens[SAM])
        self.assertEqual(self.entra.requests("keys"), 1)
        mail = self.entra.call_graph("/v1.0/me/messages", tokens[JO])
        self.assertEqual(mail.status, 200)

    def test_who_the_user_is_stands_in_the_ledger_before_the_secret_that_serves_is_read(self):
        asked = len(self.purser.ledger_lines())
        self.granted(self.ask(user_token(self.entra, JO), claims='{"access_token":{}}'))
        since = [entry for entry in self.purser.ledger_lines()[asked:]
                 if entry["type"] in ("credential.access", "token.issued")]
        self.assertEqual([entry["type"] for entry in since],
                         ["credential.access", "credential.access", "token.issued"])
        self.assertEqual({entry["user"]["oid"] for entry in since}, {JO})

    def test_a_form_and_both_versions_of_tokens_serve(self):
        v1 = user_token(self.entra, SAM, audience=f"api://{OBO_APP}", ver="1.0",
                        iss=f"https://sts.windows.net/{self.entra.tenant_id}/")
        form = f"grant_type=client_credentials&scope=Mail.Read&user_assertion={v1}"
        reply = self.purser.request(DESK, "POST", "/v1/token", form,
                                    {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(claims_of(self.granted(reply)["access_token"])["oid"], SAM)

    def test_the_longest_token_beside_the_longest_request(self):
        groups, token = [], user_token(self.entra, JO)
        while len(token) < 15_800:
            groups += [ELSEWHERE] * 8
            token = user_token(self.entra, JO, groups=groups)
        self.assertLess(len(token), 16_385)
        text = "\u00e4" * 200
        context = {"purpose": text, "task": text, "requested_by": text}
        claims = json.dumps({"access_token": {"pad": {"value": "c" * 4000}}})
        answer = self.granted(self.ask(token, claims=claims, context=context))
        self.assertEqual(claims_of(answer["access_token"])["oid"], JO)

    def test_doctor_takes_nothing_that_it_cannot_try_for_a_fault(self):
        findings = json.loads(self.purser.cli("--json", "doctor").stdout)["findings"]
        of_obo = [found for found in findings if found["what"].startswith("credential obo")]
        self.assertEqual([found["level"] for found in of_obo], ["good"], of_obo)
        self.assertIn("not tried", of_obo[0]["what"])

    def test_dry_run_says_whether_a_user_is_needed_and_verifies_nobody(self):
        self.assertEqual(self.granted(self.ask("any", dry_run=True))["decision"], "allow")
        self.refused(self.ask(None, dry_run=True), 400, "missing_field")


class Refusing(OboCase):
    def test_whoever_is_not_proven_gets_nothing_and_entra_is_not_asked(self):
        good = user_token(self.entra, SAM)
        self.granted(self.ask(good))                          # there is a kept token to be had
        self.granted(self.ask(user_token(self.entra, JO)))
        now = int(time.time())
        graph = self.granted(self.ask(good))["access_token"]
        rows = [
            ("for another application", user_token(self.entra, JO, audience=ELSEWHERE)),
            ("for Graph", graph),
            ("of another issuer", user_token(self.entra, JO, iss="https://issuer.example/v2.0")),
            ("of another tenant's issuer",
             user_token(self.entra, JO, iss=f"https://sts.windows.net/{ELSEWHERE}/")),
            ("of another tenant", user_token(self.entra, JO, tid=ELSEWHERE)),
            ("of no tenant", user_token(self.entra, JO, tid=None)),
            ("expired", user_token(self.entra, JO, exp=now - 301)),
            ("without an end", user_token(self.entra, JO, exp=None)),
            ("not valid yet", user_token(self.entra, JO, nbf=now + 600)),
            ("of an application", user_token(self.entra, JO, idtyp="app", scp=None, roles=["R"])),
            ("of nobody", user_token(self.entra, JO, oid=None)),
            ("of somebody who is no GUID", user_token(self.entra, JO, oid="jo")),
            ("another user written in", with_parts(good, claims={"oid": JO})),
            ("a longer life written in", with_parts(good, claims={"exp": now + 7200})),
            ("unsigned", with_parts(good, header={"alg": "none"}, signature="")),
            ("said to be HMAC", with_parts(good, header={"alg": "HS256"})),
            ("of an unknown key", with_parts(good, header={"kid": "another"})),
            ("of a key elsewhere", with_parts(good, header={"jku": "https://evil.example/k"})),
            ("another's signature", with_parts(good, signature=graph.split(".")[2])),
            ("no signature", good.rpartition(".")[0] + "."),
            ("two parts", good.rpartition(".")[0]),
            ("opaque", "0.AXYAopaque"),
            ("a Bearer header", "Bearer " + good),
        ]
        minted = self.entra.requests("token")
        # Of several agents: more than ten equal refusals of one a minute are counted together.
        for i, (name, assertion) in enumerate(rows):
            with self.subTest(name):
                answer = self.refused(self.ask(assertion, desk=DESKS[i % len(DESKS)]), 400,
                                      "invalid_user_assertion")
                entry = self.entry_of(answer)
                self.assertNotIn("user", entry)               # nobody was proven
                self.assertNotIn(assertion[:16], json.dumps(answer))
        self.assertEqual(self.entra.requests("token"), minted)

    def test_a_user_is_neither_left_out_nor_ignored(self):
        minted = self.entra.requests("token")
        jo = user_token(self.entra, JO)
        self.refused(self.ask(None), 400, "missing_field")
        self.refused(self.ask(""), 400, "value_out_of_range")
        self.refused(self.ask("a" * 16_385), 400, "value_out_of_range")
        self.refused(self.ask([jo]), 400, "wrong_type")
        self.refused(self.ask(jo, scope="User.Read.All"), 400, "unknown_field")
        self.refused(self.ask(jo, scope="Mail.Send"), 403, "no_rule")
        self.assertEqual(self.entra.requests("token"), minted)

    def test_a_token_for_somebody_else_is_neither_released_nor_kept(self):
        fresh = '{"access_token":{"n":{"value":"1"}}}'
        self.entra.fault(count=1, claims={"oid": SAM})
        self.refused(self.ask(user_token(self.entra, JO), claims=fresh), 403, "minted_mismatch")
        for user in (JO, SAM):
            answer = self.granted(self.ask(user_token(self.entra, user)))
            self.assertEqual(claims_of(answer["access_token"])["oid"], user)

    def test_one_users_trouble_is_not_the_others(self):
        fresh = '{"access_token":{"n":{"value":"2"}}}'
        self.entra.user(JO, enabled=False)
        self.refused(self.ask(user_token(self.entra, JO), claims=fresh), 403, "principal_disabled")
        self.granted(self.ask(user_token(self.entra, SAM), claims=fresh))
        self.granted(self.ask(user_token(self.entra, SAM)))

    def test_what_only_the_user_can_mend_is_said_so(self):
        wanted = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
        self.entra.fault(count=1, code=50076, claims_challenge=json.dumps(wanted))
        answer = self.refused(self.ask(user_token(self.entra, SAM), claims=new_claims()), 403,
                              "interaction_required")
        self.assertEqual(json.loads(answer["claims"]), wanted)
        self.assertIn("the user who signs in", answer["error_description"])
        self.entra.fault(count=1, code=500133)
        answer = self.refused(self.ask(user_token(self.entra, SAM), claims=new_claims()), 400,
                              "invalid_user_assertion")
        self.assertNotIn("claims", answer)
        self.granted(self.ask(user_token(self.entra, SAM), claims=new_claims()))


class WithoutKeys(OboCase):
    def test_without_the_tenants_keys_nobody_is_proven(self):
        jo = user_token(self.entra, JO)
        self.entra.fault(endpoint="keys", status=503, code=90033)
        answer = self.refused(self.ask(jo), 503, "upstream_unavailable")
        self.assertTrue(answer["retryable"])
        self.assertEqual(self.entra.requests("token"), 0)
        self.assertNotIn("user", self.entry_of(answer))
        self.entra.clear_faults()
        harness.until(lambda: self.ask(jo).status == 200)


if __name__ == "__main__":
    harness.main()
