#!/usr/bin/env python3
"""What an approver answers in a Teams chat decides; what anybody else says there does not."""
import re
import unittest

import enrolled
import harness
from harness import DevTenant, HELPDESK, IS_ROOT, JO, SAM, default_tenant, until
from notify_test import LEAD_UID, LEADS, OPENER, SCOPE, WRITER, chat_of

ADA = "33333333-3333-4333-8333-333333333333"  # an approver
EVE = "44444444-4444-4444-8444-444444444444"  # in the chat, and no more
SIGN_IN = "dddddddd-0000-4000-8000-00000000000a"
# A chat is looked at every 30 seconds; the rest is a guard against hanging.
TWO_LOOKS_SECONDS = 90
CODE = re.compile("<code>yes ([2-9A-Z]{4}-[2-9A-Z]{6})</code>")


def tenant():
    made = default_tenant()
    made["users"] += [{"oid": ADA, "upn": "ada.canary@contoso.example", "name": "Ada Canary"},
                      {"oid": EVE, "upn": "eve.canary@contoso.example", "name": "Eve Canary"}]
    for client, scopes in ((WRITER, ["ChatMessage.Send", "Chat.Read"]), (OPENER, ["Chat.Create"])):
        made["registrations"].append({"client_id": client, "public_client": True,
                                      "delegated": {"graph": scopes}})
    return made


@unittest.skipUnless(IS_ROOT, "needs users who are not each other")
class Answering(enrolled.TenantCase):
    """One purserd: read-users of the helpdesk agent waits for Ada, who is in a chat with others."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant()))
        cls.entra.settings(device_code_interval_s=1)
        cls.chat = chat_of(cls.entra, SAM, ADA, EVE)

        def edit(config):
            approvers = [f"group:{LEADS}", f"entra-user:{ADA}"]
            config["admin"] |= {"approvers": approvers, "client_id": SIGN_IN}
            config["credential"]["writer"] = {"kind": "refresh-token", "client_id": WRITER, "user": SAM,
                                              "scopes": ["ChatMessage.Send", "Chat.Read"]}
            config["notify"] = {"chat": {"kind": "teams-chat", "chat": cls.chat, "credential": "writer",
                                         "replies": True}}
            config["agent"][HELPDESK]["allow"][1] |= {"decision": "approve", "approve_bearer": True,
                                                      "approval": {"by": approvers}}
        cls.purser = cls.enterClassContext(harness.Purser(cls.entra, edit=edit))
        enrolled.enrol(cls.purser)
        login = cls.purser.log_in("writer", SAM)
        assert login.returncode == 0, login.stdout + cls.purser.log()

    def setUp(self):
        self.before = len(self.purser.ledger_lines())
        self.addCleanup(self.entra.clear_faults)

    def ask(self, purpose):
        return self.purser.request(HELPDESK, "POST", "/v1/token",
                                   {"scopes": SCOPE, "context": {"purpose": purpose}})

    def decided(self, purpose):
        """The answer once it is another than to wait: the entry is written first."""
        def answer():
            reply = self.ask(purpose)
            return None if reply.json().get("reason") == "approval_pending" else reply
        return until(answer)

    def pending(self, purpose):
        return self.refused(self.purser, self.ask(purpose), 403, "approval_pending")["approval"]

    def entries(self, kind):
        return [entry for entry in self.purser.ledger_lines()[self.before:] if entry["type"] == kind]

    def code_of(self, identity):
        def card():
            return [message for chat in self.entra.control("GET", "/chats") for message in chat["messages"]
                    if identity in message["body"]["content"]]
        return CODE.search(until(card)[0]["body"]["content"]).group(1)

    def say(self, user, content, **more):
        return self.entra.control("POST", f"/chats/{self.chat}/messages",
                                  {"user": user, "content": content} | more)

    def change(self, message, content):
        self.entra.control("POST", f"/chats/{self.chat}/messages/{message['id']}", {"content": content})

    def test_a_only_the_approver_decides_and_only_with_what_stands(self):
        identity = self.pending("tickets")
        code = self.code_of(identity)
        self.say(EVE, f"yes {code}", name="Ada Canary")
        self.say(EVE, f"<p>yes {code}</p>", contentType="html")
        self.say(SAM, f"yes {code}")
        self.say(JO, f"yes {code}")
        self.change(self.say(ADA, "good morning"), f"yes {code}")
        self.change(self.say(ADA, f"yes {code}"), None)
        self.say(ADA, f"yes {code}, if Jo agrees")
        self.say(ADA, f"yes {code[:5]}222222")
        until(lambda: self.entries("admin.denied"), TWO_LOOKS_SECONDS)
        (denied,) = self.entries("admin.denied")
        self.assertEqual((denied["reason"], denied["user"]["oid"], denied["approval"]["id"]),
                         ("not_found", ADA, identity))
        self.assertEqual(self.entries("approval.granted"), [])
        self.assertEqual(self.pending("tickets"), identity)
        said = self.say(ADA, f"<p>Yes {code.lower()}</p>", contentType="html")
        until(lambda: self.entries("approval.granted"), TWO_LOOKS_SECONDS)
        (granted,) = self.entries("approval.granted")
        self.assertEqual((granted["approval"]["by"], granted["user"]["oid"]), (f"oid:{ADA}", ADA))
        self.assertEqual((granted["change"]["how"], granted["change"]["message"]), ("teams-chat", said["id"]))
        self.assertNotIn("caller", granted)
        issued = self.granted(self.purser, self.decided("tickets"))
        self.assertGreater(issued["audit"]["seq"], granted["seq"])
        self.assert_verifies(self.purser)

    def test_b_a_chat_that_cannot_be_read_is_recorded_and_delays_nobody(self):
        self.entra.fault(endpoint="graph", method="GET", path="/messages", status=503)
        identity = self.pending("with a chat that is down")
        self.code_of(identity)
        until(lambda: self.entries("notifier.failed"), TWO_LOOKS_SECONDS)
        (failed,) = self.entries("notifier.failed")
        self.assertEqual((failed["reason"], failed["approval"]["id"], failed["change"]["what"]),
                         ("upstream_unavailable", identity, "replies"))
        told = self.purser.cli("approve", identity, uid=LEAD_UID, gid=LEADS)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
        self.assert_verifies(self.purser)

    def test_c_a_no_is_a_no(self):
        identity = self.pending("everybody's mail")
        self.say(ADA, f"no {self.code_of(identity)}")
        until(lambda: self.entries("approval.denied"), TWO_LOOKS_SECONDS)
        self.refused(self.purser, self.decided("everybody's mail"), 403, "approval_denied")


if __name__ == "__main__":
    harness.main()
