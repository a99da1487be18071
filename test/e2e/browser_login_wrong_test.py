#!/usr/bin/env python3
"""`purser login --browser` where something goes wrong: nothing is stored, and nobody is held up."""
import os
import pty
import signal
import socket
import termios
import unittest

import browser
import harness
from browser import changed, follow, parameters
from browser_login import DONE, INTERRUPTED, REFUSED, LoginCase, listens
from harness import IS_ROOT, JO, MAIL_APP, OTHER_UID, SAM, until


class GoesWrong(LoginCase):
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


if __name__ == "__main__":
    harness.main()
