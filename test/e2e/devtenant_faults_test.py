#!/usr/bin/env python3
"""The development tenant misbehaves exactly as told, and keeps what it saw of secrets."""
import http.client

import devtenant_test
import harness
from harness import CLIENT_SECRET, MAIL_APP
from oauth import claims_of


class Faults(devtenant_test.TenantCase):
    def test_an_error_for_so_many_requests(self):
        self.entra.fault(status=503, code=90033, count=2, headers={"Retry-After": "3"})
        for _ in range(2):
            reply = self.app_token()
            self.refused(reply, 90033, "temporarily_unavailable")
            self.assertEqual((reply.status, reply.headers["Retry-After"]), (503, "3"))
        self.granted(self.app_token())

    def test_spoilt_bodies(self):
        for body in ("invalid_json", "truncated", "empty", "html"):
            self.entra.fault(count=1, body=body)
            with self.assertRaises(ValueError, msg=body):
                self.app_token().json()
        self.entra.fault(count=1, body="huge")
        self.assertGreater(len(self.app_token().body), 8 << 20)

    def test_dropped_connections(self):
        for drop in ("before", "middle"):
            self.entra.fault(count=1, drop=drop)
            with self.assertRaises((http.client.HTTPException, OSError), msg=drop):
                self.app_token()
        self.granted(self.app_token())

    def test_broken_tls(self):
        for tls in ("close", "wrong_ca", "wrong_name", "expired"):
            self.entra.fault(count=1, tls=tls)
            with self.assertRaises(OSError, msg=tls):
                self.app_token()
        self.granted(self.app_token())

    def test_wrong_tokens(self):
        self.entra.fault(count=1, claims={"appid": MAIL_APP}, extra_scopes=["Mail.Send"],
                         answer={"token_type": "pop"})
        answer = self.granted(self.app_token())
        claims = claims_of(answer["access_token"])
        self.assertEqual((claims["appid"], answer["token_type"]), (MAIL_APP, "pop"))
        self.assertIn("Mail.Send", claims["roles"])

    def test_a_fault_that_it_does_not_know_is_an_error(self):
        for fault in ({"staus": 500}, {"body": "odd"}, {"tls": "weak"}, {"endpoint": "nowhere"}):
            with self.assertRaises(RuntimeError, msg=fault):
                self.entra.fault(**fault)

    def test_every_secret_is_recorded(self):
        login = self.log_in()
        self.granted(self.app_token())
        self.entra.call_graph("/v1.0/me/messages", login["access_token"])
        secrets = self.entra.secrets()
        seen = {(s["kind"], s["event"], s["value"]) for s in secrets}
        self.assertIn(("refresh_token", "issued", login["refresh_token"]), seen)
        self.assertIn(("access_token", "issued", login["access_token"]), seen)
        self.assertIn(("client_secret", "seen", CLIENT_SECRET), seen)
        self.assertIn("device_code", {kind for kind, _, _ in seen})
        where = {(s["kind"], s["event"], s["endpoint"]) for s in secrets}
        self.assertLessEqual({("refresh_token", "issued", "token"), ("access_token", "issued", "token"),
                              ("client_secret", "seen", "token"), ("access_token", "seen", "graph"),
                              ("device_code", "issued", "devicecode"),
                              ("device_code", "seen", "token")}, where)
        self.assertNotIn(("client_secret", "seen", "graph"), where)
        self.assertGreater(self.entra.requests("token"), 0)


if __name__ == "__main__":
    harness.main()
