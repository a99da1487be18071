#!/usr/bin/env python3
"""What purser and the development tenant sign is verified by PyJWT and by jose for JavaScript."""
import hashlib
import ssl
import tempfile
import unittest

import clients
import harness
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, MAIL_APP, SECRET_APP, Purser, rule
from identities import BLUEPRINT, MACHINE, Tenant
from oauth import Signer, b64url, new_claims

clients.install_python()
import jwt  # noqa: E402  (PyJWT; it stands where that put it)
from cryptography import x509  # noqa: E402

READER = ["Key Vault Secrets User", "Key Vault Crypto User", "Key Vault Certificate User"]
LONGEST_SECONDS = 600  # that Entra takes an assertion for


class JoseCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.signer = Signer(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.entra = cls.enterClassContext(Tenant())
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.node = cls.enterClassContext(clients.NodeClients(cls.entra))
        cls.endpoint = f"{cls.entra.authority}/{cls.entra.tenant_id}/oauth2/v2.0/token"

    def spoilt(self, token):
        """With another signature of the same length."""
        head, body, signature = token.split(".")
        return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


class TenantsTokens(JoseCase):
    """By the key set that the tenant's discovery document names."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = cls.entra.https(f"{cls.entra.authority}/{cls.entra.tenant_id}/v2.0/"
                                ".well-known/openid-configuration").json()
        context = ssl.create_default_context(cafile=cls.entra.ca_file)
        cls.issuer = found["issuer"]
        cls.keys = jwt.PyJWKClient(found["jwks_uri"], ssl_context=context)
        cls.key_set = cls.entra.https(found["jwks_uri"]).json()

    def tokens(self):
        """Name, token, issuer, audience."""
        sts = f"https://sts.windows.net/{self.entra.tenant_id}/"
        app = self.entra.token(grant_type="client_credentials", client_id=SECRET_APP,
                               client_secret=CLIENT_SECRET,
                               scope=self.entra.graph + "/.default").json()["access_token"]
        machine = self.entra.ask_imds().json()["access_token"]
        self.assertEqual(jwt.decode(machine, options={"verify_signature": False})["oid"], MACHINE)
        return [("an application's", app, sts, self.entra.graph),
                ("a managed identity's", machine, sts, self.entra.graph),
                ("a user's", self.entra.user_token(), self.issuer, BLUEPRINT)]

    def python(self, token, issuer, audience):
        key = self.keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, audience=audience,
                          options={"require": ["exp", "nbf", "iat", "iss", "aud"]})

    def javascript(self, token, issuer, audience):
        return self.node.ask("verifyBySet", token=token, keys=self.key_set, options={
            "algorithms": ["RS256"], "issuer": issuer, "audience": audience})

    def test_they_verify(self):
        for name, token, issuer, audience in self.tokens():
            with self.subTest(name):
                claims = self.python(token, issuer, audience)
                self.assertEqual(claims["tid"], self.entra.tenant_id)
                self.assertEqual(self.javascript(token, issuer, audience), claims)

    def test_what_does_not_verify(self):
        for name, token, issuer, audience in self.tokens():
            rows = [("spoilt", self.spoilt(token), issuer, audience, jwt.InvalidSignatureError,
                     "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
                    ("of another issuer", token, issuer + "x", audience, jwt.InvalidIssuerError,
                     "ERR_JWT_CLAIM_VALIDATION_FAILED"),
                    ("for another", token, issuer, audience + "x", jwt.InvalidAudienceError,
                     "ERR_JWT_CLAIM_VALIDATION_FAILED")]
            for why, given, by, whom, error, code in rows:
                with self.subTest(f"{name}, {why}"):
                    self.assertRaises(error, self.python, given, by, whom)
                    self.assertEqual(self.javascript(given, by, whom).get("error"), code)


class PursersAssertions(JoseCase):
    """As the tenant saw them, by the certificate that the registration has."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": READER})
        vaulted = cls.entra.control("POST", "/vault/certificates/app-cert", {})["certificate"]
        cls.certificates = {"cert": cls.signer.pem, "vault-key": vaulted}
        cls.entra.registration(CERT_APP, certificates=list(cls.certificates.values()))
        cls.purser = cls.enterClassContext(Purser(cls.entra, cls.configure))
        key_and_certificate = cls.signer.key.read_text() + cls.signer.pem
        for name, secret in (("cert", key_and_certificate), ("app", CLIENT_SECRET)):
            done = cls.purser.cli("secret", "set", name, stdin=secret)
            assert done.returncode == 0, done.stdout + done.stderr + cls.purser.log()

    @classmethod
    def configure(cls, config):
        """`cert` signs here, `vault-key` in the Key Vault."""
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": cls.entra.vault,
                                    "auth": "credential:app"}}
        config["credential"]["vault-key"] = {
            "kind": "key-vault-key", "client_id": CERT_APP, "vault": "corp", "name": "app-cert",
            "scopes": ["User.Read.All"]}
        for name in cls.certificates:
            config["agent"][name] = dict(config["agent"][HELPDESK],
                                         allow=[rule("read", ["User.Read.All"], name)])

    def assertion(self, agent):
        """The one that purser has made for a token of this agent."""
        def seen():
            return {secret["value"] for secret in self.entra.secrets()
                    if (secret["kind"], secret["event"]) == ("client_assertion", "seen")}
        before = seen()
        reply = self.purser.token(agent, ["User.Read.All"], claims=new_claims())
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        [made] = seen() - before
        return made

    def options(self, **change):
        return {"algorithms": ["PS256"], "issuer": CERT_APP, "audience": self.endpoint} | change

    def python(self, token, certificate, **change):
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        return jwt.decode(token, key, **self.options(**change),
                          options={"require": ["exp", "nbf", "iat", "jti", "sub"]})

    def javascript(self, token, certificate, **change):
        return self.node.ask("verifyByCertificate", token=token, certificate=certificate,
                             options=self.options(**change))

    def test_they_verify_wherever_they_are_signed(self):
        for agent, certificate in self.certificates.items():
            with self.subTest(agent):
                token = self.assertion(agent)
                claims = self.python(token, certificate)
                self.assertEqual((claims["sub"], claims["aud"]), (CERT_APP, self.endpoint))
                self.assertLessEqual(claims["exp"] - claims["nbf"], LONGEST_SECONDS)
                found = self.javascript(token, certificate, subject=CERT_APP, typ="JWT")
                self.assertEqual(found.get("payload"), claims, found)
                der = ssl.PEM_cert_to_DER_cert(certificate)
                self.assertEqual(found["header"], jwt.get_unverified_header(token))
                self.assertEqual(found["header"], {
                    "alg": "PS256", "typ": "JWT", "x5t#S256": b64url(hashlib.sha256(der).digest())})

    def test_each_is_used_once(self):
        for agent, certificate in self.certificates.items():
            made = {self.python(self.assertion(agent), certificate)["jti"] for _ in range(3)}
            self.assertEqual(len(made), 3)

    def test_what_does_not_verify(self):
        token, own, other = self.assertion("cert"), *self.certificates.values()
        rows = [("spoilt", self.spoilt(token), own, {}, jwt.InvalidSignatureError,
                 "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
                ("by another's certificate", token, other, {}, jwt.InvalidSignatureError,
                 "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"),
                ("by another algorithm", token, own, {"algorithms": ["RS256"]},
                 jwt.InvalidAlgorithmError, "ERR_JOSE_ALG_NOT_ALLOWED"),
                ("of another application", token, own, {"issuer": MAIL_APP},
                 jwt.InvalidIssuerError, "ERR_JWT_CLAIM_VALIDATION_FAILED"),
                ("for another server", token, own, {"audience": self.entra.graph},
                 jwt.InvalidAudienceError, "ERR_JWT_CLAIM_VALIDATION_FAILED")]
        for why, given, certificate, change, error, code in rows:
            with self.subTest(why):
                self.assertRaises(error, self.python, given, certificate, **change)
                self.assertEqual(self.javascript(given, certificate, **change).get("error"), code)


if __name__ == "__main__":
    harness.main()
