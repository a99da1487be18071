#!/usr/bin/env python3
"""What is in Key Vault is rotated there: a new version, and the old one is disabled."""
import json
import os
import pathlib
import signal
import tempfile
import time
import unittest

import harness
from dev_tenant import DevTenant, default_tenant
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, ROBOT, Purser, SECRET_APP, rule, until

ROTATOR = "aaaaaaaa-0000-4000-8000-0000000000f0"
VAULTED = "aaaaaaaa-0000-4000-8000-0000000000e0"
KEYED = "aaaaaaaa-0000-4000-8000-0000000000d0"
READER, OFFICER = "Key Vault Secrets User", "Key Vault Secrets Officer"
CERTIFIER = "Key Vault Certificates Officer"
SIGNER = "Key Vault Crypto User"
PUT = {"endpoint": "vault", "method": "PUT"}
DISABLE = {"endpoint": "vault", "method": "PATCH"}
CREATE = {"endpoint": "vault", "method": "POST", "path": "/create"}


def tenant():
    made = default_tenant()
    made["registrations"] += [
        {"client_id": ROTATOR, "name": "rotator", "secrets": ["rotator~secret-0123456789"],
         "application": {"graph": ["Application.ReadWrite.OwnedBy"]}},
        {"client_id": VAULTED, "name": "vaulted", "secrets": [CLIENT_SECRET], "owners": [ROTATOR],
         "application": {"graph": ["User.Read.All"]}},
        {"client_id": KEYED, "name": "keyed", "owners": [ROTATOR],
         "application": {"graph": ["User.Read.All"]}}]
    for one in made["registrations"]:
        if one["client_id"] == CERT_APP:
            one["owners"] = [ROTATOR]
    made["vault"] = {"roles": {SECRET_APP: [READER]},
                     "secrets": {"app-secret": {"value": CLIENT_SECRET}},
                     "certificates": {"app-cert": {"pkcs12": True}, "key-cert": {}, "ca-cert": {}}}
    return made


class Vaulted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant()))
        made = cls.entra.control("GET", "/vault/certificates/app-cert")
        cls.entra.registration(CERT_APP, certificates=[made["certificate"]])
        made = cls.entra.control("GET", "/vault/certificates/key-cert")
        cls.entra.registration(KEYED, certificates=[made["certificate"]])
        cls.entra.control("POST", "/vault/certificates/ca-cert", {"issuer": "DigiCert"})
        cls.files = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        os.chmod(cls.files, 0o755)
        cls.purser = cls.enterClassContext(Purser(cls.entra, edit=cls.configure))
        for name, secret in (("app", CLIENT_SECRET), ("rotator", "rotator~secret-0123456789")):
            done = cls.purser.cli("secret", "set", name, stdin=secret)
            assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def configure(cls, config):
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": cls.entra.vault,
                                    "auth": "credential:app"},
                           "files": {"kind": "mounted-files", "path": str(cls.files)}}
        version = cls.entra.control("GET", "/vault/secrets/app-secret")[0]["version"]
        config["credential"]["rotator"] = {"kind": "client-secret", "client_id": ROTATOR}
        common = {"kind": "client-secret", "client_id": VAULTED, "scopes": ["User.Read.All"]}
        for name, place in (("vaulted", {"vault": "corp", "name": "app-secret",
                                         "rotate_with": "rotator"}),
                            ("pinned", {"vault": "corp", "name": "app-secret", "version": version}),
                            ("mounted", {"vault": "files", "name": "app-secret"})):
            config["credential"][name] = common | place
        config["credential"]["cert"] = {
            "kind": "certificate", "client_id": CERT_APP, "vault": "corp", "name": "app-cert",
            "rotate_with": "rotator", "scopes": ["User.Read.All"]}
        for name, certificate in (("keyed", "key-cert"), ("issued", "ca-cert")):
            config["credential"][name] = {
                "kind": "key-vault-key", "client_id": KEYED, "vault": "corp", "name": certificate,
                "rotate_with": "rotator", "scopes": ["User.Read.All"]}
        config["agent"][HELPDESK]["allow"] = [rule("read", ["User.Read.All"], "vaulted")]
        config["agent"]["signer"] = dict(config["agent"][HELPDESK],
                                         allow=[rule("read", ["User.Read.All"], "keyed")])

    def versions(self, name="app-secret"):
        return self.entra.control("GET", f"/vault/secrets/{name}")

    def held(self, client=VAULTED):
        registered = self.entra.registered(client)
        return [one["keyId"] for one in registered["passwords"] + registered["keys"]]

    def rotation(self, name="vaulted"):
        reply = self.purser.admin("GET", f"/v1/credentials/{name}/rotation")
        return reply.json() if reply.status == 200 else {}

    def roles(self, *roles):
        # Object ids of service principals are the client ids here.
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": list(roles)})

    def rotate(self, name="vaulted", code=0):
        done = self.purser.cli("rotate", name, "--grace", "0s")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr + self.purser.log())
        return done.stdout + done.stderr

    def until_idle(self, name="vaulted"):
        until(lambda: self.rotation(name).get("step") == "idle")
        self.assertNotIn("failure", self.rotation(name))

    def assert_exactly_one(self, before):
        self.assertEqual(len(self.held()), 1)
        self.assertNotEqual(self.held(), before)
        self.assertEqual([one["enabled"] for one in self.versions()][-2:], [False, True])
        self.assertEqual(sum(one["enabled"] for one in self.versions()), 1)
        reply = self.purser.token(HELPDESK, ["User.Read.All"])
        self.assertEqual(reply.status, 200, f"{reply}{self.purser.log()}")

    def test_who_may_not_write_there_is_told_the_role_before_anything_changes(self):
        self.roles(READER)
        before = self.held(), self.versions(), self.rotation()
        self.assertIn(OFFICER, self.rotate(code=1))
        self.assertEqual((self.held(), self.versions(), self.rotation()), before)

    def test_a_certificate_is_imported_as_a_new_version_of_the_vault_s_certificate(self):
        self.roles(READER, OFFICER)
        self.assertIn(CERTIFIER, self.rotate("cert", code=1))
        self.roles(READER, CERTIFIER)
        before = self.held(CERT_APP)
        self.rotate("cert")
        self.until_idle("cert")
        self.assertEqual(len(self.held(CERT_APP)), 1)
        self.assertNotEqual(self.held(CERT_APP), before)
        self.assertEqual([one["enabled"] for one in self.versions("app-cert")], [False, True])
        reply = self.purser.token(ROBOT, ["User.Read.All"])
        self.assertEqual(reply.status, 200, f"{reply}{self.purser.log()}")

    def assert_one_key(self, before):
        """One certificate at Entra and one enabled in the vault, which are the same, and work."""
        self.assertEqual(len(self.held(KEYED)), 1)
        self.assertNotEqual(self.held(KEYED), before)
        enabled = [one["version"] for one in self.versions("key-cert") if one["enabled"]]
        self.assertEqual(enabled, [self.versions("key-cert")[-1]["version"]])
        self.purser.stop()  # so that nothing is cached
        self.purser.start()
        reply = self.purser.token("signer", ["User.Read.All"])
        self.assertEqual(reply.status, 200, f"{reply}{self.purser.log()}")

    def test_a_key_that_never_leaves_the_vault_is_made_there_whenever_purser_is_killed(self):
        self.roles(READER, SIGNER, "Key Vault Certificate User")
        before = self.held(KEYED)
        self.assertIn(CERTIFIER, self.rotate("keyed", code=1))
        self.assertEqual(self.held(KEYED), before)
        self.roles(READER, SIGNER, CERTIFIER)
        self.rotate("keyed")
        self.until_idle("keyed")
        self.assert_one_key(before)
        tags = self.entra.control("GET", "/vault/certificates/key-cert")["tags"]
        self.assertIn(" keyed ", tags["purser-rotation"])
        before = self.held(KEYED)
        versions = len(self.versions("key-cert"))
        reply = None
        for when, where in (("before", CREATE), ("after", CREATE), ("before", DISABLE),
                            ("after", DISABLE)):
            with self.subTest(when=when, method=where["method"]):
                self.entra.hold(when, **where)
                if reply is None:
                    reply = self.purser.admin("POST", "/v1/credentials/keyed/rotate", {"grace": 0})
                    self.assertEqual(reply.status, 200, reply)
                else:
                    self.purser.start()
                self.entra.until_held()
                self.purser.stop(signal.SIGKILL)
                self.entra.release()
        self.purser.start()
        self.until_idle("keyed")
        self.assertEqual(len(self.versions("key-cert")), versions + 1)
        self.assert_one_key(before)
        # A version that somebody makes besides is named, and signs for nobody.
        self.entra.control("POST", "/vault/certificates/key-cert", {})
        newest = self.versions("key-cert")[-1]["version"]
        planned = self.purser.cli("rotate", "keyed", "--dry-run")
        self.assertIn(f"version {newest} in the vault is newer", planned.stdout)
        doctor = self.purser.cli("doctor")
        self.assertIn(f"newer version, {newest}", doctor.stdout + doctor.stderr)
        self.assertIn("credential keyed yields a token", doctor.stdout + doctor.stderr)

    def test_a_certificate_that_another_issuer_signs_is_refused_before_anything_changes(self):
        self.roles(READER, SIGNER, CERTIFIER)
        before = self.held(KEYED), self.versions("ca-cert")
        self.assertIn("self-signed versions alone", self.rotate("issued", code=1))
        self.assertEqual((self.held(KEYED), self.versions("ca-cert")), before)

    def test_a_version_that_the_configuration_pins_and_mounted_files_are_refused(self):
        self.assertIn("pins it", self.rotate("pinned", code=1))
        self.assertIn("mounts these files", self.rotate("mounted", code=1))

    def test_a_new_version_is_set_and_the_old_one_disabled_whenever_purser_is_killed(self):
        self.roles(READER, OFFICER)
        before = self.held()
        shown = self.rotate()
        self.until_idle()
        self.assertIn(self.versions()[-1]["version"], shown)
        days = (self.versions()[-1]["exp"] - time.time()) / 86400
        self.assertTrue(179 < days < 181, days)
        self.assert_exactly_one(before)
        before = self.held()
        reply = None
        for when, where in (("before", PUT), ("after", PUT), ("before", DISABLE),
                            ("after", DISABLE)):
            with self.subTest(when=when, method=where["method"]):
                if reply is None:
                    self.entra.hold(when, **where)
                    reply = self.purser.admin("POST", "/v1/credentials/vaulted/rotate",
                                              {"grace": 0})
                    self.assertEqual(reply.status, 200, reply)
                else:
                    self.entra.hold(when, **where)
                    self.purser.start()
                self.entra.until_held()
                self.purser.stop(signal.SIGKILL)
                self.entra.release()
        self.purser.start()
        self.until_idle()
        self.assert_exactly_one(before)
        secrets = [one["value"] for one in self.entra.secrets() if one["kind"] == "client_secret"]
        text = json.dumps(self.purser.ledger_lines()) + self.purser.log()
        self.assertFalse([secret for secret in secrets if secret in text])


if __name__ == "__main__":
    harness.main()
