#!/usr/bin/env python3
"""The development tenant is as strict as Entra."""
import base64
import email.utils
import hashlib
import json
import tempfile
import time
import unittest
import uuid

import harness
from oauth import DEVICE_GRANT, JWT_BEARER, Signer, b64url, claims_of
from harness import (BROAD_APP, CERT_APP, CLIENT_SECRET, JO, MAIL_APP, SAM, SECRET_APP, WEB_APP,
                     DevTenant)


def from_b64url(text, read=bytes):
    return read(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class TenantCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.entra = cls.enterClassContext(DevTenant())
        cls.addClassCleanup(cls.folder.cleanup)
        cls.signer = Signer(cls.folder.name)
        cls.entra.registration(CERT_APP, certificates=[cls.signer.pem])

    def tearDown(self):
        self.entra.clear_faults()
        self.entra.settings(clock_shift_s=0, rotate_strictly=False, access_token_lifetime_s=0,
                            device_code_lifetime_s=900)

    def refused(self, reply, code, error=None):
        self.assertGreaterEqual(reply.status, 400, reply)
        answer = reply.json()
        self.assertEqual(answer["error_codes"], [code], reply)
        if error:
            self.assertEqual(answer["error"], error)

    def granted(self, reply):
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def app_token(self, **changes):
        form = {"grant_type": "client_credentials", "client_id": SECRET_APP,
                "client_secret": CLIENT_SECRET, "scope": self.entra.graph + "/.default"} | changes
        return self.entra.token(**{k: v for k, v in form.items() if v is not None})

    def with_assertion(self, assertion):
        return self.app_token(client_id=CERT_APP, client_secret=None,
                              client_assertion_type=JWT_BEARER, client_assertion=assertion)

    def log_in(self, client_id=MAIL_APP, user=JO, scope="Mail.Read offline_access", **extra):
        started = self.granted(self.entra.devicecode(client_id=client_id, scope=scope))
        self.entra.decide(started["user_code"], user)
        return self.granted(self.entra.token(grant_type=DEVICE_GRANT, client_id=client_id,
                                             device_code=started["device_code"], **extra))

    def refresh(self, token, client_id=MAIL_APP, scope="Mail.Read", **extra):
        return self.entra.token(grant_type="refresh_token", client_id=client_id,
                                refresh_token=token, scope=scope, **extra)


class ClientCredentials(TenantCase):
    def test_an_app_token_has_roles_and_its_answer_no_scope(self):
        answer = self.granted(self.app_token())
        claims = claims_of(answer["access_token"])
        self.assertNotIn("scope", answer)
        self.assertNotIn("refresh_token", answer)
        self.assertEqual(claims["roles"], ["User.Read.All"])
        self.assertEqual(claims["idtyp"], "app")
        self.assertEqual(claims["aud"], self.entra.graph)
        self.assertEqual(claims["appid"], SECRET_APP)
        self.assertNotIn("scp", claims)

    def test_what_is_refused(self):
        graph = self.entra.graph
        rows = [
            ("a wrong secret", {"client_secret": "wrong"}, 7000215, "invalid_client"),
            ("no secret", {"client_secret": None}, 7000218, "invalid_client"),
            ("an unknown client", {"client_id": str(uuid.uuid4())}, 700016, "unauthorized_client"),
            ("no client", {"client_id": None}, 900144, "invalid_request"),
            ("a public client", {"client_id": MAIL_APP, "client_secret": None}, 7000218, None),
            ("a public client with a secret", {"client_id": MAIL_APP}, 700025, "invalid_client"),
            ("a single role", {"scope": graph + "/User.Read.All"}, 1002012, "invalid_scope"),
            ("two resources", {"scope": graph + "/.default api://x/.default"}, 700022, None),
            ("no scope", {"scope": None}, 900144, "invalid_request"),
            ("an unknown resource", {"scope": "api://nowhere/.default"}, 500011, "invalid_resource"),
            ("an unknown grant", {"grant_type": "password"}, 70003, "unsupported_grant_type"),
        ]
        for name, changes, code, error in rows:
            with self.subTest(name):
                self.refused(self.app_token(**changes), code, error)

    def test_nothing_but_its_id_may_stand_in_a_requests_url(self):
        url = f"{self.entra.authority}/{self.entra.tenant_id}/oauth2/v2.0/token"
        form = {"grant_type": "client_credentials", "client_id": SECRET_APP,
                "client_secret": CLIENT_SECRET, "scope": self.entra.graph + "/.default"}
        self.granted(self.entra.https(url + "?client-request-id=1", "POST", form=form))
        for query in ("client_secret=x", "client-request-id=1&client_secret=x"):
            self.refused(self.entra.https(f"{url}?{query}", "POST", form=form), 9002313)

    def test_an_unknown_tenant_an_expired_secret_and_a_disabled_app_are_refused(self):
        self.refused(self.app_token(tenant="elsewhere.example"), 90002)
        self.entra.registration(SECRET_APP, expired_secrets=["old"])
        self.refused(self.app_token(client_secret="old"), 7000222)
        self.entra.registration(SECRET_APP, enabled=False)
        self.refused(self.app_token(), 7000112)
        self.entra.registration(SECRET_APP, enabled=True)

    def test_an_assertion_of_the_registered_certificate_is_good_once(self):
        assertion = self.signer.assertion(self.entra)
        self.granted(self.with_assertion(assertion))
        self.refused(self.with_assertion(assertion), 700027)

    def test_rs256_is_taken_too(self):
        self.granted(self.with_assertion(
            self.signer.assertion(self.entra, header={"alg": "RS256"}, pss=False)))

    def test_assertions_that_are_refused(self):
        now = int(time.time())
        rows = [
            ("an hour long", {}, {"exp": now + 3600}, 700024),
            ("expired", {}, {"nbf": now - 1000, "exp": now - 400}, 700024),
            ("of the future", {}, {"nbf": now + 400, "exp": now + 900}, 700024),
            ("without exp", {}, {"exp": None}, 700024),
            ("without nbf and iat", {}, {"nbf": None, "iat": None}, 700024),
            ("with words for times", {}, {"exp": str(now + 600)}, 700024),
            ("for another endpoint", {}, {"aud": "https://elsewhere.example"}, 700023),
            ("of another issuer", {}, {"iss": MAIL_APP}, 700021),
            ("about another subject", {}, {"sub": MAIL_APP}, 700021),
            ("without jti", {}, {"jti": ""}, 700027),
            ("naming another certificate", {"x5t#S256": b64url(b"x" * 32)}, {}, 700027),
            ("unsigned", {"alg": "none"}, {}, 700027),
            ("signed otherwise than it says", {"alg": "RS256"}, {}, 700027),
        ]
        for name, header, claims, code in rows:
            with self.subTest(name):
                assertion = self.signer.assertion(self.entra, header, claims)
                self.refused(self.with_assertion(assertion), code, "invalid_client")


class Discovery(TenantCase):
    def test_the_published_key_is_the_one_that_signed(self):
        base = f"{self.entra.authority}/{self.entra.tenant_id}"
        document = self.entra.https(f"{base}/v2.0/.well-known/openid-configuration").json()
        self.assertEqual((document["token_endpoint"], document["jwks_uri"]),
                         (f"{base}/oauth2/v2.0/token", f"{base}/discovery/v2.0/keys"))
        keys = {key["kid"]: key for key in self.entra.https(document["jwks_uri"]).json()["keys"]}
        head, body, signature = self.granted(self.app_token())["access_token"].split(".")
        key = keys[from_b64url(head, json.loads)["kid"]]
        self.assertEqual((key["kty"], key.get("use", "sig")), ("RSA", "sig"))
        # RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2), in numbers: what was signed ends with the hash.
        modulus, exponent = (int.from_bytes(from_b64url(key[part])) for part in "ne")
        signed = pow(int.from_bytes(from_b64url(signature)), exponent, modulus)
        digest = hashlib.sha256(f"{head}.{body}".encode()).digest()
        self.assertEqual(signed.to_bytes(modulus.bit_length() // 8)[-32:], digest)

    def test_each_host_says_what_its_clock_shows(self):
        for shift in (0, -7200):
            self.entra.settings(clock_shift_s=shift)
            shown = email.utils.parsedate_to_datetime(self.app_token().headers["Date"])
            self.assertAlmostEqual(shown.timestamp() - shift, time.time(), delta=60)


class DelegatedGrants(TenantCase):
    def test_a_device_login_yields_all_consented_scopes_and_a_refresh_token(self):
        answer = self.log_in(BROAD_APP)
        claims = claims_of(answer["access_token"])
        self.assertEqual(set(claims["scp"].split()), {"Mail.Read", "Mail.Send",
                         "Files.ReadWrite.All", "profile", "openid", "email"})
        self.assertEqual(set(answer["scope"].split()), set(claims["scp"].split()))
        self.assertEqual((claims["oid"], claims["idtyp"]), (JO, "user"))
        self.assertIn("refresh_token", answer)

    def test_without_offline_access_there_is_no_refresh_token(self):
        self.assertNotIn("refresh_token", self.log_in(scope="Mail.Read"))

    def test_a_device_code_pends_is_declined_expires_and_is_redeemed_once(self):
        started = self.entra.devicecode(client_id=MAIL_APP, scope="Mail.Read").json()
        poll = {"grant_type": DEVICE_GRANT, "client_id": MAIL_APP,
                "device_code": started["device_code"]}
        self.refused(self.entra.token(**poll), 70016, "authorization_pending")
        self.refused(self.entra.token(**poll | {"client_id": BROAD_APP}), 70018)
        self.entra.decide(started["user_code"], SAM)
        self.granted(self.entra.token(**poll))
        self.refused(self.entra.token(**poll), 70018, "bad_verification_code")
        for action, shift, code in (("decline", 0, 65004), ("approve", 901, 70019)):
            started = self.entra.devicecode(client_id=MAIL_APP, scope="Mail.Read").json()
            self.entra.decide(started["user_code"], JO, action)
            self.entra.settings(clock_shift_s=shift)
            poll["device_code"] = started["device_code"]
            self.refused(self.entra.token(**poll), code)

    def test_the_login_page_does_what_the_control_interface_does(self):
        started = self.entra.devicecode(client_id=MAIL_APP, scope="Mail.Read").json()
        page = self.entra.https(started["verification_uri"])
        self.assertIn(b"user_code", page.body)
        done = self.entra.https(started["verification_uri"], "POST", form={
            "user_code": started["user_code"], "user": JO, "action": "approve"})
        self.assertEqual(done.status, 200, done)
        self.granted(self.entra.token(grant_type=DEVICE_GRANT, client_id=MAIL_APP,
                                      device_code=started["device_code"]))

    def test_old_refresh_tokens_stay_valid(self):
        first = self.log_in()["refresh_token"]
        second = self.granted(self.refresh(first))["refresh_token"]
        self.assertNotEqual(first, second)
        self.granted(self.refresh(first))
        self.granted(self.refresh(second))

    def test_with_strict_rotation_reuse_kills_the_family(self):
        self.entra.settings(rotate_strictly=True)
        first = self.log_in()["refresh_token"]
        second = self.granted(self.refresh(first))["refresh_token"]
        self.refused(self.refresh(first), 50173, "invalid_grant")
        self.refused(self.refresh(second), 50173, "invalid_grant")

    def test_refreshes_that_are_refused(self):
        token = self.log_in()["refresh_token"]
        self.refused(self.refresh("1.Aunknown"), 70000, "invalid_grant")
        self.refused(self.refresh(token, client_id=BROAD_APP), 70000)
        self.refused(self.refresh(token, scope="Mail.Send"), 65001, "invalid_grant")
        self.refused(self.refresh(token, scope="api://payroll/Pay.Read"), 65001)
        self.refused(self.refresh(token, client_secret="x"), 700025)
        self.entra.user(JO, enabled=False)
        self.refused(self.refresh(token), 50057)
        self.entra.user(JO, enabled=True)
        for code in (70008, 700082, 50173):
            self.entra.revoke(user=JO, client_id=MAIL_APP, code=code)
            self.refused(self.refresh(token), code, "invalid_grant")

    def test_a_confidential_registration_must_authenticate_to_refresh(self):
        token = self.log_in(WEB_APP, client_secret=CLIENT_SECRET)["refresh_token"]
        self.refused(self.refresh(token, WEB_APP), 7000218)
        self.granted(self.refresh(token, WEB_APP, client_secret=CLIENT_SECRET))

    def test_scopes_are_answered_as_they_were_asked(self):
        token = self.log_in()["refresh_token"]
        graph = self.entra.graph
        answer = self.granted(self.refresh(token, scope=f"{graph}/Mail.Read"))
        self.assertIn(f"{graph}/Mail.Read", answer["scope"].split())
        answer = self.granted(self.refresh(token, scope="https://graph.microsoft.com/.default"))
        self.assertEqual(claims_of(answer["access_token"])["aud"], "https://graph.microsoft.com")

    def test_continuous_access_evaluation_makes_long_lived_tokens(self):
        token = self.log_in()["refresh_token"]
        claims = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
        answer = self.granted(self.refresh(token, claims=claims))
        self.assertGreater(answer["expires_in"], 20 * 3600)
        self.assertEqual(claims_of(answer["access_token"])["xms_cc"], ["cp1"])


class Graph(TenantCase):
    def test_scopes_are_enforced(self):
        token = self.log_in()["access_token"]
        self.assertEqual(len(self.entra.call_graph("/v1.0/me/messages", token).json()["value"]), 3)
        mail = {"message": {"subject": "hello"}}
        refused = self.entra.call_graph("/v1.0/me/sendMail", token, "POST", mail)
        self.assertEqual((refused.status, refused.json()["error"]["code"]),
                         (403, "ErrorAccessDenied"))
        broad = self.log_in(BROAD_APP)["access_token"]
        sent = self.entra.call_graph("/v1.0/me/sendMail", broad, "POST", mail)
        self.assertEqual((sent.status, sent.body), (202, b""))
        self.assertEqual(self.entra.call_graph("/v1.0/users", broad).status, 403)

    def test_roles_are_enforced(self):
        token = self.granted(self.app_token())["access_token"]
        self.assertEqual(self.entra.call_graph(f"/v1.0/users/{JO}", token).json()["id"], JO)
        self.assertEqual(self.entra.call_graph("/v1.0/users/nobody", token).status, 404)
        self.assertEqual(self.entra.call_graph("/v1.0/me", token).status, 400)

    def test_a_user_reads_herself_and_an_app_reads_all_users(self):
        reader = str(uuid.uuid4())
        self.entra.registration(reader, public_client=True, delegated={"graph": ["User.Read"]})
        me = self.entra.call_graph("/v1.0/me",
                                   self.log_in(reader, scope="User.Read")["access_token"])
        self.assertEqual((me.status, me.json()["id"], me.json()["displayName"]),
                         (200, JO, "Jo Canary"))
        users = self.entra.call_graph("/v1.0/users",
                                      self.granted(self.app_token())["access_token"])
        self.assertEqual((users.status, {user["id"] for user in users.json()["value"]}),
                         (200, {JO, SAM}))

    def test_audience_tenant_signature_and_expiry_are_enforced(self):
        token = self.log_in()["access_token"]
        head, body, signature = token.split(".")
        forged = claims_of(token) | {"scp": "Mail.Read Mail.Send"}
        for bad in ("", "nonsense", f"{head}.{b64url(forged)}.{signature}", f"{head}.{body}."):
            self.assertEqual(self.entra.call_graph("/v1.0/me/messages", bad).status, 401, bad)
        for claims in ({"aud": "https://elsewhere.example"}, {"tid": str(uuid.uuid4())}):
            self.entra.fault(count=1, claims=claims)
            wrong = self.log_in()["access_token"]
            self.assertEqual(self.entra.call_graph("/v1.0/me/messages", wrong).status, 401)
        self.entra.settings(clock_shift_s=2 * 3600)
        self.assertEqual(self.entra.call_graph("/v1.0/me/messages", token).status, 401)


if __name__ == "__main__":
    harness.main()
