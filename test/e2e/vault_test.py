#!/usr/bin/env python3
"""purser with its secrets elsewhere: in a Key Vault, signed for there, and in mounted files."""
import json
import os
import pathlib
import tempfile
import time
import unittest

import harness
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, SECRET_APP, DevTenant, Purser, default_tenant, rule, until
from oauth import claims_of

READER = ["Key Vault Secrets User", "Key Vault Crypto User", "Key Vault Certificate User"]
VAULTED = {"vault-secret": ("client-secret", SECRET_APP, "app-secret"),
           "vault-cert": ("certificate", CERT_APP, "app-cert"),
           "vault-key": ("key-vault-key", CERT_APP, "app-cert")}


class VaultCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: READER},
                           "secrets": {"app-secret": {"value": CLIENT_SECRET}},
                           "certificates": {"app-cert": {}}}
        cls.entra = cls.enterClassContext(DevTenant(tenant))
        made = cls.entra.control("GET", "/vault/certificates/app-cert")
        cls.entra.registration(CERT_APP, certificates=[made["certificate"]])
        cls.files = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        os.chmod(cls.files, 0o755)
        cls.mount("file-secret", CLIENT_SECRET + "\n")
        cls.purser = cls.enterClassContext(Purser(cls.entra, cls.vaulted))
        done = cls.purser.cli("secret", "set", "vault-reader", stdin=CLIENT_SECRET)
        assert done.returncode == 0, done.stdout + done.stderr + cls.purser.log()

    @classmethod
    def mount(cls, name, text, mode=0o400):
        path = cls.files / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        os.chmod(path, mode)

    @classmethod
    def vaulted(cls, config):
        """One agent for each credential, all of which may have the same scope."""
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": cls.entra.vault,
                                    "auth": "credential:vault-reader"},
                           "files": {"kind": "mounted-files", "path": str(cls.files)}}
        config["credential"]["vault-reader"] = {"kind": "client-secret", "client_id": SECRET_APP}
        agent = config["agent"][HELPDESK]
        for name, (kind, client, secret) in VAULTED.items():
            config["credential"][name] = {"kind": kind, "client_id": client, "vault": "corp",
                                          "name": secret, "scopes": ["User.Read.All"]}
        config["credential"]["file"] = {"kind": "client-secret", "client_id": SECRET_APP,
                                        "vault": "files", "name": "file-secret",
                                        "scopes": ["User.Read.All"]}
        for name in [*VAULTED, "file"]:
            config["agent"][name] = dict(agent, allow=[rule("read", ["User.Read.All"], name)])

    def tearDown(self):
        self.entra.clear_faults()

    def ask(self, agent):
        return self.purser.token(agent, ["User.Read.All"])

    def granted(self, agent):
        reply = self.ask(agent)
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        return reply.json()

    def refused(self, agent, reason):
        answer = self.ask(agent).json()
        self.assertEqual(answer.get("reason"), reason, f"{answer}\n{self.purser.log()}")

    def restart(self):
        """So that nothing is cached."""
        self.purser.stop()
        self.purser.start()


class Serving(VaultCase):
    def test_every_kind_is_served_from_where_its_secret_is(self):
        for name in [*VAULTED, "file"]:
            with self.subTest(name):
                token = self.granted(name)["access_token"]
                client = VAULTED.get(name, (None, SECRET_APP))[1]
                self.assertEqual(claims_of(token)["appid"], client)

    def test_an_access_to_the_vault_is_in_the_ledger_with_host_and_version_before_the_release(self):
        self.restart()
        for name in VAULTED:
            with self.subTest(name):
                answer = self.granted(name)
                before = self.purser.ledger_lines()[:answer["audit"]["seq"] - 1]
                found = [entry for entry in before if entry["type"] == "credential.access"
                         and entry["credential"]["name"] == name
                         and entry["target"].get("id") == "localhost"]
                self.assertTrue(found, before[-5:])
                self.assertTrue(found[-1]["credential"]["version"])

    def test_a_key_that_signs_in_its_vault_never_comes_here(self):
        def read():
            return [secret for secret in self.entra.secrets()
                    if secret["kind"] == "vault_secret" and secret["event"] == "issued"]
        self.restart()
        before = len(read())
        self.granted("vault-key")
        self.assertEqual(len(read()), before)
        self.granted("vault-cert")
        self.assertGreater(len(read()), before)


class Refusing(VaultCase):
    def test_what_the_vault_refuses_is_a_typed_error_and_no_other_secret_serves(self):
        rows = [({"endpoint": "vault", "status": 503, "count": 20}, "store_unavailable"),
                ({"endpoint": "vault", "status": 429, "count": 20}, "store_unavailable")]
        for fault, reason in rows:
            with self.subTest(fault):
                self.restart()
                self.entra.fault(**fault)
                reply = self.ask("vault-secret")
                self.assertEqual(reply.json()["reason"], reason, self.purser.log())
                self.assertGreater(int(reply.headers["Retry-After"]), 0)
                self.assertEqual(self.ask("file").status, 200)
                self.entra.clear_faults()

    def change(self, what, **change):
        self.entra.control("POST", f"/vault/{what}", change)

    def test_what_the_vault_refuses_for_good_is_not_to_be_retried_and_the_operator_is_told_why(self):
        now = int(time.time())
        rows = [("it is disabled", "secrets/app-secret", {"enabled": False}, {"enabled": True},
                 "it is disabled: enable it"),
                ("it has expired", "secrets/app-secret", {"exp": now - 60}, {"exp": 0},
                 "it has expired"),
                ("it is not valid yet", "secrets/app-secret", {"nbf": now + 3600}, {"nbf": 0},
                 "wait for its activation date"),
                ("it is gone", "secrets/app-secret", {"deleted": True}, {"deleted": False},
                 "there is none of this name and version"),
                ("a role is missing", f"roles/{SECRET_APP}", {"roles": []}, {"roles": READER},
                 'the role "Key Vault Secrets User"')]
        for why, what, broken, mended, advice in rows:
            with self.subTest(why):
                self.restart()
                self.change(what, **broken)
                self.addCleanup(self.change, what, **mended)
                reply = self.ask("vault-secret")
                answer = reply.json()
                self.assertEqual((reply.status, answer["reason"], answer["retryable"],
                                  answer["action"]),
                                 (403, "credential_unavailable", False, "admin"), self.purser.log())
                self.assertNotIn(advice, answer["error_description"])
                self.assert_recorded("vault-secret", "credential_unavailable")
                self.assert_explained("vault-secret", "credential_unavailable", advice)
                self.change(what, **mended)
        until(lambda: self.ask("vault-secret").status == 200)

    def assert_recorded(self, credential, reason):
        failed = [entry for entry in self.purser.ledger_lines()
                  if entry["type"] == "credential.access" and entry["outcome"] == "failure"][-1]
        self.assertEqual((failed["credential"]["name"], failed["reason"], failed["target"]["id"]),
                         (credential, reason, "localhost"))

    def assert_explained(self, credential, reason, advice):
        """To operators with what mends it; to an agent without."""
        what = f"credential {credential}: {reason} since "
        for route in ("/v1/status", "/readyz"):
            told = " ".join(self.purser.admin("GET", route).json()["degraded"])
            self.assertIn(what, told)
            self.assertIn(advice, told)
        told = " ".join(self.purser.request("file", "GET", "/readyz").json()["degraded"])
        self.assertIn(what, told)
        self.assertNotIn(advice, told)
        found = json.loads(self.purser.cli("--json", "doctor").stdout)["findings"]
        self.assertTrue(any(finding["level"] == "bad" and advice in finding["remedy"] and
                            f"credential {credential} yields no token" in finding["what"]
                            for finding in found), json.dumps(found, indent=1))

    def test_a_mounted_file_that_others_may_read_is_refused_with_the_chmod_that_mends_it(self):
        self.mount("file-secret", CLIENT_SECRET, mode=0o644)
        self.restart()
        self.assertNotEqual(self.ask("file").status, 200)
        self.assertIn("chmod", self.purser.log())
        self.mount("file-secret", CLIENT_SECRET)
        self.restart()
        self.granted("file")


if __name__ == "__main__":
    harness.main()
