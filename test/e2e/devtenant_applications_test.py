#!/usr/bin/env python3
"""The development tenant's applications change their secrets and certificates as Graph's do."""
import base64
import datetime
import tempfile
import time
import unittest
import uuid

import clients
import harness
from harness import CERT_APP, CLIENT_SECRET, SECRET_APP
from identities import AIDE, BLUEPRINT, tenant_with_identities
from oauth import JWT_BEARER, Signer

clients.install_python()
import msal  # noqa: E402  (it stands where that put it)

ADMIN = "dddddddd-0000-4000-8000-000000000001"   # may do everything with applications
OWNER = "dddddddd-0000-4000-8000-000000000002"   # owns SECRET_APP, and may change what it owns
READER = "dddddddd-0000-4000-8000-000000000003"  # may read applications
KEEPER = "dddddddd-0000-4000-8000-000000000004"  # may change blueprints' credentials
CAST = "/microsoft.graph.agentIdentityBlueprint"


def tenant():
    def app(client_id, *roles):
        return {"client_id": client_id, "name": "admin", "secrets": [CLIENT_SECRET],
                "application": {"graph": list(roles)}}
    made = tenant_with_identities()
    made["registrations"] += [app(ADMIN, "Application.ReadWrite.All"),
                              app(OWNER, "Application.ReadWrite.OwnedBy"),
                              app(READER, "Application.Read.All"),
                              app(KEEPER, "AgentIdentityBlueprint.AddRemoveCreds.All")]
    return made


class ApplicationCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(harness.DevTenant(tenant()))
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.old, cls.new = (Signer(cls.enterClassContext(tempfile.TemporaryDirectory()))
                            for _ in range(2))
        cls.entra.registration(SECRET_APP, owners=[OWNER])

    def setUp(self):
        self.entra.settings(propagation_requests=0, propagation_ms=0, clock_shift_s=0)
        for client in (CERT_APP, BLUEPRINT):
            self.entra.registration(client, certificates=[self.old.pem])
        self.entra.registration(SECRET_APP, secrets=[CLIENT_SECRET])

    def path(self, client_id, action="", cast=""):
        return f"/v1.0/applications/{self.entra.registered(client_id)['object_id']}{cast}{action}"

    def ask(self, client_id, **proof):
        proof = proof or {"client_secret": CLIENT_SECRET}
        return self.entra.token(grant_type="client_credentials", client_id=client_id,
                                scope=self.entra.graph + "/.default", **proof)

    def token_of(self, client_id):
        """An app-only token, as Microsoft's own client gets it."""
        credential = CLIENT_SECRET if client_id not in (CERT_APP, BLUEPRINT) else {
            "private_key": self.old.key.read_text(), "public_certificate": self.old.pem}
        app = msal.ConfidentialClientApplication(
            client_id, authority=f"{self.entra.authority}/{self.entra.tenant_id}",
            instance_discovery=False, client_credential=credential)
        return app.acquire_token_for_client([self.entra.graph + "/.default"])["access_token"]

    def call(self, caller, path, body=None, method="POST"):
        return self.entra.call_graph(path, self.token_of(caller), method, body)

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.json()["error"]["code"]), (status, code), reply)
        self.assertIn("request-id", reply.json()["error"]["innerError"])

    def key_body(self, client_id, signer=None, **changes):
        object_id = self.entra.registered(client_id)["object_id"]
        key = {"type": "AsymmetricX509Cert", "usage": "Verify",
               "key": base64.b64encode(self.new.der).decode()}
        return {"keyCredential": key, "passwordCredential": None,
                "proof": (signer or self.old).proof(object_id)} | changes

    def good_secret(self, reply):
        self.assertEqual(reply.status, 200, reply)
        return reply.json()


class Passwords(ApplicationCase):
    def add(self, caller=ADMIN, client_id=SECRET_APP, cast="", **credential):
        return self.call(caller, self.path(client_id, "/addPassword", cast),
                         {"passwordCredential": credential})

    def test_a_secret_is_shown_once_lives_two_years_and_is_good_at_once(self):
        added = self.good_secret(self.add(displayName="next"))
        self.assertGreaterEqual(len(added["secretText"]), 16)
        self.assertTrue(added["secretText"].startswith(added["hint"]))
        self.assertEqual(self.ask(SECRET_APP, client_secret=added["secretText"]).status, 200)
        self.assertEqual(self.ask(SECRET_APP).status, 200, "the old one stays")
        shown = self.call(READER, self.path(SECRET_APP), method="GET").json()
        mine = next(p for p in shown["passwordCredentials"] if p["keyId"] == added["keyId"])
        self.assertIsNone(mine["secretText"])
        start, end = (datetime.datetime.fromisoformat(mine[name].removesuffix("Z"))
                      for name in ("startDateTime", "endDateTime"))
        self.assertEqual((end - start).days, 730)

    def test_the_owner_may_name_the_application_by_its_app_id(self):
        path = f"/v1.0/applications(appId='{SECRET_APP}')/addPassword"
        added = self.good_secret(self.call(OWNER, path, {}))
        self.assertEqual(self.ask(SECRET_APP, client_secret=added["secretText"]).status, 200)

    def test_a_removed_secret_is_an_unknown_one(self):
        added = self.good_secret(self.add())
        body = {"keyId": added["keyId"]}
        removed = self.call(ADMIN, self.path(SECRET_APP, "/removePassword"), body)
        self.assertEqual((removed.status, removed.body), (204, b""))
        again = self.call(ADMIN, self.path(SECRET_APP, "/removePassword"), body)
        self.refused(again, 400, "Request_BadRequest")
        reply = self.ask(SECRET_APP, client_secret=added["secretText"])
        self.assertEqual(reply.json()["error_codes"], [7000215])

    def test_a_secret_ends_when_it_was_asked_to(self):
        soon = datetime.datetime.fromtimestamp(time.time() + 3600, datetime.timezone.utc)
        added = self.good_secret(self.add(endDateTime=soon.strftime("%Y-%m-%dT%H:%M:%SZ")))
        self.entra.settings(clock_shift_s=3700)
        reply = self.ask(SECRET_APP, client_secret=added["secretText"])
        self.assertEqual(reply.json()["error_codes"], [7000222])

    def test_a_new_secret_has_to_arrive_at_the_token_endpoint(self):
        self.entra.settings(propagation_requests=2)
        added = self.good_secret(self.add())
        replies = [self.ask(SECRET_APP, client_secret=added["secretText"]) for _ in range(3)]
        self.assertEqual([r.status for r in replies], [401, 401, 200])
        self.assertEqual(replies[0].json()["error_codes"], [7000215])

    def test_who_may_not(self):
        denied = (403, "Authorization_RequestDenied")
        for name, caller, client in [
                ("without a permission", SECRET_APP, SECRET_APP),
                ("an owner with another's", OWNER, CERT_APP),
                ("a reader", READER, SECRET_APP),
                ("a keeper of blueprints", KEEPER, SECRET_APP),
                ("an administrator with a blueprint", ADMIN, BLUEPRINT)]:
            with self.subTest(name):
                self.refused(self.add(caller, client), *denied)
        self.refused(self.add(ADMIN, BLUEPRINT, CAST), *denied)
        self.refused(self.add(KEEPER, BLUEPRINT), *denied)
        self.assertEqual(self.add(KEEPER, BLUEPRINT, CAST).status, 200)

    def test_what_is_no_request_of_a_secret(self):
        bad = (400, "Request_BadRequest")
        for name, credential in [("its text", {"secretText": "chosen"}),
                                 ("an unknown property", {"scope": "all"}),
                                 ("no time", {"endDateTime": "tomorrow"}),
                                 ("an end that passed", {"endDateTime": "2020-01-01T00:00:00Z"})]:
            with self.subTest(name):
                self.refused(self.add(**credential), *bad)
        absent = (404, "Request_ResourceNotFound")
        for path in (f"/v1.0/applications/{SECRET_APP}/addPassword",  # that is no object id
                     f"/v1.0/applications(appId='{uuid.uuid4()}')/addPassword",
                     self.path(SECRET_APP, "/addPassword", CAST),
                     self.path(AIDE, "/addPassword")):
            self.refused(self.call(ADMIN, path, {}), *absent)


class Keys(ApplicationCase):
    def test_an_application_rolls_its_own_certificate_without_a_permission(self):
        for client, cast in ((CERT_APP, ""), (BLUEPRINT, CAST)):
            with self.subTest(client):
                before = self.entra.registered(client)
                added = self.call(client, self.path(client, "/addKey", cast),
                                  self.key_body(client))
                self.assertEqual(added.status, 200, added)
                self.assertNotIn(added.json()["keyId"], [k["keyId"] for k in before["keys"]])
                removal = {"keyId": before["keys"][0]["keyId"],
                           "proof": self.new.proof(before["object_id"])}
                removed = self.call(client, self.path(client, "/removeKey", cast), removal)
                self.assertEqual((removed.status, removed.body), (204, b""))
                left = [k["keyId"] for k in self.entra.registered(client)["keys"]]
                self.assertEqual(left, [added.json()["keyId"]])

    def assertion(self, signer):
        return {"client_assertion_type": JWT_BEARER, "client_assertion": signer.assertion(self.entra)}

    def test_a_new_certificate_has_to_arrive_and_a_removed_one_is_unknown(self):
        self.entra.settings(propagation_requests=1)
        self.assertEqual(self.call(CERT_APP, self.path(CERT_APP, "/addKey"),
                                   self.key_body(CERT_APP)).status, 200)
        replies = [self.ask(CERT_APP, **self.assertion(self.new)) for _ in range(2)]
        self.assertEqual([r.status for r in replies], [401, 200])
        self.assertEqual(replies[0].json()["error_codes"], [700027])
        state = self.entra.registered(CERT_APP)
        self.call(CERT_APP, self.path(CERT_APP, "/removeKey"),
                  {"keyId": state["keys"][0]["keyId"], "proof": self.old.proof(state["object_id"])})
        reply = self.ask(CERT_APP, **self.assertion(self.old))
        self.assertEqual(reply.json()["error_codes"], [700027])

    def test_proofs_that_prove_nothing(self):
        object_id, now = self.entra.registered(CERT_APP)["object_id"], int(time.time())
        proof = self.old.proof
        malformed = (401, "Authentication_MissingOrMalformed")
        for name, value in [
                ("none", None),
                ("by a key it has not", self.new.proof(object_id)),
                ("of the application id", proof(CERT_APP)),
                ("for Microsoft Graph's own id",
                 proof(object_id, claims={"aud": "00000003-0000-0000-c000-000000000000"})),
                ("eleven minutes long", proof(object_id, claims={"exp": now + 660})),
                ("ended", proof(object_id, claims={"nbf": now - 1200, "exp": now - 600})),
                ("not begun", proof(object_id, claims={"nbf": now + 600, "exp": now + 1200})),
                ("without an end", proof(object_id, claims={"exp": None})),
                ("with padding", proof(object_id) + "="),
                ("unsigned", proof(object_id, header={"alg": "none"})),
                ("signed otherwise than it says", proof(object_id, header={"alg": "PS256"}))]:
            with self.subTest(name):
                body = self.key_body(CERT_APP, proof=value)
                self.refused(self.call(CERT_APP, self.path(CERT_APP, "/addKey"), body), *malformed)
                key_id = self.entra.registered(CERT_APP)["keys"][0]["keyId"]
                self.refused(self.call(CERT_APP, self.path(CERT_APP, "/removeKey"),
                                       {"keyId": key_id, "proof": value}), *malformed)

    def test_a_certificate_that_expired_proves_nothing(self):
        token = self.token_of(ADMIN)
        self.entra.settings(clock_shift_s=500 * 24 * 3600)  # the certificates live 400 days
        token = self.token_of(ADMIN)
        now = int(time.time()) + 500 * 24 * 3600
        object_id = self.entra.registered(CERT_APP)["object_id"]
        body = self.key_body(CERT_APP, proof=self.old.proof(
            object_id, claims={"nbf": now, "exp": now + 600}))
        self.refused(self.entra.call_graph(self.path(CERT_APP, "/addKey"), token, "POST", body),
                     401, "Authentication_MissingOrMalformed")

    def test_what_is_no_certificate_to_add(self):
        good = self.key_body(CERT_APP)["keyCredential"]
        for name, change in [
                ("another type", {"keyCredential": good | {"type": "X509CertAndPassword"}}),
                ("to sign", {"keyCredential": good | {"usage": "Sign"}}),
                ("no certificate", {"keyCredential": good | {"key": "aGVsbG8="}}),
                ("PEM", {"keyCredential": good | {"key": self.new.pem}}),
                ("an end that passed",
                 {"keyCredential": good | {"endDateTime": "2020-01-01T00:00:00Z"}}),
                ("with a password", {"passwordCredential": {"secretText": "x"}}),
                ("nothing", {"keyCredential": None})]:
            with self.subTest(name):
                reply = self.call(CERT_APP, self.path(CERT_APP, "/addKey"),
                                  self.key_body(CERT_APP, **change))
                self.refused(reply, 400, "Request_BadRequest")
        removal = {"keyId": str(uuid.uuid4()), "proof": self.key_body(CERT_APP)["proof"]}
        self.refused(self.call(CERT_APP, self.path(CERT_APP, "/removeKey"), removal), 400,
                     "Request_BadRequest")

    def test_who_may_not_change_anothers_keys_even_with_a_proof(self):
        denied = (403, "Authorization_RequestDenied")
        for caller in (SECRET_APP, READER, OWNER, KEEPER):
            reply = self.call(caller, self.path(CERT_APP, "/addKey"), self.key_body(CERT_APP))
            self.refused(reply, *denied)
        reply = self.call(BLUEPRINT, self.path(BLUEPRINT, "/addKey"), self.key_body(BLUEPRINT))
        self.refused(reply, *denied)  # a blueprint has an address of its own
        self.assertEqual(self.call(ADMIN, self.path(CERT_APP, "/addKey"),
                                   self.key_body(CERT_APP)).status, 200)


class Reading(ApplicationCase):
    def test_who_sees_which_applications(self):
        everyone = self.call(READER, "/v1.0/applications", method="GET").json()["value"]
        self.assertEqual({a["appId"] for a in everyone if a["appId"] in (SECRET_APP, AIDE)},
                         {SECRET_APP})
        owned = self.call(OWNER, "/v1.0/applications", method="GET").json()["value"]
        self.assertEqual([a["appId"] for a in owned], [SECRET_APP])
        one = self.call(READER, f"/v1.0/applications?$filter=appId%20eq%20'{CERT_APP}'",
                        method="GET").json()["value"]
        self.assertEqual([a["id"] for a in one], [self.entra.registered(CERT_APP)["object_id"]])
        self.assertNotEqual(one[0]["id"], CERT_APP)

    def test_an_application_may_not_even_read_itself_without_a_permission(self):
        denied = (403, "Authorization_RequestDenied")
        self.refused(self.call(SECRET_APP, self.path(SECRET_APP), method="GET"), *denied)
        self.refused(self.call(SECRET_APP, "/v1.0/applications", method="GET"), *denied)
        self.refused(self.call(OWNER, self.path(CERT_APP), method="GET"), *denied)
        self.refused(self.call(READER, "/v1.0/applications?$filter=tags%20ne%20null",
                               method="GET"), 400, "Request_UnsupportedQuery")


if __name__ == "__main__":
    harness.main()
