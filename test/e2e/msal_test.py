#!/usr/bin/env python3
"""The development tenant's Entra is one that MSAL for Python and for JavaScript get on with."""
import hashlib
import json
import tempfile
import unittest

import clients
import harness
from browser import parameters, sign_in
from harness import CERT_APP, CLIENT_SECRET, JO, MAIL_APP, SAM, SECRET_APP, WEB_APP
from identities import AIDE, AIDE_USER, BLUEPRINT, POD_APP, Tenant
from oauth import Signer, claims_of

clients.install_python()
import msal  # noqa: E402  (it stands where that put it)

EXCHANGE = ["api://AzureADTokenExchange/.default"]
HERE = "http://localhost:40123"
CONTINUOUS = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}}})


class ClientCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.signer = Signer(folder)
        cls.entra = cls.enterClassContext(Tenant())
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.entra.settings(device_code_interval_s=1)
        cls.entra.registration(CERT_APP, certificates=[cls.signer.pem])
        cls.authority = f"{cls.entra.authority}/{cls.entra.tenant_id}"
        cls.app_scope = [cls.entra.graph + "/.default"]
        cls.mail_scope = [cls.entra.graph + "/Mail.Read"]


class MsalForPython(ClientCase):
    def app(self, client_id, credential=None):
        kind = msal.ConfidentialClientApplication if credential else msal.PublicClientApplication
        options = {"client_credential": credential} if credential else {}
        return kind(client_id, authority=self.authority, instance_discovery=False, **options)

    def granted(self, answer, client, subject):
        self.assertIn("access_token", answer, answer)
        claims = claims_of(answer["access_token"])
        self.assertEqual((claims["appid"], claims["oid"]), (client, subject))
        return answer

    def refused(self, answer, error, code):
        self.assertEqual((answer.get("error"), answer.get("error_codes")), (error, [code]), answer)

    def test_an_application_proves_itself_in_every_way(self):
        key = self.signer.key.read_text()
        sha1 = hashlib.sha1(self.signer.der).hexdigest()
        rows = [("a secret", SECRET_APP, CLIENT_SECRET),
                ("a certificate", CERT_APP,
                 {"private_key": key, "public_certificate": self.signer.pem}),
                ("its thumbprint, the old way", CERT_APP, {"private_key": key, "thumbprint": sha1}),
                ("a platform's token", POD_APP, {"client_assertion": self.entra.project})]
        for name, client, credential in rows:
            with self.subTest(name):
                app = self.app(client, credential)
                first = self.granted(app.acquire_token_for_client(self.app_scope), client, client)
                self.assertEqual(first["token_source"], "identity_provider")
                again = app.acquire_token_for_client(self.app_scope)
                self.assertEqual((again["token_source"], again["access_token"]),
                                 ("cache", first["access_token"]))

    def test_it_acts_for_each_user(self):
        app = self.app(WEB_APP, CLIENT_SECRET)
        for user in (JO, SAM):
            assertion = self.entra.user_token(user, audience=WEB_APP)
            answer = app.acquire_token_on_behalf_of(assertion, self.mail_scope)
            self.granted(answer, WEB_APP, user)

    def test_a_person_logs_in_with_a_code_and_the_login_is_renewed(self):
        app = self.app(MAIL_APP)
        flow = app.initiate_device_flow(self.mail_scope)
        self.entra.decide(flow["user_code"], JO)
        first = self.granted(app.acquire_token_by_device_flow(flow), MAIL_APP, JO)
        [account] = app.get_accounts()
        self.assertEqual((account["home_account_id"], account["username"]),
                         (f"{JO}.{self.entra.tenant_id}", "jo.canary@contoso.example"))
        kept = app.acquire_token_silent(self.mail_scope, account)
        self.assertEqual(kept["access_token"], first["access_token"])
        renewed = app.acquire_token_silent(self.mail_scope, account, force_refresh=True)
        self.assertNotEqual(self.granted(renewed, MAIL_APP, JO)["access_token"],
                            first["access_token"])

    def test_a_person_logs_in_with_a_browser_and_the_login_is_renewed(self):
        for client, credential in ((MAIL_APP, None), (WEB_APP, CLIENT_SECRET)):
            app = self.app(client, credential)
            flow = app.initiate_auth_code_flow(self.mail_scope, redirect_uri=HERE)
            back = parameters(sign_in(self.entra, flow["auth_uri"], JO))
            first = self.granted(app.acquire_token_by_auth_code_flow(flow, back), client, JO)
            [account] = app.get_accounts()
            self.assertEqual(account["home_account_id"], f"{JO}.{self.entra.tenant_id}")
            renewed = app.acquire_token_silent(self.mail_scope, account, force_refresh=True)
            self.assertNotEqual(self.granted(renewed, client, JO)["access_token"],
                                first["access_token"])
            self.refused(app.acquire_token_by_auth_code_flow(flow, back), "invalid_grant", 54005)

    def test_a_browser_login_that_fails_is_an_error_that_it_knows(self):
        app = self.app(MAIL_APP)
        flow = app.initiate_auth_code_flow(self.mail_scope, redirect_uri=HERE)
        other = app.initiate_auth_code_flow(self.mail_scope, redirect_uri=HERE)
        back = parameters(sign_in(self.entra, flow["auth_uri"], JO))
        mixed = dict(back, state=other["state"])  # another login's code: the verifier differs
        self.refused(app.acquire_token_by_auth_code_flow(other, mixed), "invalid_grant", 501481)
        declined = parameters(sign_in(self.entra, flow["auth_uri"], JO, "decline"))
        self.assertEqual(app.acquire_token_by_auth_code_flow(flow, declined)["error"],
                         "access_denied")

    def test_an_agent_identity_takes_its_legs(self):
        blueprint = self.app(BLUEPRINT, CLIENT_SECRET)
        leg = lambda: blueprint.acquire_token_for_client(EXCHANGE, fmi_path=AIDE)["access_token"]
        agent = self.app(AIDE, {"client_assertion": leg})
        self.granted(agent.acquire_token_for_client(self.app_scope), AIDE, AIDE)
        assertion = self.entra.user_token()
        self.granted(agent.acquire_token_on_behalf_of(assertion, self.mail_scope), AIDE, JO)
        proof = agent.acquire_token_for_client(EXCHANGE)["access_token"]
        self.granted(agent.acquire_token_by_user_federated_identity_credential(
            self.mail_scope, assertion=proof, user_object_id=AIDE_USER), AIDE, AIDE_USER)

    def test_claims_are_asked_for_and_the_kept_token_is_not(self):
        app = self.app(SECRET_APP, CLIENT_SECRET)
        first = app.acquire_token_for_client(self.app_scope)
        other = app.acquire_token_for_client(self.app_scope, claims_challenge=CONTINUOUS)
        self.assertNotEqual(first["access_token"], other["access_token"])
        self.assertEqual(claims_of(other["access_token"])["xms_cc"], ["cp1"])

    def test_refusals_are_errors_that_it_knows(self):
        user, web = self.entra.user_token, self.app(WEB_APP, CLIENT_SECRET)
        rows = [("a wrong secret", "invalid_client", 7000215, self.app(
                    SECRET_APP, "wrong").acquire_token_for_client(self.app_scope)),
                ("an unknown application", "unauthorized_client", 700016, self.app(
                    AIDE[:-1] + "f", "x").acquire_token_for_client(self.app_scope)),
                ("a platform's token about another", "invalid_client", 700213, self.app(
                    POD_APP, {"client_assertion": lambda: self.entra.project(subject="other")})
                 .acquire_token_for_client(self.app_scope)),
                ("a user's token for another", "invalid_grant", 50013,
                 web.acquire_token_on_behalf_of(user(audience=SECRET_APP), self.mail_scope)),
                ("no consent", "invalid_grant", 65001, web.acquire_token_on_behalf_of(
                    user(audience=WEB_APP), [self.entra.graph + "/Mail.Send"]))]
        for name, error, code, answer in rows:
            with self.subTest(name):
                self.refused(answer, error, code)
        app = self.app(MAIL_APP)
        flow = app.initiate_device_flow(self.mail_scope)
        self.entra.decide(flow["user_code"], JO, "decline")
        self.assertEqual(app.acquire_token_by_device_flow(flow)["error"], "authorization_declined")


class MsalForNode(ClientCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node = cls.enterClassContext(clients.NodeClients(cls.entra))

    def auth(self, client_id, **credential):
        host = self.entra.authority.removeprefix("https://")
        return {"clientId": client_id, "authority": self.authority, "knownAuthorities": [host],
                **credential}

    def granted(self, answer, client, subject):
        self.assertIn("accessToken", answer, answer)
        claims = claims_of(answer["accessToken"])
        self.assertEqual((claims["appid"], claims["oid"]), (client, subject))

    def test_an_application_proves_itself_in_every_way(self):
        certificate = {"thumbprintSha256": hashlib.sha256(self.signer.der).hexdigest(),
                       "privateKey": self.signer.key.read_text()}
        rows = [("a secret", SECRET_APP, {"clientSecret": CLIENT_SECRET}),
                ("a certificate", CERT_APP, {"clientCertificate": certificate}),
                ("a platform's token", POD_APP, {"clientAssertion": self.entra.project()})]
        for name, client, credential in rows:
            with self.subTest(name):
                self.granted(self.node.ask("app", auth=self.auth(client, **credential),
                                           request={"scopes": self.app_scope}), client, client)

    def test_it_acts_for_each_user(self):
        auth = self.auth(WEB_APP, clientSecret=CLIENT_SECRET)
        for user in (JO, SAM):
            request = {"oboAssertion": self.entra.user_token(user, audience=WEB_APP),
                       "scopes": self.mail_scope}
            self.granted(self.node.ask("onBehalfOf", auth=auth, request=request), WEB_APP, user)

    def test_a_person_logs_in_with_a_code_and_the_login_is_renewed(self):
        started = self.node.ask("device", auth=self.auth(MAIL_APP), scopes=self.mail_scope)
        self.entra.decide(started["user_code"], JO)
        answer = self.node.read()
        self.granted(answer, MAIL_APP, JO)
        self.assertEqual(answer["home"], f"{JO}.{self.entra.tenant_id}")

    def test_a_person_logs_in_with_a_browser_and_the_login_is_renewed(self):
        for client, credential in ((MAIL_APP, {}), (WEB_APP, {"clientSecret": CLIENT_SECRET})):
            asked = {"auth": self.auth(client, **credential),
                     "request": {"scopes": self.mail_scope, "redirectUri": HERE}}
            started = self.node.ask("codeUrl", **asked)
            back = parameters(sign_in(self.entra, started["url"], JO))
            self.assertEqual(back["state"], started["state"])
            asked["request"] |= {"code": back["code"], "codeVerifier": started["verifier"]}
            answer = self.node.ask("code", **asked)
            self.granted(answer, client, JO)
            self.assertEqual(answer["home"], f"{JO}.{self.entra.tenant_id}")
            self.assertEqual(self.node.ask("code", **asked)["error"], "invalid_grant")

    def test_refusals_are_errors_that_it_knows(self):
        for client, credential, error in ((SECRET_APP, "wrong", "invalid_client"),
                                          (AIDE[:-1] + "f", "x", "unauthorized_client")):
            told = self.node.ask("app", auth=self.auth(client, clientSecret=credential),
                                 request={"scopes": self.app_scope})
            self.assertEqual(told.get("error"), error, told)


if __name__ == "__main__":
    harness.main()
