#!/usr/bin/env python3
"""`purser login --browser`: a person signs in with a browser, on this machine or on another one."""
import html.parser
import json
import os
import pathlib
import pty
import re
import subprocess
import termios

import browser
import harness
from browser import changed, follow, parameters
from browser_login import DONE, LOOPBACKS, USAGE, LoginCase, listens
from harness import CLIENT_SECRET, HELPDESK, MAIL_APP, ROBOT, SAM


class Page(html.parser.HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found |= {tag} | {name for name, _ in attrs}


class SignsIn(LoginCase):
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


class Leaks(LoginCase):
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
