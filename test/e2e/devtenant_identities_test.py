#!/usr/bin/env python3
"""The development tenant is as strict as Entra with users' tokens, platforms and agent identities."""
import pathlib
import time
import unittest

import harness
from harness import CLIENT_SECRET, JO, SAM, SECRET_APP
from identities import (AIDE, AIDE_USER, BLUEPRINT, MACHINE, POD_APP, SHARED, SUBJECT, VM_APP,
                        Tenant)
from oauth import JWT_BEARER, b64url, claims_of

OBO_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "api://AzureADTokenExchange"
STRANGER = "cccccccc-0000-4000-8000-00000000000f"
MAIL = "https://graph.microsoft.com/Mail.Read"


class IdentityCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(Tenant())
        cls.entra.registration(BLUEPRINT, delegated={"graph": ["Mail.Read"]})
        cls.entra.registration(STRANGER, secrets=[CLIENT_SECRET])

    def refused(self, code, **form):
        reply = self.entra.token(**form)
        self.assertGreaterEqual(reply.status, 400, reply)
        self.assertEqual(reply.json()["error_codes"], [code], reply)

    def granted(self, **form):
        reply = self.entra.token(**form)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def tampered(self, token, **claims):
        header, _, signature = token.split(".")
        return f"{header}.{b64url(claims_of(token) | claims)}.{signature}"


class OnBehalfOf(IdentityCase):
    def form(self, valid, **changes):
        form = {"grant_type": OBO_GRANT, "client_id": BLUEPRINT, "client_secret": CLIENT_SECRET,
                "assertion": valid, "requested_token_use": "on_behalf_of", "scope": MAIL}
        return {k: v for k, v in (form | changes).items() if v is not None}

    def test_a_users_token_becomes_the_users_token_for_graph(self):
        for audience in (BLUEPRINT, f"api://{BLUEPRINT}"):
            answer = self.granted(**self.form(self.entra.user_token(SAM, audience)))
            claims = claims_of(answer["access_token"])
            self.assertEqual((claims["oid"], claims["appid"], claims["idtyp"]),
                             (SAM, BLUEPRINT, "user"))
            self.assertNotIn("refresh_token", answer)
        offline = self.form(self.entra.user_token(), scope=MAIL + " offline_access")
        self.assertIn("refresh_token", self.granted(**offline))

    def test_what_is_refused(self):
        user, now = self.entra.user_token, int(time.time())
        rows = [("another audience", 50013, {"assertion": user(audience=STRANGER)}),
                ("tampered with", 50013, {"assertion": self.tampered(user(), oid=SAM)}),
                ("no token", 50013, {"assertion": "opaque"}),
                ("expired", 500133, {"assertion": user(exp=now - 301)}),
                ("not valid yet", 500133, {"assertion": user(nbf=now + 600)}),
                ("an application's", 7000114, {"assertion": user(idtyp="app", scp=None)}),
                ("an unknown user", 50034, {"assertion": user(oid=STRANGER)}),
                ("no assertion", 900144, {"assertion": None}),
                ("no use", 900144, {"requested_token_use": None}),
                ("another use", 9002313, {"requested_token_use": "impersonation"}),
                ("no proof of the client", 7000218, {"client_secret": None}),
                ("a wrong proof", 7000215, {"client_secret": "another"}),
                ("no consent", 65001, {"scope": "https://graph.microsoft.com/Mail.Send"})]
        for name, code, changes in rows:
            with self.subTest(name):
                self.refused(code, **self.form(user(), **changes))
        self.entra.user(JO, enabled=False)
        self.refused(50057, **self.form(user()))
        self.entra.user(JO, enabled=True)


class Federated(IdentityCase):
    def form(self, assertion, client_id=POD_APP, **changes):
        return {"grant_type": "client_credentials", "client_id": client_id,
                "client_assertion_type": JWT_BEARER, "client_assertion": assertion,
                "scope": self.entra.graph + "/.default"} | changes

    def test_a_platforms_token_proves_who_trusts_it_more_than_once(self):
        token = self.entra.project()
        for _ in range(2):
            answer = self.granted(**self.form(token))
            self.assertEqual(claims_of(answer["access_token"])["appid"], POD_APP)

    def test_what_is_refused(self):
        now, project = int(time.time()), self.entra.project
        rows = [("another issuer", 700211, project(iss="https://issuer.example")),
                ("another subject", 700213, project(subject="somebody")),
                ("another audience", 700212, project(aud="https://kubernetes.default.svc")),
                ("expired", 700024, project(nbf=now - 9000, exp=now - 600)),
                ("tampered with", 700027, self.tampered(project(subject="x"), sub=SUBJECT)),
                ("no token", 700027, "opaque")]
        for name, code, assertion in rows:
            with self.subTest(name):
                self.refused(code, **self.form(assertion))
        self.refused(700027, **self.form(project(), client_id=SECRET_APP))  # trusts nobody

    def test_a_managed_identitys_token_proves_who_trusts_it(self):
        token = self.entra.ask_imds(resource=EXCHANGE).json()["access_token"]
        self.granted(**self.form(token, client_id=VM_APP))
        other = self.entra.ask_imds(resource=EXCHANGE, client_id=SHARED).json()["access_token"]
        self.refused(700213, **self.form(other, client_id=VM_APP))
        self.refused(700211, **self.form(token))


class ManagedIdentities(IdentityCase):
    def test_an_answer_is_as_these_endpoints_have_it(self):
        for extra, client in (({}, MACHINE), ({"client_id": SHARED}, SHARED)):
            answer = self.entra.ask_imds(**extra).json()
            self.assertEqual(claims_of(answer["access_token"])["appid"], client)
            self.assertIsInstance(answer["expires_in"], str)
            self.assertIsInstance(answer["expires_on"], str)

    def test_what_is_refused(self):
        rows = [("no header", 400, {"headers": {}}),
                ("forwarded", 400, {"headers": {"Metadata": "true", "X-Forwarded-For": "::1"}}),
                ("unknown identity", 400, {"client_id": STRANGER}),
                ("system-assigned by name", 400, {"client_id": MACHINE}),
                ("two names", 400, {"client_id": SHARED, "object_id": SHARED}),
                ("unknown parameter", 400, {"tenant": "x"}),
                ("another version", 400, {"version": "2017-01-01"}),
                ("no resource", 400, {"resource": ""})]
        for name, status, changes in rows:
            with self.subTest(name):
                self.assertEqual(self.entra.ask_imds(**changes).status, status)

    def test_app_service_wants_its_header(self):
        site = {"path": "/msi/token", "version": "2019-08-01"}
        for header, status in ((self.entra.identity_header, 200), ("another", 401)):
            reply = self.entra.ask_imds(headers={"X-IDENTITY-HEADER": header}, **site)
            self.assertEqual(reply.status, status, reply)

    def test_arc_wants_a_key_that_only_this_machine_can_read_and_each_but_once(self):
        arc = {"path": "/arc/metadata/identity/oauth2/token", "version": "2020-06-01"}
        challenged = self.entra.ask_imds(**arc)
        self.assertEqual(challenged.status, 401)
        place = challenged.headers["WWW-Authenticate"].removeprefix("Basic realm=")
        key = {"Metadata": "true", "Authorization": "Basic " + pathlib.Path(place).read_text()}
        for status in (200, 401):
            self.assertEqual(self.entra.ask_imds(headers=key, **arc).status, status)


class AgentIdentities(IdentityCase):
    def first_leg(self, **changes):
        return {"grant_type": "client_credentials", "client_id": BLUEPRINT,
                "client_secret": CLIENT_SECRET, "scope": EXCHANGE + "/.default",
                "fmi_path": AIDE} | changes

    def as_agent(self, proof=None, **changes):
        proof = proof or self.granted(**self.first_leg())["access_token"]
        return {"grant_type": "client_credentials", "client_id": AIDE,
                "client_assertion_type": JWT_BEARER, "client_assertion": proof,
                "scope": self.entra.graph + "/.default"} | changes

    def as_its_user(self, **changes):
        second = self.granted(**self.as_agent(scope=EXCHANGE + "/.default"))["access_token"]
        form = self.as_agent(grant_type="user_fic", user_federated_identity_credential=second,
                             user_id=AIDE_USER) | changes
        return {k: v for k, v in form.items() if v is not None}

    def test_it_acts_as_itself_for_a_user_and_as_its_own_account(self):
        users = self.as_agent(grant_type=OBO_GRANT, assertion=self.entra.user_token(),
                              requested_token_use="on_behalf_of")
        for form, oid in ((self.as_agent(), AIDE), (users, JO), (self.as_its_user(), AIDE_USER),
                          (self.as_its_user(user_id=None, username="aide@contoso.example"),
                           AIDE_USER)):
            claims = claims_of(self.granted(**form)["access_token"])
            self.assertEqual((claims["appid"], claims["oid"], claims["xms_par_app_azp"]),
                             (AIDE, oid, BLUEPRINT))

    def test_first_legs_that_are_refused(self):
        self.refused(700016, **self.first_leg(client_id=STRANGER))
        self.refused(700016, **self.first_leg(fmi_path=STRANGER))
        self.refused(7000215, **self.first_leg(client_secret="another"))
        self.refused(82001, **self.first_leg(scope=self.entra.graph + "/.default"))
        form = self.first_leg()
        del form["fmi_path"]
        self.refused(82001, **form)

    def test_an_agent_without_its_own_blueprints_word_is_refused(self):
        form = self.as_agent()
        del form["client_assertion"], form["client_assertion_type"]
        self.refused(7000218, **form)
        self.refused(7000215, **form, client_secret=CLIENT_SECRET)
        self.refused(700211, **self.as_agent(self.entra.project(subject=AIDE)))
        machine = self.entra.ask_imds(resource=EXCHANGE).json()["access_token"]
        self.refused(700213, **self.as_agent(machine))
        own = self.granted(**self.as_agent(scope=EXCHANGE + "/.default"))["access_token"]
        self.refused(700213, **self.as_agent(own))  # the second leg's token is not a first's
        with self.assertRaises(RuntimeError):
            self.entra.registration(AIDE, secrets=["an agent holds none"])

    def test_another_account_than_its_own_is_refused(self):
        self.refused(50034, **self.as_its_user(user_id=JO))
        self.refused(9002313, **self.as_its_user(user_id=None))
        first = self.granted(**self.first_leg())["access_token"]
        self.refused(50013, **self.as_its_user(user_federated_identity_credential=first))
        self.refused(50013, **self.as_agent(
            grant_type=OBO_GRANT, assertion=self.entra.user_token(audience=AIDE),
            requested_token_use="on_behalf_of"))


if __name__ == "__main__":
    harness.main()
