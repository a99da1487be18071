#!/usr/bin/env python3
"""The development tenant's authorization code flow is as strict as Entra's."""
import hashlib
import unittest
import urllib.parse

import harness
from browser import changed, parameters, sign_in
from harness import (CLIENT_SECRET, JO, MAIL_APP, SAM, SECRET_APP, WEB_APP, DevTenant)
from oauth import b64url, claims_of

VERIFIER = "a-verifier-of-forty-three-characters-or-more.~"
CHALLENGE = b64url(hashlib.sha256(VERIFIER.encode()).digest())
HERE = "http://localhost:40123"


class AuthorizationCode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.endpoint = f"{cls.entra.authority}/{cls.entra.tenant_id}/oauth2/v2.0/authorize"

    def tearDown(self):
        self.entra.settings(clock_shift_s=0)

    def address(self, **changes):
        query = {"response_type": "code", "client_id": MAIL_APP, "redirect_uri": HERE,
                 "scope": "Mail.Read offline_access", "state": "a state & more",
                 "code_challenge": CHALLENGE, "code_challenge_method": "S256"} | changes
        return self.endpoint + "?" + urllib.parse.urlencode(
            {name: value for name, value in query.items() if value is not None})

    def code(self, user=JO, **changes):
        return parameters(sign_in(self.entra, self.address(**changes), user))["code"]

    def redeem(self, code, **changes):
        form = {"grant_type": "authorization_code", "client_id": MAIL_APP, "code": code,
                "redirect_uri": HERE, "code_verifier": VERIFIER,
                "scope": "Mail.Read offline_access"} | changes
        return self.entra.token(**{name: value for name, value in form.items()
                                   if value is not None})

    def refused(self, reply, code, error):
        answer = reply.json()
        self.assertEqual((answer["error_codes"], answer["error"]), ([code], error), reply)

    def test_who_signs_in_gets_a_code_that_yields_tokens_of_that_user(self):
        for user in (JO, SAM):
            back = sign_in(self.entra, self.address(), user)
            self.assertTrue(back.startswith(HERE + "?"), back)
            self.assertEqual(parameters(back)["state"], "a state & more")
            reply = self.redeem(parameters(back)["code"])
            self.assertEqual(reply.status, 200, reply)
            answer = reply.json()
            claims = claims_of(answer["access_token"])
            self.assertEqual((claims["oid"], claims["appid"]), (user, MAIL_APP))
            self.assertIn("Mail.Read", claims["scp"].split())
            again = self.entra.token(grant_type="refresh_token", client_id=MAIL_APP,
                                     refresh_token=answer["refresh_token"], scope="Mail.Read")
            self.assertEqual(again.status, 200, again)

    def test_a_confidential_client_proves_itself_too(self):
        code = self.code(client_id=WEB_APP, code_challenge=None, code_challenge_method=None)
        reply = self.redeem(code, client_id=WEB_APP, client_secret=CLIENT_SECRET,
                            code_verifier=None)
        self.assertEqual(reply.status, 200, reply)
        code = self.code(client_id=WEB_APP)
        self.refused(self.redeem(code, client_id=WEB_APP), 7000218, "invalid_client")

    def test_a_code_serves_once_and_only_what_asked_for_it(self):
        rows = [("another verifier", {"code_verifier": VERIFIER + "x"}, 501481, "invalid_grant"),
                ("no verifier", {"code_verifier": None}, 501481, "invalid_grant"),
                ("the challenge as the verifier", {"code_verifier": CHALLENGE}, 501481,
                 "invalid_grant"),
                ("another port", {"redirect_uri": "http://localhost:40124"}, 500112,
                 "invalid_client"),
                ("no redirect URI", {"redirect_uri": None}, 900144, "invalid_request"),
                ("another application", {"client_id": WEB_APP, "client_secret": CLIENT_SECRET},
                 70000, "invalid_grant"),
                ("a public client with a secret", {"client_secret": CLIENT_SECRET}, 700025,
                 "invalid_client"),
                ("no code", {"code": "1.AQx"}, 70000, "invalid_grant")]
        for name, changes, code, error in rows:
            with self.subTest(name):
                self.refused(self.redeem(**{"code": self.code()} | changes), code, error)
        with self.subTest("used"):
            used = self.code()
            self.assertEqual(self.redeem(used).status, 200)
            self.refused(self.redeem(used), 54005, "invalid_grant")
        with self.subTest("a verifier for a code without a challenge"):
            plain = self.code(code_challenge=None, code_challenge_method=None)
            self.refused(self.redeem(plain), 501481, "invalid_grant")
        with self.subTest("old"):
            old = self.code()
            self.entra.settings(clock_shift_s=601)
            self.refused(self.redeem(old), 70008, "invalid_grant")

    def test_nobody_is_sent_to_an_address_that_the_application_does_not_have(self):
        rows = [("of another host", {"redirect_uri": "http://elsewhere.example"}, "AADSTS50011"),
                ("that begins like it", {"redirect_uri": "http://localhost:1.example"},
                 "AADSTS50011"),
                ("of another path", {"redirect_uri": HERE + "/callback"}, "AADSTS50011"),
                ("of another scheme", {"redirect_uri": "https://localhost:40123"}, "AADSTS50011"),
                ("absent", {"redirect_uri": None}, "AADSTS900971"),
                ("of an application that has none", {"client_id": SECRET_APP}, "AADSTS50011"),
                ("of nobody", {"client_id": SAM}, "AADSTS700016"),
                ("of no application", {"client_id": None}, "AADSTS900144")]
        for name, changes, code in rows:
            with self.subTest(name):
                for method, form in (("GET", None), ("POST", {"user": JO, "action": "approve"})):
                    reply = self.entra.https(self.address(**changes), method, form=form)
                    self.assertEqual((reply.status, "Location" in reply.headers), (400, False))
                    self.assertIn(code, reply.body.decode())
        elsewhere = self.address().replace(self.entra.tenant_id, SAM)
        self.assertIn(b"AADSTS90002", self.entra.https(elsewhere).body)
        self.assertEqual(self.entra.https(self.address() + "&state=twice").status, 400)

    def test_other_faults_go_back_to_the_application(self):
        rows = [("another response type", {"response_type": "token"}, "unsupported_response_type"),
                ("another response mode", {"response_mode": "fragment"}, "invalid_request"),
                ("a challenge in the clear", {"code_challenge_method": "plain"}, "invalid_request"),
                ("a challenge without a method", {"code_challenge_method": None},
                 "invalid_request"),
                ("a short challenge", {"code_challenge": "x"}, "invalid_request"),
                ("two resources", {"scope": "Mail.Read api://payroll/Pay.Read"}, "invalid_scope")]
        for name, changes, error in rows:
            with self.subTest(name):
                back = self.entra.https(self.address(**changes))
                self.assertEqual(back.status, 302, back)
                answer = parameters(back.headers["Location"])
                self.assertEqual((answer["error"], answer["state"], "code" in answer),
                                 (error, "a state & more", False))

    def test_who_declines_or_is_unknown_sends_no_code(self):
        for user, action, error in ((JO, "decline", "access_denied"),
                                    (MAIL_APP, "approve", "invalid_grant")):
            answer = parameters(sign_in(self.entra, self.address(), user, action))
            self.assertEqual((answer["error"], "code" in answer), (error, False))

    def test_a_changed_address_is_another_one(self):
        self.assertEqual(parameters(changed(self.address(), state=None, scope="x"))["scope"], "x")
        self.assertNotIn("state", parameters(changed(self.address(), state=None)))


if __name__ == "__main__":
    harness.main()
