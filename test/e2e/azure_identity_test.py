#!/usr/bin/env python3
"""azure-identity finds in the development tenant the endpoints that it knows from Azure."""
import logging
import os
import sys
import unittest
import unittest.mock

import clients
import harness
from harness import CERT_APP, CLIENT_SECRET, JO, SAM, SECRET_APP, TENANT_ID, WEB_APP, new_certificate
from identities import BLUEPRINT, MACHINE, POD_APP, SHARED, Tenant
from oauth import claims_of

clients.install_python()
import azure.identity as identity  # noqa: E402  (it stands where that put it)
import msal.managed_identity  # noqa: E402
from azure.core.exceptions import ClientAuthenticationError  # noqa: E402

STRANGER = "cccccccc-0000-4000-8000-00000000000f"
logging.getLogger("azure").setLevel(logging.CRITICAL)  # each refusal, of which there are many here
REFUSED = (identity.CredentialUnavailableError, ClientAuthenticationError)


class IdentityCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(Tenant())
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.graph = cls.entra.graph + "/.default"

    def environment(self, **values):
        """What a platform tells its workloads."""
        self.enterContext(unittest.mock.patch.dict(os.environ, values))

    def granted(self, credential, client, subject=None, scope=None):
        token = credential.get_token(scope or self.graph).token
        claims = claims_of(token)
        self.assertEqual((claims["appid"], claims["oid"]), (client, subject or client))
        return claims


class ManagedIdentities(IdentityCase):
    def imds(self):
        self.environment(AZURE_POD_IDENTITY_AUTHORITY_HOST=self.entra.imds)

    def app_service(self, header=None):
        self.environment(IDENTITY_ENDPOINT=self.entra.imds + "/msi/token",
                         IDENTITY_HEADER=header or self.entra.identity_header)

    def arc(self, folder=None):
        """The library reads keys in one folder alone, which only Arc's agent should make."""
        self.environment(IDENTITY_ENDPOINT=self.entra.imds + "/arc/metadata/identity/oauth2/token",
                         IMDS_ENDPOINT=self.entra.imds)
        self.enterContext(unittest.mock.patch.dict(
            msal.managed_identity._supported_arc_platforms_and_their_prefixes,
            {sys.platform: folder or self.entra.arc_key_folder}))

    def refused(self, **options):
        with self.assertRaises(REFUSED) as refusal:
            identity.ManagedIdentityCredential(**options).get_token(self.graph)
        return str(refusal.exception)

    def test_a_machine_has_its_own_identity_and_those_given_to_it(self):
        self.imds()
        self.granted(identity.ManagedIdentityCredential(), MACHINE)
        self.granted(identity.ManagedIdentityCredential(client_id=SHARED), SHARED)
        self.granted(identity.ManagedIdentityCredential(
            identity_config={"object_id": SHARED}), SHARED)

    def test_a_token_is_kept_as_long_as_the_endpoint_says(self):
        self.imds()
        credential = identity.ManagedIdentityCredential()
        before = self.entra.requests("imds")
        info = credential.get_token_info(self.graph)
        # The answer counts from when it was written, the library from when it was read.
        self.assertAlmostEqual(info.expires_on, claims_of(info.token)["exp"], delta=5)
        self.assertEqual(credential.get_token(self.graph).token, info.token)
        self.assertEqual(self.entra.requests("imds"), before + 1)

    def test_an_identity_that_the_machine_does_not_have(self):
        self.imds()
        self.assertIn("Identity not found", self.refused(client_id=STRANGER))
        self.entra.registration(MACHINE, managed_identity="")
        self.refused()
        self.entra.registration(MACHINE, managed_identity="system")

    def test_app_service(self):
        self.app_service()
        self.granted(identity.ManagedIdentityCredential(), MACHINE)
        self.granted(identity.ManagedIdentityCredential(client_id=SHARED), SHARED)
        self.assertIn("400, Identity not found", self.refused(client_id=STRANGER))
        self.app_service(header="another")
        self.assertIn("401, The identity header", self.refused())

    def test_azure_arc(self):
        self.arc()
        self.granted(identity.ManagedIdentityCredential(), MACHINE)
        self.refused(client_id=SHARED)  # it has but one
        self.arc(folder=self.entra.dir)
        with self.assertRaises(FileNotFoundError):
            identity.ManagedIdentityCredential().get_token(self.graph)


class Credentials(IdentityCase):
    def options(self):
        return {"authority": self.entra.authority, "disable_instance_discovery": True}

    def test_an_application_and_a_workload(self):
        key, certificate = new_certificate(self.entra.dir)
        self.entra.registration(CERT_APP, certificates=[certificate.read_text()])
        pem = (key.read_text() + certificate.read_text()).encode()
        rows = [(SECRET_APP, identity.ClientSecretCredential(
                    TENANT_ID, SECRET_APP, CLIENT_SECRET, **self.options())),
                (CERT_APP, identity.CertificateCredential(
                    TENANT_ID, CERT_APP, certificate_data=pem, **self.options())),
                (POD_APP, identity.WorkloadIdentityCredential(
                    tenant_id=TENANT_ID, client_id=POD_APP,
                    token_file_path=str(self.entra.token_file), **self.options()))]
        for client, credential in rows:
            with self.subTest(type(credential).__name__):
                self.granted(credential, client)

    def test_on_behalf_of_users(self):
        for user in (JO, SAM):
            self.granted(identity.OnBehalfOfCredential(
                TENANT_ID, WEB_APP, client_secret=CLIENT_SECRET,
                user_assertion=self.entra.user_token(user, audience=WEB_APP), **self.options()),
                WEB_APP, user, scope=self.entra.graph + "/Mail.Read")

    def test_what_is_refused(self):
        self.entra.project(subject="somebody")
        rows = [("AADSTS7000215", identity.ClientSecretCredential(
                    TENANT_ID, SECRET_APP, "wrong", **self.options())),
                ("Unable to get authority configuration", identity.ClientSecretCredential(
                    STRANGER, SECRET_APP, CLIENT_SECRET, **self.options())),
                ("AADSTS700213", identity.WorkloadIdentityCredential(
                    tenant_id=TENANT_ID, client_id=POD_APP,
                    token_file_path=str(self.entra.token_file), **self.options())),
                ("AADSTS50013", identity.OnBehalfOfCredential(
                    TENANT_ID, WEB_APP, client_secret=CLIENT_SECRET,
                    user_assertion=self.entra.user_token(audience=BLUEPRINT), **self.options()))]
        for code, credential in rows:
            with self.subTest(code):
                with self.assertRaises((ClientAuthenticationError, ValueError)) as refusal:
                    credential.get_token(self.graph)
                self.assertIn(code, str(refusal.exception))
        self.entra.project()


if __name__ == "__main__":
    harness.main()
