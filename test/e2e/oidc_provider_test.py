#!/usr/bin/env python3
"""purser against npm oidc-provider, an OAuth 2.0 server that its authors did not write.

The provider is installed with npm on first use; see clients.py.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import clients
import harness
from harness import (BROAD, CERT_APP, HELPDESK, JO, MAIL_APP, ROBOT, TENANT_ID, DevTenant, Program,
                     Purser)
from oauth import DEVICE_GRANT, JWT_BEARER, Signer, claims_of, new_claims

HERE = pathlib.Path(__file__).resolve().parent / "oidc_provider"


class OidcProvider(DevTenant):
    """The provider in DevTenant's clothes: the same attributes, another server behind them."""

    def __init__(self, certificate):
        super().__init__()
        self.client_certificate = certificate

    def __enter__(self):
        modules = clients.install_npm(HERE)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="oidc-"))
        os.chmod(self.dir, 0o755)
        self.tenant_id, self.ca_file = TENANT_ID, self.dir / "server.pem"
        self.control_socket = self.dir / "control.sock"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", self.dir / "server.key", "-out", self.ca_file],
                       check=True, capture_output=True)
        config = {"tenant_id": TENANT_ID, "key": str(self.dir / "server.key"),
                  "certificate": str(self.ca_file), "control": str(self.control_socket),
                  "user": JO,
                  "clients": [{"client_id": MAIL_APP, "scopes": ["Mail.Read"]},
                              {"client_id": CERT_APP, "scopes": ["User.Read.All"],
                               "certificate": str(self.client_certificate)}]}
        (self.dir / "config.json").write_text(json.dumps(config))
        self.program = Program(["node", modules / "server.mjs", self.dir / "config.json"])
        try:
            ready = json.loads(self.program.wait_for_line(lambda line: line.startswith("{")))
        except BaseException:
            self.__exit__()
            raise
        self.authority, self.graph = ready["authority"], ready["graph"]
        return self

    def __exit__(self, *_):
        self.program.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def decide(self, user_code, user=JO, action="approve"):
        return self.control("POST", f"/{action}", {"user_code": user_code, "user": user})

    def refresh_tokens(self):
        return self.control("GET", "/refresh_tokens")

    def revoke_token(self, token):
        """RFC 7009, by the client that the token was issued to."""
        return self.https(f"{self.authority}/{TENANT_ID}/oauth2/v2.0/revoke", "POST",
                          form={"client_id": MAIL_APP, "token": token})


class ProviderCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.signer = Signer(folder.name)
        cls.entra = cls.enterClassContext(OidcProvider(pathlib.Path(folder.name) / "cert.pem"))


class TheServer(ProviderCase):
    """The provider by itself: what the tests below rely on."""

    def log_in(self):
        started = self.entra.devicecode(
            client_id=MAIL_APP, scope=f"{self.entra.graph}/Mail.Read offline_access").json()
        poll = {"grant_type": DEVICE_GRANT, "client_id": MAIL_APP,
                "device_code": started["device_code"]}
        self.assertEqual(self.entra.token(**poll).json()["error"], "authorization_pending")
        self.entra.decide(started["user_code"])
        reply = self.entra.token(**poll)
        self.assertEqual(reply.status, 200, reply)
        return reply.json()

    def refresh(self, token):
        return self.entra.token(grant_type="refresh_token", client_id=MAIL_APP,
                                refresh_token=token, scope=f"{self.entra.graph}/Mail.Read")

    def test_device_login_yields_a_token_in_entras_shape(self):
        claims = claims_of(self.log_in()["access_token"])
        self.assertEqual((claims["tid"], claims["appid"], claims["oid"], claims["aud"]),
                         (TENANT_ID, MAIL_APP, JO, self.entra.graph))
        self.assertEqual(claims["scp"].split()[0], "Mail.Read")

    def test_refresh_tokens_rotate_and_reuse_ends_the_grant(self):
        first = self.log_in()["refresh_token"]
        second = self.refresh(first).json()["refresh_token"]
        self.assertNotEqual(first, second)
        self.assertEqual(self.refresh(first).json()["error"], "invalid_grant")
        self.assertEqual(self.refresh(second).json()["error"], "invalid_grant")

    def test_a_revoked_refresh_token_is_refused(self):
        token = self.log_in()["refresh_token"]
        self.assertEqual(self.entra.revoke_token(token).status, 200)
        self.assertEqual(self.refresh(token).json()["error"], "invalid_grant")

    def test_client_credentials_take_a_ps256_assertion_once(self):
        form = {"grant_type": "client_credentials", "client_id": CERT_APP,
                "scope": f"{self.entra.graph}/.default", "client_assertion_type": JWT_BEARER,
                "client_assertion": self.signer.assertion(self.entra)}
        reply = self.entra.token(**form)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(claims_of(reply.json()["access_token"])["roles"], ["User.Read.All"])
        self.assertEqual(self.entra.token(**form).json()["error"], "invalid_client")


def only_its_clients(config):
    """The configuration's credentials and agents that this server's two clients can serve."""
    config["credential"] = {name: config["credential"][name] for name in ("mail", "cert")}
    del config["agent"][BROAD]
    helpdesk, robot = config["agent"][HELPDESK], config["agent"][ROBOT]
    helpdesk["allow"] = [rule for rule in helpdesk["allow"] if rule["credential"] == "mail"]
    robot["allow"] = [rule for rule in robot["allow"] if rule["credential"] == "cert"]


class PurserWithIt(ProviderCase):
    """The product, as it is, against that server."""

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra, edit=only_its_clients))
        login = self.purser.log_in("mail")
        self.assertEqual(login.returncode, 0, login.stdout)

    def granted(self, reply):
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        return reply.json()

    def refused(self, reply, reason):
        self.assertEqual((reply.status, reply.json()["reason"]), (403, reason), reply)

    def test_a_device_login_serves_tokens(self):
        answer = self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))
        self.assertEqual(claims_of(answer["access_token"])["oid"], JO)
        self.refused(self.purser.token(HELPDESK, ["Mail.Send"]), "no_rule")

    def test_each_refresh_uses_the_rotated_token(self):
        before = len(self.entra.refresh_tokens())
        for _ in range(3):
            self.granted(self.purser.token(HELPDESK, ["Mail.Read"], claims=new_claims()))
        self.assertGreaterEqual(len(self.entra.refresh_tokens()) - before, 3)

    def test_a_rotated_token_survives_a_restart(self):
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))
        self.purser.stop()
        self.purser.start()
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))

    def test_reuse_of_an_old_token_ends_the_grant_and_purser_says_login(self):
        first = self.entra.refresh_tokens()[-1]
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))  # its first use
        stolen = self.entra.token(grant_type="refresh_token", client_id=MAIL_APP,
                                  refresh_token=first)
        self.assertEqual(stolen.json()["error"], "invalid_grant")
        self.purser.stop()
        self.purser.start()
        self.refused(self.purser.token(HELPDESK, ["Mail.Read"]), "login_required")

    def test_a_revoked_grant_needs_a_login_and_a_login_mends_it(self):
        self.entra.revoke_token(self.entra.refresh_tokens()[-1])
        self.refused(self.purser.token(HELPDESK, ["Mail.Read"]), "login_required")
        self.assertEqual(self.purser.log_in("mail").returncode, 0)
        self.granted(self.purser.token(HELPDESK, ["Mail.Read"]))

    def test_a_certificate_serves_app_tokens(self):
        pem = self.signer.key.read_text() + self.signer.pem
        stored = self.purser.cli("secret", "set", "cert", stdin=pem)
        self.assertEqual(stored.returncode, 0, stored.stdout + stored.stderr)
        answer = self.granted(self.purser.token(ROBOT, ["User.Read.All"]))
        self.assertEqual(claims_of(answer["access_token"])["roles"], ["User.Read.All"])


if __name__ == "__main__":
    harness.main()
