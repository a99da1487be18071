#!/usr/bin/env python3
"""What Microsoft's own clients write to a Key Vault is what purser reads there, or refuses."""
import datetime
import hashlib
import logging
import unittest

import clients
import harness
import vault_test
from harness import CERT_APP, CLIENT_SECRET, SECRET_APP, TENANT_ID, WEB_APP, new_certificate
from oauth import claims_of

clients.install_python()
from azure.core.exceptions import (ClientAuthenticationError, HttpResponseError,  # noqa: E402
                                   ResourceExistsError, ResourceNotFoundError)
from azure.identity import ClientSecretCredential  # noqa: E402
from azure.keyvault.certificates import (CertificateClient, CertificateContentType,  # noqa: E402
                                         CertificatePolicy)
from azure.keyvault.keys import KeyClient  # noqa: E402
from azure.keyvault.keys.crypto import (CryptographyClient, KeyWrapAlgorithm,  # noqa: E402
                                        SignatureAlgorithm)
from azure.keyvault.secrets import SecretClient  # noqa: E402

logging.getLogger("azure").setLevel(logging.CRITICAL)  # each refusal, of which there are many here
ROTATED = "Rotated~client.secret-0123456789abcdefghij"


def days_from_now(count):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=count)


class ClientCase(vault_test.VaultCase):
    """purser of vault_test, and a person who looks after its vault with these clients."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.entra.control("POST", f"/vault/roles/{WEB_APP}", {"roles": ["Key Vault Administrator"]})
        cls.entra.registration(SECRET_APP, secrets=[CLIENT_SECRET, ROTATED])
        cls.secrets, cls.keys, cls.certificates = map(
            cls.client, (SecretClient, KeyClient, CertificateClient))

    @classmethod
    def client(cls, kind, app=WEB_APP, **options):
        return kind(cls.entra.vault, cls.credential(app), verify_challenge_resource=False,
                    retry_total=0, **options)

    @classmethod
    def credential(cls, app=WEB_APP):
        return ClientSecretCredential(TENANT_ID, app, CLIENT_SECRET, authority=cls.entra.authority,
                                      disable_instance_discovery=True)

    def sent_secrets(self):
        return [secret["value"] for secret in self.entra.secrets()
                if (secret["kind"], secret["event"]) == ("client_secret", "seen")]

    def minted(self, agent):
        self.restart()
        return self.granted(agent)["access_token"]

    def not_minted(self, agent, says):
        self.restart()
        answer = self.ask(agent).json()
        self.assertNotIn("access_token", answer)
        self.assertIn(says, self.purser.log())
        entry = self.purser.ledger_lines()[answer["audit"]["seq"] - 1]
        self.assertEqual((entry["type"], entry["reason"]), ("token.denied", answer["reason"]))


class Secrets(ClientCase):
    NAME = "app-secret"

    def tearDown(self):
        self.secrets.set_secret(self.NAME, CLIENT_SECRET)
        super().tearDown()

    def test_a_new_version_is_what_purser_proves_itself_with(self):
        written = self.secrets.set_secret(self.NAME, ROTATED, content_type="text/plain")
        self.minted("vault-secret")
        self.assertIn(ROTATED, self.sent_secrets())
        accesses = [entry["credential"] for entry in self.purser.ledger_lines()
                    if entry["type"] == "credential.access"
                    and entry["credential"]["name"] == "vault-secret"]
        self.assertEqual(accesses[-1]["version"], written.properties.version)

    def test_versions_are_listed_and_the_older_are_read(self):
        made = {self.secrets.set_secret("many", str(number)).properties.version: str(number)
                for number in range(30)}
        listed = [each.version for each in self.secrets.list_properties_of_secret_versions("many")]
        self.assertEqual((len(listed), set(listed)), (30, set(made)))  # over two pages
        for version in listed[:3]:
            self.assertEqual(self.secrets.get_secret("many", version).value, made[version])
        self.assertEqual(self.secrets.get_secret("many").value, "29")

    def test_what_may_not_be_used_is_not(self):
        rows = [("disabled", {"enabled": False}, "enable it"),
                ("expired", {"expires_on": days_from_now(-1)}, "has expired"),
                ("not valid yet", {"not_before": days_from_now(1)}, "not valid yet")]
        for name, properties, says in rows:
            with self.subTest(f"{name} when written"):
                self.secrets.set_secret(self.NAME, f"Never~{name}", **properties)
                self.not_minted("vault-secret", says)
                self.assertNotIn(f"Never~{name}", self.sent_secrets())
            with self.subTest(f"{name} afterwards"):
                version = self.secrets.set_secret(self.NAME, CLIENT_SECRET).properties.version
                self.minted("vault-secret")
                self.secrets.update_secret_properties(self.NAME, version, **properties)
                self.not_minted("vault-secret", says)
        self.secrets.update_secret_properties(
            self.NAME, version, enabled=True, not_before=days_from_now(-1),
            expires_on=days_from_now(1))
        self.minted("vault-secret")

    def test_deleted_and_recovered(self):
        self.secrets.begin_delete_secret(self.NAME).wait()
        self.addCleanup(self.entra.control, "POST", f"/vault/secrets/{self.NAME}", {"deleted": False})
        self.not_minted("vault-secret", "there is none")  # purser's role does not see deleted ones
        with self.assertRaises(ResourceExistsError):
            self.secrets.set_secret(self.NAME, ROTATED)
        self.secrets.begin_recover_deleted_secret(self.NAME).wait()
        self.minted("vault-secret")

    def test_refusals_are_errors_that_the_client_knows(self):
        reader = self.client(SecretClient, SECRET_APP)
        rows = [("an unknown one", ResourceNotFoundError, "SecretNotFound",
                 lambda: self.secrets.get_secret("nosuch")),
                ("a role that may not", HttpResponseError, "Forbidden",
                 lambda: reader.set_secret(self.NAME, ROTATED)),
                ("a disabled one", HttpResponseError, "Forbidden",
                 lambda: self.secrets.get_secret(
                     self.secrets.set_secret("off", "x", enabled=False).name))]
        for name, kind, code, ask in rows:
            with self.subTest(name):
                with self.assertRaises(kind) as refusal:
                    ask()
                self.assertEqual(refusal.exception.error.code, code)
        strict = SecretClient(self.entra.vault, self.credential())  # looks at the vault's challenge
        with self.assertRaises(ValueError):
            strict.get_secret(self.NAME)

    def test_the_client_for_javascript_reads_and_writes_them_too(self):
        host = self.entra.authority.removeprefix("https://")
        auth = {"clientId": WEB_APP, "authority": f"{self.entra.authority}/{TENANT_ID}",
                "knownAuthorities": [host], "clientSecret": CLIENT_SECRET}
        with clients.NodeClients(self.entra) as node:
            told = node.ask("vault", url=self.entra.vault, auth=auth, name=self.NAME, value=ROTATED)
            self.assertEqual(told.get("value"), ROTATED, told)
            self.assertIn(told["version"], told["versions"])
            self.assertEqual(self.secrets.get_secret(self.NAME).properties.version, told["version"])
            self.minted("vault-secret")
            self.assertIn(ROTATED, self.sent_secrets())
            told = node.ask("vault", url=self.entra.vault, auth=auth, name="nosuch")
            self.assertEqual(told.get("error"), "SecretNotFound", told)


class Keys(ClientCase):
    def crypto(self, key):
        return CryptographyClient(key, self.credential(), verify_challenge_resource=False,
                                  retry_total=0)

    def test_what_the_vault_signs_the_client_verifies(self):
        """It does so by itself, with the public part that it was given."""
        rsa = self.keys.create_rsa_key("signer", size=2048)
        curve = self.keys.create_ec_key("curve", curve="P-256")
        digest = hashlib.sha256(b"text").digest()
        for key, algorithm in ((rsa, SignatureAlgorithm.ps256), (rsa, SignatureAlgorithm.rs256),
                               (curve, SignatureAlgorithm.es256)):
            with self.subTest(algorithm):
                signed = self.crypto(key).sign(algorithm, digest)
                local = CryptographyClient.from_jwk(key.key)
                self.assertTrue(local.verify(algorithm, digest, signed.signature).is_valid)
                self.assertFalse(local.verify(algorithm, hashlib.sha256(b"other").digest(),
                                              signed.signature).is_valid)

    def test_what_the_client_wraps_the_vault_unwraps(self):
        key = self.keys.create_rsa_key("wrapper", size=2048)
        for algorithm in (KeyWrapAlgorithm.rsa_oaep_256, KeyWrapAlgorithm.rsa_oaep):
            wrapped = CryptographyClient.from_jwk(key.key).wrap_key(algorithm, b"k" * 32)
            self.assertEqual(self.crypto(key).unwrap_key(algorithm, wrapped.encrypted_key).key,
                             b"k" * 32)

    def test_a_disabled_key_does_nothing(self):
        key = self.keys.create_rsa_key("idle", size=2048)
        self.keys.update_key_properties("idle", enabled=False, version=key.properties.version)
        with self.assertRaises(HttpResponseError):
            self.crypto(key.id).unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"x" * 256)


class Certificates(ClientCase):
    def test_an_imported_certificate_serves_and_a_disabled_key_of_it_does_not(self):
        key, certificate = new_certificate(self.entra.dir)
        policy = CertificatePolicy(content_type=CertificateContentType.pem)
        imported = self.certificates.import_certificate(
            "app-cert", (key.read_text() + certificate.read_text()).encode(), policy=policy)
        self.assertEqual(self.certificates.get_certificate("app-cert").properties.x509_thumbprint,
                         imported.properties.x509_thumbprint)
        for agent in ("vault-cert", "vault-key"):  # Entra does not know it yet
            self.not_minted(agent, "AADSTS700027")
        self.entra.registration(CERT_APP, certificates=[certificate.read_text()])
        for agent in ("vault-cert", "vault-key"):
            self.assertEqual(claims_of(self.minted(agent))["appid"], CERT_APP)
        self.keys.update_key_properties("app-cert", enabled=False)
        self.not_minted("vault-key", "enable it")

    def test_what_is_no_certificate_is_not_imported(self):
        policy = CertificatePolicy(content_type=CertificateContentType.pem)
        key, _ = new_certificate(self.entra.dir)
        for text in ("no certificate", key.read_text()):
            with self.assertRaises(HttpResponseError):
                self.certificates.import_certificate("no-cert", text.encode(), policy=policy)


if __name__ == "__main__":
    harness.main()
