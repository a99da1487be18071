#!/usr/bin/env python3
"""Telling people elsewhere: a card for Teams, which decides nothing and delays nobody."""
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
import unittest

import enrolled
import harness
from harness import BIN, DevTenant, HELPDESK, IS_ROOT, JO, SAM, default_tenant, until

SCOPE = ["User.Read.All"]
LEADS, LEAD_UID = 62001, 61021
WRITER = "dddddddd-0000-4000-8000-000000000008"  # writes into chats, and no more
OPENER = "dddddddd-0000-4000-8000-000000000009"  # opens chats, and no more
SIGNATURE = "sig=Canary-webhook-signature-0123456789"
HOSTILE = "[approve](https://evil.test) <at>Jo</at> **granted** {{DATE(2026-01-01T00:00:00Z)}}"


def certificate(folder):
    """An authority of its own, and a server's key and certificate for localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
            "-subj", "/CN=hooks", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", "hook.key", "-out", "hook.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "hook.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", 30, "-extfile", "names", "-out", "hook.pem")
    return folder / "ca.pem", folder / "hook.pem", folder / "hook.key"


class Receiver:
    """Takes what a Teams workflow would; `answer` is what it says, "hang" that it says nothing."""

    def __init__(self, folder):
        self.ca_file, certificate_file, key = certificate(folder)
        self.answer, self.seen, self.elsewhere = 202, [], []
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                (receiver.seen if self.path.startswith("/workflows/") else receiver.elsewhere).append(
                    (self.path, body))
                if receiver.answer == "hang":
                    receiver.released.wait()
                    return
                self.send_response(receiver.answer)
                if receiver.answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # whoever hung up

        self.server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.origin = f"https://localhost:{self.server.server_port}"
        self.url = f"{self.origin}/workflows/abc?{SIGNATURE}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


def tenant():
    made = default_tenant()
    for client, scope in ((WRITER, "ChatMessage.Send"), (OPENER, "Chat.Create")):
        made["registrations"].append({"client_id": client, "public_client": True,
                                      "delegated": {"graph": [scope]}})
    return made


def chat_of(entra, *users):
    """The id of a chat of theirs, which the first one opens."""
    flow = entra.devicecode(client_id=OPENER, scope=f"{entra.graph}/Chat.Create").json()
    entra.decide(flow["user_code"], users[0])
    token = entra.token(client_id=OPENER, device_code=flow["device_code"],
                        grant_type="urn:ietf:params:oauth:grant-type:device_code").json()["access_token"]
    members = [{"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"],
                "user@odata.bind": f"{entra.graph}/v1.0/users('{user}')"} for user in users]
    return entra.call_graph("/v1.0/chats", token, "POST",
                            {"chatType": "oneOnOne" if len(users) == 2 else "group",
                             "members": members}).json()["id"]


def texts(node):
    if isinstance(node, dict):
        return ([node["text"]] if "text" in node else []) + [t for v in node.values() for t in texts(v)]
    return [t for v in node for t in texts(v)] if isinstance(node, list) else []


@unittest.skipUnless(IS_ROOT, "needs users who are not each other")
class Telling(enrolled.TenantCase):
    """One purserd: read-users of the helpdesk agent waits for one of the leads, who are told."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant()))
        cls.entra.settings(device_code_interval_s=1)
        chat = chat_of(cls.entra, SAM, JO)
        folder = pathlib.Path(cls.entra.dir) / "hooks"
        folder.mkdir()
        cls.receiver = Receiver(folder)
        cls.addClassCleanup(cls.receiver.stop)
        trusted = cls.entra.dir / "both.pem"
        trusted.write_text(pathlib.Path(cls.entra.ca_file).read_text() + cls.receiver.ca_file.read_text())
        trusted.chmod(0o644)

        def edit(config):
            config["network"]["ca_file"] = str(trusted)
            config["admin"]["approvers"] = [f"group:{LEADS}"]
            config["credential"]["hook"] = {"kind": "webhook-url"}
            config["notify"] = {"leads": {"kind": "webhook", "host": cls.receiver.origin, "credential": "hook",
                                          "notices": True},
                                "chat": {"kind": "teams-chat", "chat": chat, "credential": "writer"}}
            config["credential"]["writer"] = {"kind": "refresh-token", "client_id": WRITER, "user": SAM,
                                              "scopes": ["ChatMessage.Send"]}
            rules = config["agent"][HELPDESK]["allow"]
            rules[0]["decision"] = "notify"
            rules[1] |= {"decision": "approve", "approve_bearer": True, "approval": {"by": [f"group:{LEADS}"]}}
        cls.purser = cls.enterClassContext(harness.Purser(cls.entra, edit=edit))
        enrolled.enrol(cls.purser)
        login = cls.purser.log_in("writer", SAM)
        assert login.returncode == 0, login.stdout + cls.purser.log()

    def setUp(self):
        self.receiver.answer = 202
        self.receiver.seen.clear()
        self.before = len(self.purser.ledger_lines())

    def enrol(self, url):
        return self.purser.cli("secret", "set", "hook", stdin=url)

    def pending(self, purpose):
        reply = self.purser.request(HELPDESK, "POST", "/v1/token",
                                    {"scopes": SCOPE, "context": {"purpose": purpose}})
        return self.refused(self.purser, reply, 403, "approval_pending")["approval"]

    def said(self, verb, identity):
        told = self.purser.cli(verb, identity, uid=LEAD_UID, gid=LEADS)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def entries(self, kind):
        return [entry for entry in self.purser.ledger_lines()[self.before:] if entry["type"] == kind]

    def failed(self, name="leads"):
        def found():
            return [entry for entry in self.entries("notifier.failed") if entry["target"]["id"] == name]
        until(found)
        return found()[0]

    def said_in_chat(self, about):
        """The messages of the chat that name it."""
        return [message for chat in self.entra.control("GET", "/chats") for message in chat["messages"]
                if about in message["body"]["content"]]

    def test_a_an_address_that_leads_elsewhere_is_not_enrolled(self):
        for about, url in (("another host", f"https://evil.test/workflows/abc?{SIGNATURE}"),
                           ("only a host", self.receiver.origin),
                           ("a user before it", self.receiver.origin + f"@evil.test/x?{SIGNATURE}")):
            with self.subTest(about):
                told = self.enrol(url)
                self.assertEqual(told.returncode, 1, told)
                self.assertIn(self.receiver.origin, told.stderr)
                self.assertNotIn(SIGNATURE, told.stdout + told.stderr)
        self.pending("nobody is enrolled")
        self.assertEqual(self.failed()["reason"], "credential_not_enrolled")
        told = self.enrol(self.receiver.url)
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_b_a_card_arrives_and_what_the_agent_says_on_it_is_inert(self):
        identity = self.pending(HOSTILE)
        until(lambda: self.receiver.seen)
        path, message = self.receiver.seen[0]
        self.assertIn(SIGNATURE, path)
        card = message["attachments"][0]["content"]
        shown = "\n".join(texts(card))
        for part in ("agent helpdesk asks for approval", f"purser approve {identity}", f"purser deny {identity}",
                     "User.Read.All", f"user {self.purser.agent_uid}", "nobody has proven", "“［approve］("):
            self.assertIn(part, shown)
        for part in ("[", "]", "<", ">", "*", "{", "https://evil", "evil.test"):
            self.assertNotIn(part, shown)
        for part in ("Action.", "Image", '"TextBlock"', "msteams"):
            self.assertNotIn(part, json.dumps(message))
        until(lambda: self.entries("credential.access"))
        access = [entry for entry in self.entries("credential.access") if entry["credential"]["name"] == "hook"]
        self.assertEqual(access[0]["target"], {"kind": "notifier", "id": "leads"})
        self.assertGreater(access[0]["seq"], self.entries("approval.requested")[0]["seq"])
        self.said("approve", identity)

    def test_c_a_release_that_nobody_decides_is_told_where_that_is_wanted(self):
        issued = self.granted(self.purser, self.purser.token(HELPDESK, ["Mail.Read"]))
        until(lambda: self.receiver.seen)
        shown = "\n".join(texts(self.receiver.seen[0][1]))
        self.assertIn("was given a token", shown)
        self.assertIn(f"purser revoke --token {issued['audit']['seq']}", shown)
        self.assertNotIn(issued["access_token"], json.dumps(self.receiver.seen))

    def test_d_a_redirect_is_not_followed(self):
        self.receiver.answer = 302
        identity = self.pending("redirected")
        entry = self.failed()
        self.assertEqual((entry["reason"], entry["target"]["id"], entry["upstream"]["status"]),
                         ("upstream_rejected", "leads", 302))
        self.assertEqual(self.receiver.elsewhere, [])
        self.said("approve", identity)

    def test_e_a_receiver_that_hangs_delays_no_approval_and_is_recorded(self):
        self.receiver.answer = "hang"
        began = time.monotonic()
        identity = self.pending("hanging")
        until(lambda: self.receiver.seen)
        self.said("approve", identity)
        reply = self.purser.request(HELPDESK, "POST", "/v1/token",
                                    {"scopes": SCOPE, "context": {"purpose": "hanging"}})
        self.granted(self.purser, reply)
        self.assertEqual(self.entries("notifier.failed"), [], time.monotonic() - began)
        entry = self.failed()
        self.assertEqual((entry["reason"], entry["approval"]["id"]), ("upstream_unavailable", identity))
        self.assert_verifies(self.purser)

    def test_e_b_a_chat_is_told_by_a_user_of_its_own_and_what_the_agent_says_is_no_markup(self):
        identity = self.pending(HOSTILE + " <b>&lt;")
        until(lambda: self.said_in_chat(identity))
        (message,) = self.said_in_chat(identity)
        self.assertEqual((message["from"]["user"]["id"], message["body"]["contentType"]), (SAM, "html"))
        html = message["body"]["content"]
        for part in (f"<code>purser approve {identity}</code>", "This message decides nothing", "“［approve］("):
            self.assertIn(part, html)
        for part in ("<at", "<b>&", "[approve]", "https://evil", "{{"):
            self.assertNotIn(part, html)
        access = [entry for entry in self.entries("credential.access") if entry["credential"]["name"] == "writer"]
        self.assertEqual((access[0]["target"]["kind"], access[0]["target"]["id"]), ("notifier", "chat"))
        self.assertGreater(access[0]["seq"], self.entries("approval.requested")[0]["seq"])
        self.said("approve", identity)

    def test_e_c_a_chat_whose_credential_can_do_more_is_not_written_to(self):
        self.entra.registration(WRITER, delegated={"graph": ["ChatMessage.Send", "Chat.Read"]})
        identity = self.pending("with too many rights")
        entry = self.failed("chat")
        self.assertEqual((entry["reason"], entry["approval"]["id"]), ("over_scoped", identity))
        self.assertEqual(self.said_in_chat(identity), [])
        self.said("approve", identity)
        self.assert_verifies(self.purser)

    def test_f_the_address_is_nowhere_but_in_the_store(self):
        outputs = [self.purser.cli(*words).stdout for words in (
            ("credentials",), ("--json", "credentials"), ("config", "show"), ("config", "egress"), ("doctor",))]
        self.assertIn(f"localhost:{self.receiver.server.server_port}", outputs[3])
        self.assertIn("notifier leads", outputs[0])
        everything = "".join(outputs) + self.purser.log() + json.dumps(self.purser.ledger_lines())
        self.assertNotIn("Canary-webhook", everything)
        self.assertEqual(self.purser.cli("rotate", "hook").returncode, 1)


if __name__ == "__main__":
    harness.main()
