#!/usr/bin/env python3
"""`purser login --browser`: a person signs in with a browser, on this machine or on another one."""
import html.parser
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import termios
import unittest

import browser
import harness
from browser import LoginCommand, changed, follow, parameters
from harness import (HELPDESK, IS_ROOT, JO, MAIL_APP, OTHER_UID, ROBOT, SAM, CLIENT_SECRET,
                     DevTenant, Purser, until)

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
LOOPBACKS = ["127.0.0.1"] + (["::1"] if pathlib.Path("/proc/net/if_inet6").exists() and
                             "00000000000000000000000000000001"
                             in pathlib.Path("/proc/net/if_inet6").read_text() else [])


class Page(html.parser.HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found |= {tag} | {name for name, _ in attrs}


def listens(port):
    for host in LOOPBACKS:
        try:
            socket.create_connection((host, port), timeout=10).close()
            return True
        except ConnectionRefusedError:
            continue
    return False


class BrowserLogin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.purser = cls.enterClassContext(Purser(cls.entra))

    def tearDown(self):
        self.entra.clear_faults()

    def login(self, credential="mail", *options, **popen):
        return self.enterContext(LoginCommand(self.purser, credential, *options, **popen))

    def assert_enrolled(self, command):
        status, said = command.ended()
        self.assertEqual(status, DONE, said + self.purser.log())
        return said

    def assert_refused(self, command, reason):
        status, said = command.ended()
        self.assertEqual(status, REFUSED, said + self.purser.log())
        self.assertIn(f"refused ({reason})", said)
        return said

    def entries(self, kind):
        return [line for line in self.purser.ledger_lines() if line["type"] == kind]


class SignsIn(BrowserLogin):
    def test_by_the_listener_on_each_loopback(self):
        for host in LOOPBACKS:
            with self.subTest(host):
                before = len(self.purser.ledger_lines())
                command = self.login()
                back = command.back()
                page = follow(back, host=host)
                self.assertEqual(page.status, 200, page)
                self.assertIn("enrolled", self.assert_enrolled(command))
                self.assertFalse(listens(command.port()))
                self.assertEqual(self.purser.token(HELPDESK, ["Mail.Read"]).status, 200)
                self.assert_recorded(before)

    def assert_recorded(self, before):
        """Who opened it, who finished it, and what was stored: as of a login by device code."""
        new = self.purser.ledger_lines()[before:]
        kinds = [line["type"] for line in new if line.get("outcome") == "success"]
        self.assertTrue({"secret.enrolled", "secret.rotated"} & set(kinds), kinds)
        for step in ("browser", "redirect"):
            target = f"POST /v1/credentials/mail/login/{step}"
            actions = [line for line in new if line.get("target", {}).get("id") == target]
            self.assertEqual([line["outcome"] for line in actions], ["pending", "success"])
            self.assertEqual({line["caller"]["uid"] for line in actions}, {os.geteuid()})

    def test_the_page_is_plain_and_repeats_nothing(self):
        command = self.login()
        back = command.back()
        page = follow(back)
        text = page.body.decode()
        self.assertLessEqual(Page(text).found,
                             {"html", "lang", "meta", "charset", "title", "p"})
        self.assertEqual(page.headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(page.headers["Cache-Control"], "no-store")
        self.assertEqual(page.headers["Content-Security-Policy"], "default-src 'none'")
        for value in parameters(back).values():
            self.assertNotIn(value, text)
        self.assert_enrolled(command)

    def test_by_pasting_the_address(self):
        for ending in ("\n", "  \r\n", ""):
            with self.subTest(ending):
                command = self.login()
                back = command.back()
                command.paste(back + ending)
                command.process.stdin.close()
                said = self.assert_enrolled(command)
                self.assertNotIn(parameters(back)["code"], said)

    def test_by_pasting_into_a_terminal_that_shows_none_of_it(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        before = termios.tcgetattr(theirs)
        command = self.login(stdin=theirs)
        back = command.back()
        # Longer than the line that a terminal takes by itself.
        pasted = changed(back, session_state="x" * 5000) + "\n"
        self.assertGreater(len(pasted), 5000)
        for at in range(0, len(pasted), 1000):
            os.write(ours, pasted[at:at + 1000].encode())
        self.assert_enrolled(command)
        os.set_blocking(ours, False)
        try:
            shown = os.read(ours, 65536)
        except BlockingIOError:
            shown = b""
        self.assertNotIn(parameters(back)["code"].encode(), shown)
        self.assertEqual(termios.tcgetattr(theirs), before)

    def test_what_else_is_pasted_is_complained_about(self):
        command = self.login()
        back = command.back()
        for other in ("", "hello", "https://localhost/", changed(back, state="other"),
                      changed(back, code=None), back[:-1] + "x" * 20_000):
            command.paste(other + "\n")
        command.paste("  " + back + "\n")
        said = self.assert_enrolled(command)
        self.assertGreaterEqual(said.count("not the address"), 4)

    def test_with_the_end_of_standard_input_it_waits_for_the_browser(self):
        command = self.login(stdin=subprocess.DEVNULL)
        follow(command.back())
        self.assert_enrolled(command)

    def test_a_confidential_client(self):
        self.purser.cli("secret", "set", "web", stdin=CLIENT_SECRET)
        command = self.login("web")
        follow(command.back())
        self.assert_enrolled(command)
        self.assertEqual(self.purser.token(ROBOT, ["Mail.Read"]).status, 200)

    def test_with_json_the_output_is_one_object(self):
        with open(os.devnull) as nothing:
            command = self.login("mail", "--json", stdin=nothing, stderr=subprocess.PIPE)
        for line in command.process.stderr:
            if line.startswith("https://"):
                break
        follow(browser.sign_in(self.entra, line.strip()))
        command.process.stderr.close()
        status, said = command.ended()
        self.assertEqual((status, json.loads(said)["consented"]), (DONE, ["Mail.Read"]))

    def test_a_login_hint_goes_into_the_address(self):
        hint = ("--login-hint", "jo@contoso.example")
        self.assertEqual(self.purser.cli("login", "mail", *hint).returncode, USAGE)
        command = self.login("mail", hint=hint)
        self.assertEqual(parameters(command.address())["login_hint"], "jo@contoso.example")

    def test_what_leads_nowhere_says_so_beforehand(self):
        command = self.login()
        command.address()
        command.wait_for_line(lambda line: "AADSTS50011" in line)
        self.assertRegex(command.log(), rf"az ad app update --id {MAIL_APP} "
                                        r"--public-client-redirect-uris http://localhost")


class GoesWrong(BrowserLogin):
    def test_other_requests_end_nothing(self):
        command = self.login()
        back = command.back()
        port = command.port()
        here = f"http://localhost:{port}"
        other = self.login("broad").back()  # another login's answer
        rows = [(f"{here}/favicon.ico", 404), (f"{here}/login?x=1", 404), (f"{here}/", 400),
                (f"{here}/?code=x", 400), (changed(back, state="x"), 400),
                (changed(back, state=None), 400), (changed(back, code=None), 400),
                (changed(back, error="access_denied", state="x"), 400),
                (back + "&code=again", 400), (here + "/?" + other.split("?")[1], 400),
                (f"{here}/?{'x' * 9000}", 431)]
        for url, status in rows:
            with self.subTest(url[:60]):
                reply = follow(url)
                self.assertEqual(reply.status, status, reply)
                self.assertLess(len(reply.body), 300)
        for method, status in (("POST", 405), ("HEAD", 405), ("OPTIONS", 405)):
            self.assertIn(f"HTTP/1.1 {status}", self.raw(port, f"{method} / HTTP/1.1\r\n\r\n"))
        for bytes_sent in ("\x16\x03\x01\r\n\r\n", "GET /\r\n\r\n", "GET http://x/ HTTP/1.1\r\n\r\n",
                           "GET / HTTP/2.0\r\n\r\n", "\r\n\r\n", "GET /\x00 HTTP/1.1\r\n\r\n"):
            self.assertIn("HTTP/1.1 400", self.raw(port, bytes_sent), bytes_sent)
        self.assertIn("HTTP/1.1 431", self.raw(port, "GET / HTTP/1.1\r\nCookie: " + "x" * 40_000))
        follow(back)
        self.assert_enrolled(command)

    def raw(self, port, text):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
            try:
                peer.sendall(text.encode("latin-1"))
                return peer.recv(4096).decode()
            except ConnectionResetError:
                return ""

    def test_who_connects_and_says_little_or_never_stops_holds_up_nobody(self):
        command = self.login()
        back = command.back()
        silent = [self.enterContext(socket.create_connection(("127.0.0.1", command.port())))
                  for _ in range(40)]
        for peer in silent[-8:]:
            peer.sendall(b"GET /?code=")
        endless = self.enterContext(socket.create_connection(("127.0.0.1", command.port())))
        endless.setblocking(False)
        try:
            while True:
                endless.send(b"x" * 65536)
        except BlockingIOError:
            pass
        except ConnectionError:
            pass  # it was refused and is gone
        self.assertEqual(follow(back).status, 200)
        self.assert_enrolled(command)

    def test_a_person_who_declines(self):
        for paste in (False, True):
            done = browser.log_in(self.purser, "mail", action="decline", paste=paste)
            self.assertEqual(done.returncode, REFUSED, done.stdout)
            self.assertIn("refused (login_required)", done.stdout)
            self.assertIn("The person declined.", done.stdout)

    def test_another_user_is_named_and_stores_nothing(self):
        before = len(self.entries("secret.enrolled") + self.entries("secret.rotated"))
        command = self.login()
        follow(command.back(user=SAM))
        said = self.assert_refused(command, "minted_mismatch")
        self.assertIn(SAM, said)
        self.assertIn(JO, said)
        self.assertEqual(len(self.entries("secret.enrolled") + self.entries("secret.rotated")),
                         before)

    def test_a_registration_without_the_redirect_uri_sends_nobody_back(self):
        self.entra.registration(MAIL_APP, redirect_uris=[])
        self.addCleanup(self.entra.registration, MAIL_APP, redirect_uris=["http://localhost"])
        command = self.login()
        self.assertIn(b"AADSTS50011", self.entra.https(command.address()).body)

    def test_what_entra_says_against_the_code(self):
        rows = [({"code": 7000218, "status": 401}, "credential_rejected|upstream_rejected",
                 "Mobile and desktop applications"),
                ({"code": 70008}, "login_required", ""),
                ({"code": 65001}, "consent_required", ""),
                ({"status": 503, "code": 90033}, "upstream_unavailable", ""),
                ({"body": "invalid_json"}, "upstream_invalid", "")]
        for fault, reason, hint in rows:
            with self.subTest(fault):
                self.entra.fault(**fault)
                command = self.login()
                follow(command.back())
                status, said = command.ended()
                self.entra.clear_faults()
                self.assertEqual(status, REFUSED, said)
                self.assertRegex(said, rf"refused \(({reason})\)")
                self.assertIn(hint, said)

    def test_a_code_that_somebody_else_redeemed_first(self):
        """It takes the verifier, which only the broker has."""
        command = self.login()
        back = command.back()
        stolen = self.entra.token(grant_type="authorization_code", client_id=MAIL_APP,
                                  code=parameters(back)["code"], scope="Mail.Read",
                                  redirect_uri=parameters(command.address())["redirect_uri"],
                                  code_verifier=parameters(command.address())["code_challenge"])
        self.assertEqual(stolen.json()["error_codes"], [501481])

    def test_a_credential_that_is_not_enrolled_this_way(self):
        for credential, reason in (("app", "value_out_of_range"), ("nobody", "not_found")):
            self.assert_refused(self.login(credential), reason)

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_who_is_no_operator(self):
        done = self.purser.cli("login", "mail", "--browser", uid=OTHER_UID)
        self.assertNotEqual(done.returncode, DONE)
        self.assertNotIn("https://", done.stdout + done.stderr)

    def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(self):
        for signal_sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            ours, theirs = pty.openpty()
            before = termios.tcgetattr(theirs)
            command = self.login(stdin=theirs)
            port = command.port()
            command.wait_for_line(lambda line: "AADSTS50011" in line)
            self.assertTrue(listens(port))
            command.process.send_signal(signal_sent)
            status, said = command.ended()
            self.assertEqual(status, INTERRUPTED, said)
            self.assertIn("nobody was logged in", said)
            self.assertFalse(listens(port))
            self.assertEqual(termios.tcgetattr(theirs), before)
            os.close(ours)
            os.close(theirs)

    def test_a_broker_that_was_started_anew_meanwhile_knows_nothing_of_it(self):
        command = self.login()
        back = command.back()
        [broker] = self.purser.roles()["purser-broker"]
        os.kill(broker, signal.SIGKILL)
        until(lambda: self.purser.cli("ready").returncode == 0
              and self.purser.roles().get("purser-broker", [broker]) != [broker])
        follow(back)
        self.assert_refused(command, "not_found")


class Leaks(BrowserLogin):
    def test_codes_and_verifiers_stand_in_no_log_ledger_argument_or_output(self):
        said = []
        for person in ({}, {"paste": True}, {"user": SAM}, {"action": "decline"}):
            said.append(browser.log_in(self.purser, "mail", **person).stdout)
        command = self.login()
        back = command.back()
        arguments = "".join(path.read_text(errors="replace")
                            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                            if path.exists())
        follow(changed(back, state="x"))
        follow(back)
        said.append(self.assert_enrolled(command))
        secrets = [secret["value"] for secret in self.entra.secrets()
                   if secret["kind"] in ("authorization_code", "code_verifier")]
        self.assertGreaterEqual(len(secrets), 7)
        ledger = "".join(path.read_text() for path in
                         pathlib.Path(self.purser.config["paths"]["state"], "ledger").iterdir()
                         if path.is_file())
        self.assertIn("login/redirect", ledger)
        for where, text in (("the log", self.purser.log()), ("the ledger", ledger),
                            ("an argument", arguments), ("an output", "".join(said))):
            for secret in secrets:
                self.assertNotIn(secret, text, where)
                self.assertNotIn(secret[:31], text, where)
        self.assertIsNone(re.search(r"code=1\.AQ", self.purser.log() + ledger + "".join(said)))


if __name__ == "__main__":
    harness.main()
