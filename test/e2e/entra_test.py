#!/usr/bin/env python3
"""Tokens from the development tenant: what is issued, what is refused, and what trouble becomes."""
import tempfile
import unittest

import harness
from harness import (BROAD, CERT_APP, CLIENT_SECRET, HELPDESK, IS_ROOT, JO, MAIL_APP,
                     OTHER_UID, ROBOT, SAM, SECRET_APP, DevTenant, Purser, new_certificate, until)
from oauth import claims_of, new_claims

PAY_APP = "aaaaaaaa-0000-4000-8000-00000000000a"
PAY_SERVICE = "aaaaaaaa-0000-4000-8000-00000000000b"


class PurserCase(unittest.TestCase):
    SOLO = False
    EDIT = None  # of the configuration

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.key, certificate = new_certificate(cls.folder.name)
        cls.entra = cls.enterClassContext(DevTenant())
        cls.entra.settings(device_code_interval_s=1)
        cls.entra.registration(CERT_APP, certificates=[certificate.read_text()])
        cls.purser = cls.enterClassContext(Purser(cls.entra, edit=cls.EDIT, solo=cls.SOLO))
        cls.enrol("secret", "set", "app", stdin=CLIENT_SECRET)
        cls.enrol("secret", "set", "cert", stdin=cls.key.read_text() + certificate.read_text())
        cls.enrol("secret", "set", "web", stdin=CLIENT_SECRET)
        for credential in ("mail", "broad", "web"):
            login = cls.purser.log_in(credential)
            assert login.returncode == 0, login.stdout + cls.purser.log()

    @classmethod
    def enrol(cls, *arguments, stdin):
        done = cls.purser.cli(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr + cls.purser.log()

    def granted(self, reply):
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        return reply.json()

    def refused(self, reply, status, reason):
        answer = reply.json()
        self.assertEqual((reply.status, answer["reason"]), (status, reason), reply)
        return answer


class Issuing(PurserCase):
    def test_a_delegated_token_is_issued_and_graph_takes_it(self):
        answer = self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))
        claims = claims_of(answer["access_token"])
        self.assertEqual((answer["scope"], claims["oid"], claims["appid"]),
                         ("Mail.Read", JO, MAIL_APP))
        messages = self.entra.call_graph("/v1.0/me/messages", answer["access_token"])
        self.assertEqual(len(messages.json()["value"]), 3)
        entry = self.purser.ledger_lines()[answer["audit"]["seq"] - 1]
        self.assertEqual((entry["type"], entry["token"]["uti"]), ("token.issued", claims["uti"]))

    def test_every_kind_of_credential_serves(self):
        rows = [(HELPDESK, "User.Read.All", "roles"), (ROBOT, "User.Read.All", "roles"),
                (ROBOT, "Mail.Read", "scp")]
        for agent, scope, claim in rows:
            with self.subTest(agent=agent, scope=scope):
                answer = self.granted(self.purser.token(agent, [scope]))
                self.assertIn(scope, claims_of(answer["access_token"])[claim])

    def test_a_token_is_minted_once_and_served_from_memory(self):
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))
        before = self.entra.requests("token")
        tokens = {self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))["access_token"]
                  for _ in range(5)}
        self.assertEqual((len(tokens), self.entra.requests("token")), (1, before))

    def test_what_is_refused(self):
        rows = [
            ("no rule", HELPDESK, ["Mail.Send"], "no_rule"),
            ("one granted, one not", HELPDESK, ["Mail.Read", "Mail.Send"], "no_rule"),
            ("granted by two credentials", HELPDESK, ["Mail.Read", "User.Read.All"], "no_rule"),
            ("another resource", HELPDESK, ["api://payroll/Pay.Read"], "no_rule"),
            ("consented to too much", BROAD, ["Mail.Read"], "over_scoped"),
        ]
        for name, agent, scopes, reason in rows:
            with self.subTest(name):
                answer = self.refused(self.purser.token(agent, scopes), 403, reason)
                self.assertNotIn("access_token", answer)
                self.assertIn("Did not run", answer["error_description"])
                entry = self.purser.ledger_lines()[answer["audit"]["seq"] - 1]
                self.assertEqual((entry["type"], entry["reason"]), ("token.denied", reason))

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_another_user_is_refused_before_a_window_reads(self):
        with self.assertRaises(PermissionError):
            self.purser.token(HELPDESK, ["Mail.Read"], uid=OTHER_UID)
        if not self.SOLO:  # root may open the socket, and is not the agent
            reply = self.purser.token(HELPDESK, ["Mail.Read"], uid=0)
            self.refused(reply, 403, "peer_refused")

    def test_another_person_logging_in_is_refused(self):
        login = self.purser.log_in("mail", user=SAM)
        self.assertEqual(login.returncode, 1, login.stdout)
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))

    def test_a_declined_login_is_refused(self):
        self.assertEqual(self.purser.log_in("mail", action="decline").returncode, 1)
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))


class IssuingAsOneUser(Issuing):
    SOLO = True


class AnotherResource(PurserCase):
    """An API of one's own, that Entra knows by its URI: a delegated scope and an app role of it."""
    PAYROLL = "api://payroll"

    @staticmethod
    def EDIT(config):
        pay = AnotherResource.PAYROLL
        config["credential"] |= {
            "pay": {"kind": "refresh-token", "client_id": PAY_APP, "user": JO,
                    "scopes": [f"{pay}/Pay.Read"]},
            "pay-app": {"kind": "client-secret", "client_id": PAY_SERVICE,
                        "scopes": [f"{pay}/Pay.Read.All"]}}
        config["agent"][HELPDESK]["allow"] += [
            harness.rule("read-own-pay", [f"{pay}/Pay.Read"], "pay"),
            harness.rule("read-all-pay", [f"{pay}/Pay.Read.All"], "pay-app")]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.entra.registration(PAY_APP, public_client=True,
                               delegated={cls.PAYROLL: ["Pay.Read"]})
        cls.entra.registration(PAY_SERVICE, secrets=[CLIENT_SECRET],
                               application={cls.PAYROLL: ["Pay.Read.All"]})
        cls.enrol("secret", "set", "pay-app", stdin=CLIENT_SECRET)
        login = cls.purser.log_in("pay")
        assert login.returncode == 0, login.stdout + cls.purser.log()

    def test_its_scopes_and_roles_are_granted(self):
        for scope, claim, held in (("Pay.Read", "scp", ["Pay.Read"]),
                                   ("Pay.Read.All", "roles", ["Pay.Read.All"])):
            with self.subTest(scope):
                answer = self.granted(self.purser.token(HELPDESK, [f"{self.PAYROLL}/{scope}"]))
                claims = claims_of(answer["access_token"])
                self.assertEqual((claims["aud"], answer["scope"]),
                                 (self.PAYROLL, scope))  # what the token says that it can do
                self.assertIn(scope, claims[claim])
                entry = self.purser.ledger_lines()[answer["audit"]["seq"] - 1]
                self.assertEqual((entry["type"], entry["target"]["resource"]),
                                 ("token.issued", self.PAYROLL))

    def test_a_token_of_one_resource_is_none_of_another(self):
        rows = [("a short name means Graph", ["Pay.Read"], "no_rule"),
                ("Graph's scope of this API", [f"{self.PAYROLL}/Mail.Read"], "no_rule"),
                ("another API's", ["api://elsewhere/Pay.Read"], "no_rule")]
        for name, scopes, reason in rows:
            with self.subTest(name):
                self.refused(self.purser.token(HELPDESK, scopes), 403, reason)
        self.entra.fault(count=1, claims={"aud": self.entra.graph})
        self.refused(self.purser.token(HELPDESK, [f"{self.PAYROLL}/Pay.Read"],
                                       claims=new_claims()), 403, "minted_mismatch")


class Renewing(PurserCase):
    def test_a_token_in_use_is_renewed_in_the_background(self):
        self.entra.settings(refresh_in_s=1)

        def ask():
            return self.granted(self.purser.token(HELPDESK, ["User.Read.All"]))["access_token"]
        first = ask()
        self.assertEqual(ask(), first)
        asked = self.entra.requests("token")
        until(lambda: self.entra.requests("token") > asked, timeout=30)  # nobody asks meanwhile
        # The old one is served until the new one is there.
        until(lambda: ask() != first, timeout=30)
        self.assertIn("User.Read.All", claims_of(ask())["roles"])

    def test_a_token_that_nobody_uses_again_is_left_to_lapse(self):
        self.entra.settings(refresh_in_s=1)
        once = self.granted(self.purser.token(ROBOT, ["User.Read.All"]))["access_token"]
        for _ in range(2):  # another that is renewed, twice, is the clock of this test
            self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))
            asked = self.minted(MAIL_APP)
            until(lambda: self.granted(self.purser.token(HELPDESK, ["Mail.Read"])) and
                  self.minted(MAIL_APP) > asked, timeout=30)
        self.assertEqual(self.minted(CERT_APP), 1)

    def minted(self, client_id):
        return sum(claims_of(secret["value"])["appid"] == client_id
                   for secret in self.entra.secrets() if secret["kind"] == "access_token")


class Trouble(PurserCase):
    """What the tenant does wrong, one credential afresh each time so that no breaker remembers."""

    def tearDown(self):
        self.entra.clear_faults()
        self.entra.user(JO, enabled=True)
        self.entra.registration(SECRET_APP, enabled=True, secrets=[CLIENT_SECRET])
        for credential in ("app", "mail"):  # enrolling anew closes the breaker and forgets the past
            if credential == "app":
                self.enrol("secret", "set", "app", stdin=CLIENT_SECRET)
            else:
                self.assertEqual(self.purser.log_in("mail").returncode, 0)

    def mint(self, scope="User.Read.All"):
        return self.purser.token(HELPDESK, [scope], claims=new_claims())

    def test_wrong_tokens_are_never_released(self):
        rows = [
            ("another audience", {"claims": {"aud": "https://elsewhere.example"}}, "minted_mismatch"),
            ("another tenant", {"claims": {"tid": JO}}, "minted_mismatch"),
            ("another application", {"claims": {"appid": MAIL_APP}}, "minted_mismatch"),
            ("a role too many", {"extra_scopes": ["Directory.ReadWrite.All"]}, "over_scoped"),
            ("a user's token for an app", {"claims": {"idtyp": "user"}}, "minted_mismatch"),
        ]
        for name, fault, reason in rows:
            with self.subTest(name):
                self.entra.fault(count=1, **fault)
                self.refused(self.mint(), 403, reason)
                self.entra.clear_faults()

    def test_a_token_for_another_user_is_never_released(self):
        self.entra.fault(count=1, claims={"oid": SAM})
        self.refused(self.mint("Mail.Read"), 403, "minted_mismatch")

    def test_nonsense_is_upstream_invalid(self):
        for body in ("invalid_json", "truncated", "empty", "html", "array", "duplicate_key"):
            with self.subTest(body):
                self.entra.fault(count=2, body=body)
                self.refused(self.mint(), 502, "upstream_invalid")
                self.entra.clear_faults()

    def test_one_transient_failure_is_retried(self):
        self.entra.fault(count=1, status=503, code=90033)
        self.granted(self.mint())

    def test_an_outage_is_unavailable_and_a_valid_token_outlives_it(self):
        self.granted(self.purser.token(HELPDESK, ["User.Read.All"]))
        for fault in ({"status": 503, "code": 90033}, {"drop": "before"}, {"tls": "wrong_ca"},
                      {"tls": "wrong_name"}, {"tls": "expired"}):
            with self.subTest(fault=fault):
                self.entra.fault(**fault)
                self.granted(self.purser.token(HELPDESK, ["User.Read.All"]))
                answer = self.refused(self.mint(), 503, "upstream_unavailable")
                self.assertTrue(answer["retryable"])
                self.entra.clear_faults()

    def test_throttling_is_obeyed(self):
        self.entra.fault(status=429, code=90055, headers={"Retry-After": "60"})
        self.refused(self.mint(), 503, "upstream_throttled")
        asked = self.entra.requests("token")
        reply = self.mint()
        self.refused(reply, 503, "upstream_throttled")
        self.assertIn("Retry-After", reply.headers)
        self.assertEqual(self.entra.requests("token"), asked)

    def test_a_dead_grant_is_remembered_and_not_retried(self):
        for code in (50173, 700082, 70008):
            with self.subTest(code):
                self.entra.revoke(user=JO, client_id=MAIL_APP, code=code)
                self.refused(self.mint("Mail.Read"), 403, "login_required")
                asked = self.entra.requests("token")
                self.refused(self.mint("Mail.Read"), 403, "login_required")
                self.assertEqual(self.entra.requests("token"), asked)
                self.assertEqual(self.purser.log_in("mail").returncode, 0)
                self.granted(self.mint("Mail.Read"))

    def test_what_entra_refuses_for_good_is_said(self):
        self.entra.user(JO, enabled=False)
        self.refused(self.mint("Mail.Read"), 403, "principal_disabled")
        self.entra.user(JO, enabled=True)
        self.entra.registration(SECRET_APP, secrets=["another"])
        self.refused(self.mint(), 403, "credential_rejected")
        self.entra.fault(count=1, endpoint="token", client_id=MAIL_APP, code=65001)
        self.assertEqual(self.purser.log_in("mail").returncode, 1)


if __name__ == "__main__":
    harness.main()
