#!/usr/bin/env python3
"""The development tenant stops identities and sessions, and keeps chats, as Graph does."""
import unittest
import urllib.parse

import clients
import harness
from harness import BROAD_APP, CLIENT_SECRET, JO, MAIL_APP, SAM, SECRET_APP
from identities import AIDE, BLUEPRINT, tenant_with_identities
from oauth import JWT_BEARER

clients.install_python()
import msal  # noqa: E402  (it stands where that put it)

ADMIN = "dddddddd-0000-4000-8000-000000000001"   # may do everything with applications
OWNER = "dddddddd-0000-4000-8000-000000000002"   # owns SECRET_APP, and may change what it owns
READER = "dddddddd-0000-4000-8000-000000000003"  # may read
CUTTER = "dddddddd-0000-4000-8000-000000000004"  # may end grants, sessions and agent identities
WORKER = "dddddddd-0000-4000-8000-000000000005"  # may create chats, without a user
CHAT_APP = "dddddddd-0000-4000-8000-000000000006"  # chats as a person
BLIND_APP = "dddddddd-0000-4000-8000-000000000007"  # may create chats and no more
AGENT_CAST = "/microsoft.graph.agentIdentity"
EVE = "33333333-3333-4333-8333-333333333333"


def tenant():
    made = tenant_with_identities()
    for client, roles in {ADMIN: ["Application.ReadWrite.All"],
                          OWNER: ["Application.ReadWrite.OwnedBy"],
                          READER: ["Application.Read.All", "DelegatedPermissionGrant.Read.All"],
                          CUTTER: ["DelegatedPermissionGrant.ReadWrite.All",
                                   "User.RevokeSessions.All", "AgentIdentity.EnableDisable.All"],
                          WORKER: ["Chat.Create", "Chat.Read.All"]}.items():
        made["registrations"].append({"client_id": client, "secrets": [CLIENT_SECRET],
                                      "application": {"graph": roles}})
    for client, scopes in {CHAT_APP: ["Chat.Create", "ChatMessage.Send", "Chat.Read"],
                           BLIND_APP: ["Chat.Create"]}.items():
        made["registrations"].append({"client_id": client, "public_client": True,
                                      "delegated": {"graph": scopes}})
    made["users"].append({"oid": EVE, "upn": "eve@contoso.example", "name": "Sam Canary"})
    return made


class GraphCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(harness.DevTenant(tenant()))
        cls.enterClassContext(clients.trusting(cls.entra))
        cls.entra.settings(device_code_interval_s=1)
        cls.entra.registration(SECRET_APP, owners=[OWNER])

    def app(self, client_id, **options):
        kind = msal.ConfidentialClientApplication if options else msal.PublicClientApplication
        return kind(client_id, authority=f"{self.entra.authority}/{self.entra.tenant_id}",
                    instance_discovery=False, **options)

    def app_token(self, client_id):
        app = self.app(client_id, client_credential=CLIENT_SECRET)
        return app.acquire_token_for_client([self.entra.graph + "/.default"])["access_token"]

    def log_in(self, client_id, user, scope):
        """Microsoft's own client with the person signed in, and the first answer."""
        app = self.app(client_id)
        flow = app.initiate_device_flow([self.entra.graph + "/" + scope])
        self.entra.decide(flow["user_code"], user)
        answer = app.acquire_token_by_device_flow(flow)
        self.assertIn("access_token", answer, answer)
        return app, answer

    def renewed(self, app, scope):
        answer = app.acquire_token_silent_with_error([self.entra.graph + "/" + scope],
                                                     app.get_accounts()[0], force_refresh=True)
        return answer if "access_token" in answer else answer["error_codes"]

    def call(self, caller, path, method="GET", body=None):
        return self.entra.call_graph(urllib.parse.quote(path, safe="/?=&$'()"),
                                     self.app_token(caller), method, body)

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.json()["error"]["code"]), (status, code), reply)


class ServicePrincipals(GraphCase):
    def enable(self, caller, client_id, enabled, cast=""):
        return self.call(caller, f"/v1.0/servicePrincipals/{client_id}{cast}", "PATCH",
                         {"accountEnabled": enabled})

    def ask(self, **form):
        return self.entra.token(grant_type="client_credentials",
                                scope=self.entra.graph + "/.default", **form)

    def agent_asks(self):
        first = self.entra.token(grant_type="client_credentials", client_id=BLUEPRINT,
                                 client_secret=CLIENT_SECRET, fmi_path=AIDE,
                                 scope="api://AzureADTokenExchange/.default")
        if first.status != 200:
            return first
        return self.ask(client_id=AIDE, client_assertion_type=JWT_BEARER,
                        client_assertion=first.json()["access_token"])

    def test_a_disabled_one_gets_no_more_tokens_and_its_old_ones_live_on(self):
        held = self.app_token(SECRET_APP)
        for caller in (ADMIN, OWNER):
            self.assertEqual(self.enable(caller, SECRET_APP, False).status, 204)
            shown = self.call(READER, f"/v1.0/servicePrincipals(appId='{SECRET_APP}')").json()
            self.assertFalse(shown["accountEnabled"])
            reply = self.ask(client_id=SECRET_APP, client_secret=CLIENT_SECRET)
            self.assertEqual(reply.json()["error_codes"], [7000112])
            self.assertEqual(self.entra.call_graph("/v1.0/users", held).status, 200)
            self.enable(caller, SECRET_APP, True)
            self.assertEqual(self.ask(client_id=SECRET_APP,
                                      client_secret=CLIENT_SECRET).status, 200)

    def test_an_agent_identity_is_disabled_by_its_own_address(self):
        self.assertEqual(self.agent_asks().status, 200)
        self.assertEqual(self.enable(CUTTER, AIDE, False, AGENT_CAST).status, 204)
        self.assertEqual(self.agent_asks().json()["error_codes"], [7000112])
        self.enable(CUTTER, AIDE, True, AGENT_CAST)

    def test_a_blueprint_that_manages_its_agents_disables_them_alone(self):
        self.entra.registration(BLUEPRINT,
                                application={"graph": ["AgentIdentity.CreateAsManager"]})
        self.assertEqual(self.enable(BLUEPRINT, AIDE, False, AGENT_CAST).status, 204)
        self.enable(BLUEPRINT, AIDE, True, AGENT_CAST)
        self.entra.registration(WORKER, application={"graph": ["AgentIdentity.CreateAsManager"]})
        self.refused(self.enable(WORKER, AIDE, False, AGENT_CAST), 403,
                     "Authorization_RequestDenied")
        self.entra.registration(WORKER, application={"graph": ["Chat.Create", "Chat.Read.All"]})

    def test_what_is_refused(self):
        denied = (403, "Authorization_RequestDenied")
        self.refused(self.enable(READER, SECRET_APP, False), *denied)
        self.refused(self.enable(OWNER, MAIL_APP, False), *denied)  # it does not own that
        self.refused(self.enable(CUTTER, SECRET_APP, False), *denied)
        self.refused(self.enable(ADMIN, AIDE, False), *denied)  # not the agent's own address
        absent = (404, "Request_ResourceNotFound")
        self.refused(self.enable(ADMIN, EVE, False), *absent)
        self.refused(self.enable(CUTTER, SECRET_APP, False, AGENT_CAST), *absent)
        path = f"/v1.0/servicePrincipals/{SECRET_APP}"
        for body in ({"accountEnabled": "no"}, {}, {"accountEnabled": False, "tags": []}):
            self.refused(self.call(ADMIN, path, "PATCH", body), 400, "Request_BadRequest")
        self.refused(self.call(WORKER, path), *denied)


class Grants(GraphCase):
    def grants(self, client_id):
        return self.call(READER, f"/v1.0/oauth2PermissionGrants?$filter=clientId eq '{client_id}'"
                         ).json()["value"]

    def test_a_deleted_grants_scopes_stop(self):
        self.entra.registration(BROAD_APP, delegated={"graph": ["Mail.Read"]},
                                delegated_users={SAM: {"graph": ["Mail.Send"]}})
        app, answer = self.log_in(BROAD_APP, SAM, "Mail.Read")
        self.assertIn("Mail.Send", answer["scope"])
        everybodys, own = sorted(self.grants(BROAD_APP), key=lambda g: g["consentType"])
        self.assertEqual((everybodys["scope"], own["scope"], own["principalId"]),
                         ("Mail.Read", "Mail.Send", SAM))
        self.assertEqual(self.call(CUTTER, f"/v1.0/oauth2PermissionGrants/{own['id']}",
                                   "DELETE").status, 204)
        self.assertNotIn("Mail.Send", self.renewed(app, "Mail.Read")["scope"])
        self.call(CUTTER, f"/v1.0/oauth2PermissionGrants/{everybodys['id']}", "DELETE")
        self.assertEqual(self.renewed(app, "Mail.Read"), [65001])
        self.assertEqual(self.grants(BROAD_APP), [])

    def test_what_is_refused(self):
        grant = self.grants(MAIL_APP)[0]["id"]
        denied = (403, "Authorization_RequestDenied")
        self.refused(self.call(READER, f"/v1.0/oauth2PermissionGrants/{grant}", "DELETE"), *denied)
        self.refused(self.call(ADMIN, "/v1.0/oauth2PermissionGrants"), *denied)
        self.refused(self.call(CUTTER, "/v1.0/oauth2PermissionGrants/none", "DELETE"), 404,
                     "Request_ResourceNotFound")
        self.refused(self.call(READER, "/v1.0/oauth2PermissionGrants?$filter=scope eq 'x'"), 400,
                     "Request_UnsupportedQuery")


class Sessions(GraphCase):
    def test_a_users_refresh_tokens_stop_and_nobody_elses(self):
        jos, _ = self.log_in(MAIL_APP, JO, "Mail.Read")
        sams, _ = self.log_in(MAIL_APP, SAM, "Mail.Read")
        reply = self.call(CUTTER, f"/v1.0/users/{JO}/revokeSignInSessions", "POST")
        self.assertEqual((reply.status, reply.json()["value"]), (200, True))
        self.assertEqual(self.renewed(jos, "Mail.Read"), [50173])
        self.assertIn("access_token", self.renewed(sams, "Mail.Read"))
        again, _ = self.log_in(MAIL_APP, JO, "Mail.Read")
        self.assertIn("access_token", self.renewed(again, "Mail.Read"))

    def test_what_is_refused(self):
        _, answer = self.log_in(MAIL_APP, JO, "Mail.Read")
        self.refused(self.call(ADMIN, f"/v1.0/users/{JO}/revokeSignInSessions", "POST"), 403,
                     "Authorization_RequestDenied")
        self.refused(self.call(CUTTER, f"/v1.0/users/{AIDE}/revokeSignInSessions", "POST"), 404,
                     "Request_ResourceNotFound")
        self.refused(self.entra.call_graph("/v1.0/me/revokeSignInSessions", answer["access_token"],
                                           "POST"), 403, "ErrorAccessDenied")


class ChatsAndMessages(GraphCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("test_the_same_two_people_have_one_chat")
        cls.tokens = {user: case.log_in(CHAT_APP, user, "Chat.Read")[1]["access_token"]
                      for user in (JO, SAM, EVE)}

    def as_user(self, user, path, method="GET", body=None):
        return self.entra.call_graph(urllib.parse.quote(path, safe="/?=&$'()@:"),
                                     self.tokens[user], method, body)

    def members(self, *users, kind="oneOnOne"):
        return {"chatType": kind, "members": [
            {"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"],
             "user@odata.bind": f"{self.entra.graph}/v1.0/users('{user}')"} for user in users]}

    def chat(self, *users):
        reply = self.as_user(users[0], "/v1.0/chats", "POST", self.members(*users))
        self.assertEqual(reply.status, 201, reply)
        return reply.json()["id"]

    def say(self, user, chat, content="hello", kind="text", **more):
        body = {"body": {"contentType": kind, "content": content}} | more
        return self.as_user(user, f"/v1.0/chats/{chat}/messages", "POST", body)

    def test_the_same_two_people_have_one_chat(self):
        chat = self.chat(JO, SAM)
        self.assertEqual(self.chat(SAM, JO), chat)
        self.assertNotEqual(self.chat(JO, EVE), chat)

    def test_chats_that_are_refused(self):
        rows = [("one person", 400, "BadRequest", self.members(JO)),
                ("with oneself", 400, "BadRequest", self.members(JO, JO)),
                ("of three", 400, "BadRequest", self.members(JO, SAM, EVE)),
                ("of others", 403, "Forbidden", self.members(SAM, EVE)),
                ("with nobody", 404, "NotFound", self.members(JO, AIDE)),
                ("of a kind", 400, "BadRequest", self.members(JO, SAM, kind="meeting"))]
        for name, status, code, body in rows:
            with self.subTest(name):
                self.refused(self.as_user(JO, "/v1.0/chats", "POST", body), status, code)
        self.refused(self.call(ADMIN, "/v1.0/chats", "POST", self.members(JO, SAM)), 403,
                     "Authorization_RequestDenied")

    def test_only_members_speak_and_only_people(self):
        chat = self.chat(JO, SAM)
        self.assertEqual(self.say(JO, chat).status, 201)
        self.refused(self.say(EVE, chat), 403, "Forbidden")
        self.refused(self.say(JO, "19:none"), 404, "NotFound")
        body = {"body": {"content": "hello"}}
        self.refused(self.call(WORKER, f"/v1.0/chats/{chat}/messages", "POST", body), 401,
                     "Unauthorized")
        _, blind = self.log_in(BLIND_APP, JO, "Chat.Create")
        self.refused(self.entra.call_graph(f"/v1.0/chats/{chat}/messages", blind["access_token"],
                                           "POST", body), 403, "Forbidden")
        self.refused(self.entra.call_graph(f"/v1.0/chats/{chat}/messages", blind["access_token"]),
                     403, "ErrorAccessDenied")
        self.refused(self.as_user(EVE, f"/v1.0/chats/{chat}/messages"), 403, "Forbidden")

    def test_messages_with_cards(self):
        chat = self.chat(JO, SAM)
        card = {"id": "a", "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None, "content": '{"type":"AdaptiveCard"}'}
        shown = '<attachment id="a"></attachment>'
        self.assertEqual(self.say(JO, chat, shown, "html", attachments=[card]).status, 201)
        for name, status, reply in [
                ("no reference", 400, self.say(JO, chat, "look", "html", attachments=[card])),
                ("plain text", 400, self.say(JO, chat, shown, attachments=[card])),
                ("an object for a card", 400,
                 self.say(JO, chat, shown, "html", attachments=[card | {"content": {}}])),
                ("nothing", 400, self.say(JO, chat, "")),
                ("another kind", 400, self.say(JO, chat, kind="markdown")),
                ("too much", 413, self.say(JO, chat, "x" * 30000))]:
            with self.subTest(name):
                self.assertEqual(reply.status, status, reply)

    def test_reading_filters_by_what_it_is_ordered_by(self):
        chat = self.chat(SAM, EVE)
        first = self.say(SAM, chat, "one").json()
        # A person answers; under the name of another, which proves nothing.
        second = self.entra.control("POST", f"/chats/{urllib.parse.quote(chat)}/messages",
                                    {"user": EVE, "name": "Jo Canary", "content": "yes"})
        self.assertEqual((second["from"]["user"]["id"], second["from"]["user"]["displayName"]),
                         (EVE, "Jo Canary"))

        def read(query):
            reply = self.as_user(SAM, f"/v1.0/chats/{chat}/messages?{query}")
            return [m["id"] for m in reply.json()["value"]] if reply.status == 200 else reply
        newer = f"$filter=lastModifiedDateTime gt {first['lastModifiedDateTime']}"
        self.assertEqual(read("$top=50"), [second["id"], first["id"]])
        self.assertEqual(read("$top=1"), [second["id"]])
        self.assertEqual(read(f"$orderby=lastModifiedDateTime desc&{newer}"), [second["id"]])
        self.assertEqual(read(f"$orderby=createdDateTime desc&{newer}"),
                         [second["id"], first["id"]])
        self.assertEqual(read(newer), [second["id"], first["id"]])
        for query in ("$top=51", "$orderby=lastModifiedDateTime asc", "$filter=id eq '1'"):
            self.refused(read(query), 400, "BadRequest")


if __name__ == "__main__":
    harness.main()
