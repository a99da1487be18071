#!/usr/bin/env python3
"""The development tenant's Key Vault is as strict as the service, and the adapter gets on with it."""
import base64
import hashlib
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

import harness
from harness import BIN, CLIENT_SECRET, SECRET_APP, DevTenant, default_tenant
from oauth import b64url

RESOURCE = "https://vault.azure.net"
DENIED, NOT_FOUND, UNAVAILABLE, CORRUPT, CONFLICT = 2, 3, 4, 5, 6  # broker/base/result.h
ALL = ["Key Vault Secrets Officer", "Key Vault Crypto User", "Key Vault Certificate User"]


class Probe:
    """vault-probe with a token, one question at a time."""

    def __init__(self, entra, token, resource=RESOURCE, tenant=None):
        self.process = subprocess.Popen(
            [BIN / "vault-probe", "--url", entra.vault, "--resource", resource, "--tenant",
             tenant or entra.tenant_id, "--ca", entra.ca_file, "--custom"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._write(token)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def _write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, op, name="app-secret", **more):
        self._write(json.dumps({"op": op, "name": name} | more))
        return json.loads(self.process.stdout.readline())


class KeyVaultCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: ALL}, "secrets": {"app-secret": {"value": "one"}},
                           "keys": {"kek": {"kty": "RSA"}, "curve": {"kty": "EC"}},
                           "certificates": {"app-cert": {}, "pfx-cert": {"pkcs12": True}}}
        cls.entra = cls.enterClassContext(DevTenant(tenant))
        cls.token = cls.token_for(RESOURCE)

    @classmethod
    def token_for(cls, resource):
        return cls.entra.token(grant_type="client_credentials", client_id=SECRET_APP,
                               client_secret=CLIENT_SECRET,
                               scope=resource + "/.default").json()["access_token"]

    def setUp(self):
        self.probe = self.enterContext(Probe(self.entra, self.token))

    def tearDown(self):
        self.entra.clear_faults()
        self.entra.settings(clock_shift_s=0)
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": ALL})

    def secret(self, name="app-secret", **change):
        return self.entra.control("POST", f"/vault/secrets/{name}", change)

    def raw(self, path, method="GET", token=None, body=None, **headers):
        headers = {"Authorization": f"Bearer {token or self.token}"} | headers
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        return self.entra.https(self.entra.vault + path, method, body=body,
                                headers={k: v for k, v in headers.items() if v})


class Strictness(KeyVaultCase):
    def test_what_is_refused(self):
        newest = "/secrets/app-secret?api-version=7.4"
        digest = b64url(hashlib.sha256(b"x").digest())
        key = self.probe.ask("sign", "kek", alg="PS256", text="x")["version"]
        sign = f"/keys/kek/{key}/sign?api-version=7.4"
        curve = self.probe.ask("sign", "curve", alg="ES256", text="x")["version"]
        rows = [
            ("no token", newest, {"Authorization": None}, None, 401, "Unauthorized"),
            ("another scheme", newest, {"Authorization": "Basic eDp5"}, None, 401, "Unauthorized"),
            ("no JWT", newest, {"Authorization": "Bearer x"}, None, 401, "Unauthorized"),
            ("Graph's token", newest,
             {"Authorization": "Bearer " + self.token_for(self.entra.graph)}, None, 401,
             "Unauthorized"),
            ("a spoilt token", newest, {"Authorization": f"Bearer {self.token[:-4]}AAAA"}, None,
             401, "Unauthorized"),
            ("no api-version", "/secrets/app-secret", {}, None, 400, "BadParameter"),
            ("an unknown one", "/secrets/app-secret?api-version=1.0", {}, None, 400,
             "BadParameter"),
            ("a name with a dot", "/secrets/app.secret?api-version=7.4", {}, None, 400,
             "BadParameter"),
            ("an unknown secret", "/secrets/nosuch?api-version=7.4", {}, None, 404,
             "SecretNotFound"),
            ("an unknown version", f"/secrets/app-secret/{'0' * 32}?api-version=7.4", {}, None,
             404, "SecretNotFound"),
            ("an unknown key", f"/keys/nosuch/{key}/sign?api-version=7.4", {},
             {"alg": "PS256", "value": digest}, 404, "KeyNotFound"),
            ("a form", sign, {"Content-Type": "application/x-www-form-urlencoded"}, {}, 415,
             "UnsupportedMediaType"),
            ("no algorithm", sign, {}, {"value": digest}, 400, "BadParameter"),
            ("a curve's algorithm", sign, {}, {"alg": "ES256", "value": digest}, 400,
             "BadParameter"),
            ("half a digest", sign, {}, {"alg": "PS256", "value": digest[:22]}, 400,
             "BadParameter"),
            ("padding", sign, {}, {"alg": "PS256", "value": digest + "="}, 400, "BadParameter"),
            ("wrapping by a curve", f"/keys/curve/{curve}/wrapkey?api-version=7.4", {},
             {"alg": "RSA-OAEP-256", "value": digest}, 400, "BadParameter"),
            ("a page too large", "/secrets/app-secret/versions?api-version=7.4&maxresults=26", {},
             None, 400, "BadParameter"),
        ]
        for why, path, headers, body, status, code in rows:
            with self.subTest(why):
                reply = self.raw(path, "GET" if body is None else "POST", body=body, **headers)
                self.assertEqual(reply.status, status, reply)
                self.assertEqual(reply.json()["error"]["code"], code, reply)
                challenge = reply.headers.get("WWW-Authenticate", "")
                self.assertEqual(bool(challenge), status == 401)
                if challenge:
                    self.assertIn(f'/{self.entra.tenant_id}", resource="{RESOURCE}"', challenge)

    def test_another_application_has_no_role(self):
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": []})
        for path in ("/secrets/app-secret", "/keys/kek", "/certificates/app-cert"):
            reply = self.raw(path + "?api-version=7.4")
            self.assertEqual(reply.status, 403)
            self.assertEqual(reply.json()["error"]["innererror"]["code"], "ForbiddenByRbac")

    def test_a_final_slash_means_the_newest_too(self):
        self.assertEqual(self.raw("/secrets/app-secret/?api-version=7.5").status, 200)

    def test_dates_do_not_stop_the_service(self):
        self.secret("dated", value="x", exp=1, nbf=2)
        self.assertEqual(self.raw("/secrets/dated?api-version=7.4").status, 200)


class Secrets(KeyVaultCase):
    def test_the_newest_and_a_pinned_one(self):
        first = self.secret("two", value="one")["version"]
        second = self.secret("two", value="two")["version"]
        self.assertEqual(self.probe.ask("get", "two"),
                         {"value": "two", "version": second, "host": "localhost"})
        self.assertEqual(self.probe.ask("get", "two", version=first)["value"], "one")
        self.assertEqual(self.probe.ask("get", "TWO")["value"], "two")

    def test_all_versions_over_pages(self):
        made = {self.secret("many", value=str(i))["version"] for i in range(60)}
        self.assertEqual(set(self.probe.ask("versions", "many")["versions"]), made)

    def test_compare_before_set(self):
        first = self.probe.ask("replace", "fresh-rt", value="rt-1")
        self.assertIn("version", first)
        self.assertEqual(self.probe.ask("replace", "fresh-rt", value="x")["code"], CONFLICT)
        second = self.probe.ask("replace", "fresh-rt", value='rt-2 "\\\n',
                                expected=first["version"])
        self.assertEqual(self.probe.ask("replace", "fresh-rt", value="x",
                                        expected=first["version"])["code"], CONFLICT)
        self.assertEqual(self.probe.ask("get", "fresh-rt"), {"value": 'rt-2 "\\\n',
                         "version": second["version"], "host": "localhost"})

    def test_what_may_not_be_used(self):
        now = int(time.time())
        rows = [
            ("disabled", {"enabled": False}, DENIED, "enable it"),
            ("expired", {"exp": now - 1}, DENIED, "has expired"),
            ("not yet valid", {"nbf": now + 3600}, DENIED, "not valid yet"),
        ]
        for name, change, code, says in rows:
            name = name.replace(" ", "-")
            self.secret(name, value="x", **change)
            told = self.probe.ask("get", name)
            self.assertEqual(told["code"], code)
            self.assertIn(says, told["detail"])
        self.secret("gone", value="x")
        self.secret("gone", deleted=True)
        told = self.probe.ask("get", "gone")
        self.assertEqual(told["code"], DENIED)
        self.assertIn("az keyvault secret recover", told["detail"])
        told = self.probe.ask("replace", "gone", value="x")
        self.assertEqual(told["code"], DENIED)
        told = self.probe.ask("get", "nosuch")
        self.assertEqual(told["code"], NOT_FOUND)
        self.assertIn("there is none", told["detail"])

    def test_a_missing_role_is_named(self):
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": []})
        self.assertIn("Key Vault Secrets User", self.probe.ask("get")["detail"])
        self.assertIn("Key Vault Crypto User",
                      self.probe.ask("sign", "kek", alg="PS256", text="x")["detail"])
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}",
                           {"roles": ["Key Vault Secrets User"]})
        version = self.probe.ask("get")["version"]
        self.assertIn("Key Vault Secrets Officer",
                      self.probe.ask("replace", value="x", expected=version)["detail"])


class Keys(KeyVaultCase):
    def verifies(self, told, text, *options):
        """Whether the openssl command accepts the signature under the JWK that came with it."""
        number = lambda name: int.from_bytes(
            base64.urlsafe_b64decode(told["jwk"][name] + "=="), "big")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "key.conf").write_text(
                "asn1=SEQUENCE:spki\n[spki]\nalgorithm=SEQUENCE:alg\nkey=BITWRAP,SEQUENCE:rsa\n"
                "[alg]\noid=OID:rsaEncryption\nnothing=NULL\n"
                f"[rsa]\nn=INTEGER:{number('n'):#x}\ne=INTEGER:{number('e'):#x}\n")
            (folder / "signature").write_bytes(base64.urlsafe_b64decode(told["signature"] + "=="))
            subprocess.run(["openssl", "asn1parse", "-genconf", folder / "key.conf", "-noout",
                            "-out", folder / "key.der"], check=True, capture_output=True)
            return subprocess.run(
                ["openssl", "dgst", "-sha256", "-verify", folder / "key.der", "-keyform", "DER",
                 *options, "-signature", folder / "signature"], input=text.encode(),
                capture_output=True).returncode == 0

    def test_signatures_verify(self):
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
        for algorithm, options in (("PS256", pss), ("RS256", [])):
            told = self.probe.ask("sign", "kek", alg=algorithm, text="hello")
            self.assertTrue(self.verifies(told, "hello", *options), told)
            self.assertFalse(self.verifies(told, "hullo", *options))
        told = self.probe.ask("sign", "curve", alg="ES256", text="hello")
        self.assertEqual(len(base64.urlsafe_b64decode(told["signature"] + "==")), 64)

    def test_wrap_and_unwrap(self):
        told = self.probe.ask("wrap", "kek", value="k" * 32)
        self.assertEqual(told["unwrapped"], "k" * 32)
        self.assertNotIn(b64url(b"k" * 32), told["wrapped"])

    def test_a_key_that_may_not_be_used(self):
        for change, says in (({"enabled": False}, "enable it"), ({"exp": 1}, "has expired"),
                             ({"nbf": int(time.time()) + 3600}, "not valid yet")):
            version = self.entra.control("POST", "/vault/keys/spent", {"kty": "RSA"})["version"]
            self.entra.control("POST", "/vault/keys/spent", change)
            told = self.probe.ask("sign", "spent", version=version, alg="PS256", text="x")
            self.assertEqual(told["code"], DENIED)
            self.assertIn(says, told["detail"])

    def test_certificates(self):
        for name in ("app-cert", "pfx-cert"):
            known = self.entra.control("GET", f"/vault/certificates/{name}")
            told = self.probe.ask("get-certificate", name)
            self.assertIn("-----BEGIN PRIVATE KEY-----", told["value"])
            self.assertIn(known["certificate"].strip(), told["value"])
            current = self.probe.ask("current", name)
            self.assertEqual(current["version"], known["version"])
            der = base64.b64decode("".join(known["certificate"].splitlines()[1:-1]))
            self.assertEqual(current["thumbprint"], b64url(hashlib.sha256(der).digest()))


class Trouble(KeyVaultCase):
    def test_throttling_is_obeyed(self):
        self.entra.fault(endpoint="vault", status=429, error="Throttled", count=1,
                         headers={"Retry-After": "30"})
        told = self.probe.ask("get")
        self.assertEqual((told["code"], "again in 30 s" in told["detail"]), (UNAVAILABLE, True))
        before = self.entra.requests("vault")
        for _ in range(5):
            self.assertEqual(self.probe.ask("get")["code"], UNAVAILABLE)
        self.assertEqual(self.entra.requests("vault"), before)

    def test_firewall(self):
        self.entra.fault(endpoint="vault", status=403, error="Forbidden",
                         suberror="ForbiddenByFirewall", count=1)
        self.assertIn("network rules", self.probe.ask("get")["detail"])

    def test_answers_that_are_none(self):
        for body in ("invalid_json", "truncated", "empty", "html", "array"):
            with self.subTest(body):
                self.entra.fault(endpoint="vault", body=body, count=1)
                self.assertEqual(self.probe.ask("get")["code"], CORRUPT)
        self.entra.fault(endpoint="vault", drop="before", count=1)
        self.assertEqual(self.probe.ask("get")["code"], UNAVAILABLE)

    def test_an_outage_ends_without_a_restart(self):
        self.entra.fault(endpoint="vault", status=503, error="ServiceUnavailable", count=1)
        self.assertEqual(self.probe.ask("get")["code"], UNAVAILABLE)
        harness.until(lambda: "value" in self.probe.ask("get"))

    def test_an_untrusted_certificate(self):
        for trouble in ("wrong_ca", "wrong_name", "expired"):
            with self.subTest(trouble), Probe(self.entra, self.token) as probe:
                self.entra.fault(endpoint="vault", tls=trouble, count=1)
                self.assertEqual(probe.ask("get")["code"], UNAVAILABLE)

    def test_a_challenge_is_followed_only_to_our_tenant_and_resource(self):
        with Probe(self.entra, "stale") as probe:
            told = probe.ask("get")
            self.assertIn("refuses purser's access token", told["detail"])
        for given in ({"tenant": "99999999-9999-4999-8999-999999999999"},
                      {"resource": "https://vault.example"}):
            before = self.entra.requests("vault")
            with Probe(self.entra, "stale", **given) as probe:
                self.assertIn("the challenge", probe.ask("get")["detail"])
            self.assertEqual(self.entra.requests("vault"), before + 1)


if __name__ == "__main__":
    unittest.main()
