#!/usr/bin/env python3
"""Commands of purser with a daemon: roles, exit codes, --json, prompts and colours."""
import grp
import json
import os
import pathlib
import pty
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import (BIN, CLIENT_SECRET, HELPDESK, IS_ROOT, OTHER_UID, SOLO_UID, DevTenant, Purser,
                     new_certificate, until)

DONE, REFUSED, USAGE, TAMPERING, UNREACHABLE = range(5)
OPERATORS, AUDITORS, REVIEWERS = "operator", "adm", "src"  # groups of every Debian; nobody's here


def with_roles(config):
    config["admin"] = {"operators": [f"group:{OPERATORS}"],
                       "auditors": [f"group:{AUDITORS}", f"group:{REVIEWERS}"]}
    if IS_ROOT and "hardening" not in config:
        config["agent"]["runner"] = {
            "user": "daemon", "allow": [harness.rule("read-mail", ["Mail.Read"], "mail")]}


class WithDaemon(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.entra.settings(device_code_interval_s=1)
        cls.purser = cls.enterClassContext(Purser(cls.entra, edit=with_roles))
        done = cls.purser.cli("secret", "set", "app", stdin=CLIENT_SECRET)
        assert done.returncode == DONE, done.stdout + done.stderr + cls.purser.log()

    def done(self, *arguments, **options):
        outcome = self.purser.cli(*arguments, **options)
        self.assertEqual(outcome.returncode, DONE, outcome.stdout + outcome.stderr)
        return outcome.stdout

    def denials(self):
        return [entry for entry in self.purser.ledger_lines() if entry["type"] == "admin.denied"]

    def test_readable_text_without_colours_and_json(self):
        for row in (["status"], ["ready"], ["agents"], ["credentials"], ["reload"],
                    ["reload", "--dry-run"], ["ledger", "resume"], ["ledger", "archive", "--keep", "90d"],
                    ["config", "check"],
                    ["config", "show"], ["config", "schema"], ["version"], ["seal", "rotate"],
                    ["explain", HELPDESK, "--scopes", "Mail.Send"], ["audit", "verify"],
                    ["audit", "show", "1"]):
            with self.subTest(row):
                self.assertNotIn("\x1b", self.done(*row))
                json.loads(self.done("--json", *row))
        for row in (["audit", "tail"], ["audit", "search", "--type", "daemon.started"]):
            for line in self.done("--json", *row).splitlines():
                json.loads(line)
        self.assertEqual(self.purser.token(HELPDESK, ["User.Read.All"]).status, 200)

    def test_colours_are_for_terminals_and_for_those_who_want_them(self):
        rows = [(["status"], {}, True), (["doctor"], {}, True), (["agents"], {}, True),
                (["status"], {"NO_COLOR": "1"}, False), (["--json", "status"], {}, False)]
        for arguments, environment, coloured in rows:
            with self.subTest(arguments=arguments, environment=environment):
                terminal, other_end = pty.openpty()
                command = subprocess.Popen([BIN / "purser", *arguments], stdin=other_end,
                                           stdout=other_end, stderr=other_end,
                                           env=self.purser.cli_environment() | environment)
                os.close(other_end)
                shown = self.read_to_the_end(terminal)
                command.wait(30)
                self.assertIn(b"purser" if "agents" not in arguments else HELPDESK.encode(), shown)
                self.assertEqual(b"\x1b[" in shown, coloured, shown)

    @staticmethod
    def read_to_the_end(terminal):
        shown = b""
        while True:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                chunk = b""
            if not chunk:
                os.close(terminal)
                return shown
            shown += chunk

    @unittest.skipUnless(IS_ROOT, "needs users of other groups")
    def test_roles(self):
        operators, auditors = (grp.getgrnam(name).gr_gid for name in (OPERATORS, AUDITORS))
        rows = [("status", [operators, auditors]), ("agents", [operators, auditors]),
                ("credentials", [operators, auditors]), ("ready", [operators, auditors]),
                ("reload --dry-run", [operators]), ("ledger resume", [operators]),
                ("ledger archive --keep 90d", [operators]),
                ("login mail", []), ("secret set app", [operators])]
        for command, allowed in rows:
            for gid in (operators, auditors, OTHER_UID):
                if command == "login mail" and gid == operators:
                    continue  # would wait for a person
                with self.subTest(command=command, gid=gid):
                    before = len(self.denials())
                    outcome = self.purser.cli(*command.split(), uid=OTHER_UID, gid=gid,
                                              stdin=CLIENT_SECRET)
                    if gid in allowed:
                        self.assertEqual(outcome.returncode, DONE, outcome.stderr)
                    elif gid == OTHER_UID:  # in no group: the socket does not open
                        self.assertEqual(outcome.returncode, UNREACHABLE, outcome.stderr)
                        self.assertIn("the groups of [admin]", outcome.stderr)
                    else:
                        self.assertEqual(outcome.returncode, REFUSED, outcome.stderr)
                        self.assertIn("operator", outcome.stderr)
                        entries = self.denials()
                        self.assertEqual(len(entries), before + 1)
                        self.assertEqual((entries[-1]["reason"], entries[-1]["caller"]["uid"]),
                                         ("role_missing", OTHER_UID))

    @unittest.skipUnless(IS_ROOT, "needs users of other groups")
    def test_every_group_of_auditors_reads_the_ledger_by_itself(self):
        for group, want in ((AUDITORS, DONE), (REVIEWERS, DONE), (OPERATORS, REFUSED)):
            with self.subTest(group):
                verified = self.purser.cli("audit", "verify", uid=OTHER_UID,
                                           gid=grp.getgrnam(group).gr_gid)
                self.assertEqual(verified.returncode, want, verified)
                self.assertEqual("[admin] auditors" in verified.stderr, want != DONE, verified)

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_init_says_who_may_type_it(self):
        outcome = self.purser.cli("init", uid=OTHER_UID)
        self.assertEqual(outcome.returncode, REFUSED, outcome)
        self.assertIn("as root", outcome.stderr)

    def test_a_secret_typed_at_a_prompt_is_not_echoed(self):
        terminal, other_end = pty.openpty()
        command = subprocess.Popen([BIN / "purser", "secret", "set", "app"], stdin=other_end,
                                   stdout=other_end, stderr=other_end, start_new_session=True,
                                   env=self.purser.cli_environment())
        os.close(other_end)
        shown = b""
        while b"secret of app: " not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, CLIENT_SECRET.encode() + b"\n")
        shown += self.read_to_the_end(terminal)
        self.assertEqual(command.wait(30), DONE, shown)
        self.assertIn(b"stored", shown)
        self.assertNotIn(CLIENT_SECRET.encode(), shown)

    def test_what_is_no_secret_of_the_credential_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = (path.read_text() for path in new_certificate(folder))
            other, _ = (path.read_text() for path in new_certificate(folder))
        for secret in (key, certificate, other + certificate, CLIENT_SECRET):
            outcome = self.purser.cli("secret", "set", "cert", stdin=secret)
            self.assertEqual(outcome.returncode, REFUSED)
            self.assertIn("private key", outcome.stderr)
        self.done("secret", "set", "cert", stdin=key + certificate)
        self.assertEqual(self.purser.cli("secret", "set", "cert").returncode, REFUSED)

    def test_login_warns_of_what_will_be_refused(self):
        login = self.purser.log_in("broad")
        self.assertEqual(login.returncode, DONE, login.stdout)
        self.assertIn("over_scoped", login.stdout)
        self.assertIn("Mail.Send", login.stdout.split("advice", 1)[1])
        exact = self.purser.log_in("mail")
        self.assertEqual(exact.returncode, DONE, exact.stdout)
        self.assertNotIn("over_scoped", exact.stdout)

    def test_what_is_not_known_is_refused_with_where_to_look(self):
        for row in (["login", "nonesuch"], ["secret", "set", "nonesuch"]):
            with self.subTest(row):
                outcome = self.purser.cli(*row, stdin="x")
                self.assertEqual(outcome.returncode, REFUSED)
                self.assertIn("purser credentials", outcome.stderr)

    def test_explain_names_users_beside_numbers(self):
        if IS_ROOT:
            status = self.purser.token(HELPDESK, ["Mail.Read"], uid=0).status
            self.assertEqual(status, 403)
            self.assertIn("root (0)", self.done("explain", HELPDESK, "--refused"))
            os.chmod(self.purser.admin_socket, 0o666)  # whom its permissions would have held off
            self.addCleanup(os.chmod, self.purser.admin_socket, 0o660)
            self.assertEqual(self.purser.cli("status", uid=OTHER_UID).returncode, REFUSED)
            until(lambda: self.purser.cli("explain", "--refused").returncode == DONE)  # it is answered first
            shown = self.done("explain", "--refused")
            for text in ("in no group of [admin]", f"wanted group:{AUDITORS} group:{OPERATORS}",
                         f'found "{OTHER_UID}"', "what would change it"):
                self.assertIn(text, shown)
        self.assertIn("no_rule", self.done("explain", HELPDESK, "--scopes", "Mail.Send"))
        self.assertEqual(self.purser.cli("explain", "nobody", "--scopes", "x").returncode, REFUSED)

    def test_run_becomes_the_agent_and_names_its_socket(self):
        agent, user = ("runner", "1") if IS_ROOT else (HELPDESK, str(os.geteuid()))
        shown = self.done("run", agent, "--", "sh", "-c", "id -u; id -G; echo $PURSER_SOCKET")
        lines = shown.splitlines()
        self.assertEqual((lines[0], lines[2]), (user, self.purser.agent_socket(agent)))
        if IS_ROOT:
            self.assertNotIn("0", lines[1].split())
            outcome = self.purser.cli("run", "runner", "--", "true", uid=OTHER_UID)
            self.assertEqual(outcome.returncode, REFUSED)
        self.assertEqual(self.purser.cli("run", "nobody", "--", "true").returncode, REFUSED)

    def test_run_hands_the_agent_no_identity_but_its_own(self):
        agent = "runner" if IS_ROOT else HELPDESK
        gone = ["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_SECRET", "AZURE_CLIENT_SECRET",
                "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH", "CREDENTIALS_DIRECTORY"]
        kept = ["AZURE_TENANT_ID", "HTTPS_PROXY", "LANG"]
        environment = self.purser.cli_environment() | dict.fromkeys(gone + kept, "Canary")
        done = subprocess.run([BIN / "purser", "run", agent, "--", "env"], text=True,
                              capture_output=True, env=environment)
        self.assertEqual(done.returncode, DONE, done.stderr)
        names = {line.partition("=")[0] for line in done.stdout.splitlines() if "Canary" in line}
        self.assertEqual(names, set(kept))

    def test_a_changed_byte_is_tampering_and_a_folder_that_is_not_there_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "ledger"
            shutil.copytree(pathlib.Path(self.purser.config["paths"]["state"], "ledger"), copy)
            self.done("audit", "--dir", str(copy), "verify")
            segment = sorted(copy.glob("*.jsonl"))[0]
            segment.write_text(segment.read_text().replace('"daemon.started"', '"daemon.stopped"', 1))
            outcome = self.purser.cli("--json", "audit", "--dir", str(copy), "verify")
            self.assertEqual(outcome.returncode, TAMPERING, outcome.stdout)
            json.loads(outcome.stdout)
        missing = self.purser.cli("audit", "--dir", folder + "/none", "verify")
        self.assertEqual(missing.returncode, REFUSED)


@unittest.skipUnless(IS_ROOT, "as one user, the other tests show it")
class AsOneUser(unittest.TestCase):
    def test_the_user_that_purserd_runs_as_is_its_operator_and_nobody_else_is(self):
        with DevTenant() as entra, Purser(entra, solo=True,
                                          edit=lambda config: config.pop("admin")) as purserd:
            outcome = purserd.cli("secret", "set", "app", stdin=CLIENT_SECRET, uid=SOLO_UID)
            self.assertEqual(outcome.returncode, DONE, outcome.stderr + purserd.log())
            shown = purserd.cli("status", uid=SOLO_UID).stdout
            self.assertIn("hardening weak", shown)
            self.assertIn("allow_same_uid", shown)
            for field in ("purserd   ", str(purserd.dir), "connections ", "READY", "(operator)"):
                self.assertIn(field, shown)
            self.assertNotEqual(purserd.cli("status", uid=OTHER_UID).returncode, DONE)


if __name__ == "__main__":
    harness.main()
