#!/usr/bin/env python3
"""Each command of deploy/RUNBOOK.md runs, in its order, and prints what the page says.

Two things are played: the service manager (systemctl starts and stops the test's purserd), and the
person who signs in. Paths of the page stand for those of the test.
"""
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
import mounts
import stopper
from harness import (BIN, CLIENT_SECRET, HELPDESK, IS_ROOT, JO, MAIL_APP, SAM, SECRET_APP,
                     START_SECONDS, USER_CODE, DevTenant, EndedEarly, Program, Purser, default_tenant,
                     rule, until)
from people import PEOPLE_APP

RUNBOOK = harness.ROOT / "deploy" / "RUNBOOK.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
OPERATORS = "purser-operators"
# Who leaves, as the page has it; here it is Jo, who signs in as the group of the tenant.
LEAVER = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
DIRECTORY_GROUP = "bbbbbbbb-0000-4000-8000-000000000001"


def sections():
    """The commands of each heading: (command, expected lines, exit code)."""
    found, parts = {}, re.split(r"^## (.*)$", RUNBOOK.read_text(), flags=re.M)
    for title, text in zip(["In doubt", *parts[1::2]], parts[0::2]):
        steps = []
        for line in "".join(BLOCK.findall(text)).splitlines():
            if line.startswith("# "):
                steps.append([line[2:], [], 0])
            elif code := re.fullmatch(r"\[exit (\d)\]", line):
                steps[-1][2] = int(code[1])
            else:
                steps[-1][1].append(line)
        found[title] = steps
    return found


@unittest.skipUnless(IS_ROOT, "types commands of root")
class Runbook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := mounts.why_none():  # /etc and the ledger's disk are replaced for the test only
            raise unittest.SkipTest(reason)
        cls.sections = sections()
        cls.run_titles = set()
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: ["Key Vault Secrets User"]},
                           "secrets": {"app-secret": {"value": CLIENT_SECRET}}}
        tenant["registrations"].append(stopper.registration())
        cls.entra = cls.enterClassContext(DevTenant(tenant))
        cls.entra.settings(device_code_interval_s=1)
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.home / "new-secret").write_text(CLIENT_SECRET)
        # One with the group and the person of the page.
        shutil.copytree("/etc", cls.home / "etc", symlinks=True)
        mounts.bind(cls.home / "etc", "/etc")
        cls.addClassCleanup(mounts.unmount, "/etc")
        for command in (["groupadd", "-f", OPERATORS], ["useradd", "-M", "-G", OPERATORS, "lena"]):
            subprocess.run(command, check=True, capture_output=True)

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra, self.example))
        self.addCleanup(self.purser.stop)
        for name in ("admin-app", "stopper"):
            done = self.purser.cli("secret", "set", name, stdin=CLIENT_SECRET)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.purser.log_in("aid-mail").returncode, 0)
        for scope in ("Mail.Read", "User.Read.All"):
            self.works(scope)

    def example(self, config):
        credential = config["credential"]
        credential["aid-mail"], credential["admin-app"] = credential["mail"], credential["app"]
        for name in ("mail", "app", "cert", "web", "broad"):
            del credential[name]
        user = config["agent"][HELPDESK]["user"]
        config["agent"] = {HELPDESK: {"user": user, "allow": [
            rule("read-mail", ["Mail.Read"], "aid-mail"),
            rule("read-users", ["User.Read.All"], "admin-app")]}}
        credential["stopper"] = stopper.credential()
        credential["admin-app"]["rotate_with"] = "stopper"
        config["admin"] = {"operators": [f"group:{OPERATORS}"], "upstream": "stopper"}
        config["instance"]["name"] = "helpdesk-zrh"

    def works(self, scope):
        reply = self.purser.token(HELPDESK, [scope])
        self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")

    def here(self, command):
        """The command with the test's places in place of the page's."""
        places = {"/var/lib/purser-key": self.purser.config["seal"]["path"],
                  "/var/lib/purser": self.purser.config["paths"]["state"],
                  "/root": str(self.home), LEAVER: JO}
        for page, ours in places.items():
            command = re.sub(rf"(?<![\w/]){page}\b(?!-)", ours, command)
            command = re.sub(rf"(?<![\w/]){page[1:]}\b(?!-)", ours[1:], command)  # tar -C /
        ahead = datetime.date.today() + datetime.timedelta(days=180)
        return re.sub(r"\b20\d\d-\d\d-\d\d\b", ahead.isoformat(), command)

    def type(self, command):
        if command == "systemctl stop purser":
            self.assertEqual(self.purser.stop(), 0, self.purser.log())
            return "", 0
        if command == "systemctl start purser":
            self.purser.start()
            return "", 0
        if login := re.fullmatch(r"purser login (\S+)", command):
            done = self.purser.log_in(login[1])
            return done.stdout, done.returncode
        if re.fullmatch(r"(.* )?purser login --as-operator", command):
            return self.sign_in(command, JO)
        done = subprocess.run(["sh", "-c", self.here(command)], text=True, capture_output=True,
                              env=self.environment(command), stdin=subprocess.DEVNULL)
        return done.stdout + done.stderr, done.returncode

    def environment(self, command):
        """With a place for the session of whoever types the command."""
        user = (re.match(r"runuser -u (\w+) ", command) or [None, "root"])[1]
        home = pathlib.Path(self.purser.dir, f"home-{user}")
        if not home.exists():
            home.mkdir(mode=0o700)
            shutil.chown(home, user, user)
        return self.purser.cli_environment() | {"PATH": f"{BIN}:{os.environ['PATH']}",
                                                "PURSER_SESSION_FILE": str(home / "session")}

    def sign_in(self, command, person):
        """The person confirms the code that the command shows."""
        program = Program(["sh", "-c", f"exec {command}"], env=self.environment(command))
        try:
            line = program.wait_for_line(USER_CODE.search)
            self.entra.decide(USER_CODE.search(line)[1], person, "approve")
            program.process.wait(START_SECONDS)
        except EndedEarly:
            pass  # refused before it showed a code
        finally:
            status = program.stop()
        return program.log(), status

    def does(self, command):
        told, status = self.type(command)
        self.assertEqual(status, 0, f"{command}\n{told}\n{self.purser.log()[-3000:]}")
        return told

    def matches(self, output, expected):
        """Each line's pieces stand in the output, all in this order."""
        at = 0
        for line in expected:
            for piece in re.split(r"…", line):
                piece = " ".join(self.here(piece).split())
                at = output.find(piece, at)
                if at < 0:
                    return False
                at += len(piece)
        return True

    def follow(self, title, before=None, after=None):
        """Types a section; `before` and `after` map a command to what happens in the world ahead of
        it or behind it, the first time."""
        self.run_titles.add(title)
        self.assertTrue(self.sections[title], "no commands")
        before, after = dict(before or {}), dict(after or {})
        for command, expected, code in self.sections[title]:
            before.pop(command, lambda: None)()

            def as_the_page_says():
                output, status = self.type(command)
                self.told = f"{title}: {command}\n{status}\n{output}\n{self.purser.log()[-3000:]}"
                return status == code and self.matches(" ".join(output.split()), expected)
            # What only looks is repeated until it shows what a role is about to notice.
            looks = command.split()[:2] in (["purser", "status"], ["purser", "doctor"])
            try:
                (until if looks else (lambda holds: self.assertTrue(holds())))(as_the_page_says)
            except AssertionError as wrong:
                raise AssertionError(self.told) from wrong
            after.pop(command, lambda: None)()
        self.assertEqual(before | after, {}, "no such command on the page")

    def test_in_doubt(self):
        self.follow("In doubt")
        self.works("Mail.Read")

    def test_suspected_leak(self):
        self.addCleanup(self.entra.registration, SECRET_APP, secrets=[CLIENT_SECRET])
        self.follow("Suspected leak", {"purser login aid-mail": lambda: self.entra.registration(
            MAIL_APP, delegated={"graph": ["Mail.Read"]})})
        self.works("Mail.Read")
        self.works("User.Read.All")

    def test_an_agent_misbehaves(self):
        def narrow():
            def edit(config):
                self.example(config)
                del config["agent"][HELPDESK]["allow"][1]
            self.purser.edit = edit
            self.purser.write_config()
        self.follow("An agent misbehaves", {"purser config check": narrow})
        self.works("Mail.Read")
        self.assertEqual(self.purser.token(HELPDESK, ["User.Read.All"]).json()["reason"], "no_rule")

    def test_an_operator_leaves(self):
        operator = ["runuser", "-u", "lena", "--", BIN / "purser", "status"]
        told = subprocess.run(operator, env=self.purser.cli_environment(), capture_output=True)
        self.assertEqual(told.returncode, 0, told)
        self.does('purser role give lena approver --for 2h --why "night shift"')
        self.does("runuser -u lena -- purser approvals")
        self.follow("An operator leaves")

    def test_an_operator_who_signs_in_leaves(self):
        def with_people(config):
            self.example(config)
            config["admin"] |= {"operators": [f"group:{OPERATORS}", f"entra-group:{DIRECTORY_GROUP}"],
                                "client_id": PEOPLE_APP}
        self.purser.edit = with_people
        self.purser.write_config()
        self.does("purser reload")
        subprocess.run(["gpasswd", "-d", "lena", OPERATORS], capture_output=True)  # by Entra alone
        self.entra.registration(PEOPLE_APP, name="purser operators", public_client=True)
        self.entra.user(JO, groups=[DIRECTORY_GROUP])
        self.addCleanup(self.entra.user, JO, groups=[], enabled=True)
        lenas = "runuser -u lena -- purser"
        told, status = self.sign_in("purser login --as-operator", SAM)  # who gives, as root
        self.assertEqual(status, 0, told)
        self.does(f'purser role give {LEAVER} approver --for 8h --why "night shift"')
        self.assertIn("operator", self.does(f"{lenas} login --as-operator"))
        self.does(f"{lenas} reload")
        self.entra.user(JO, groups=[])

        def still_in():
            self.does(f"{lenas} status")
            self.does(f"{lenas} approvals")
        self.follow("An operator who signs in leaves",
                    {"purser roles": still_in})
        self.entra.user(JO, groups=[DIRECTORY_GROUP], enabled=False)
        told, status = self.type(f"{lenas} login --as-operator")
        self.assertEqual(status, 1, told)
        told, status = self.type(f"{lenas} status")
        self.assertEqual(status, 1, told)
        self.assertIn("role_missing", told)

    def test_a_certificate_or_a_secret_is_about_to_end(self):
        soon = datetime.date.today() + datetime.timedelta(days=20)
        done = self.purser.cli("secret", "set", "admin-app", "--expires", soon.isoformat(),
                               stdin=CLIENT_SECRET)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.follow("A certificate or a secret is about to end")
        self.works("User.Read.All")

    def test_key_vault_is_down(self):
        def vaulted(config):
            self.example(config)
            config["tenant"]["vault_suffix"] = "vault.azure.net"
            config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                        "auth": "credential:admin-app"}}
            config["credential"]["vaulted"] = {
                "kind": "client-secret", "client_id": SECRET_APP, "vault": "corp",
                "name": "app-secret", "scopes": ["User.Read.All"]}
            config["agent"]["second"] = {"user": config["agent"][HELPDESK]["user"], "allow": [
                rule("read-users", ["User.Read.All"], "vaulted")]}
        self.purser.edit = vaulted
        self.purser.write_config()
        self.assertEqual(self.purser.cli("reload").returncode, 0)
        self.addCleanup(self.entra.clear_faults)
        self.entra.fault(endpoint="vault", status=500)
        until(lambda: self.purser.token("second", ["User.Read.All"]).json().get("reason")
              == "store_unavailable")
        self.follow("Key Vault is down")
        self.works("Mail.Read")
        self.entra.clear_faults()
        until(lambda: self.purser.token("second", ["User.Read.All"]).status == 200)

    def on_a_disk(self):
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        folder = mounts.give_ledger_a_disk(self.purser)
        self.addCleanup(mounts.unmount, folder)
        self.addCleanup(self.purser.stop)
        self.purser.start()
        until(lambda: self.purser.token(HELPDESK, ["Mail.Read"]).status == 200)
        return folder

    def ask_until_refused(self):
        """What was set aside before the disk was full serves a while."""
        for _ in range(20_000):
            reply = self.purser.token(HELPDESK, ["Mail.Read"])
            if reply.status != 200:
                break
        self.assertEqual(reply.json()["reason"], "ledger_unavailable", reply)

    def test_the_ledger_is_latched(self):
        folder = self.on_a_disk()
        segment = max(folder.glob("*.jsonl"))
        kept = segment.with_suffix(".kept")
        segment.rename(kept)
        self.ask_until_refused()
        self.follow("The ledger is latched",
                    {"purser ledger resume": lambda: kept.rename(segment)})
        self.works("Mail.Read")

    def test_the_disk_is_full(self):
        folder = self.on_a_disk()
        filler = folder / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        self.ask_until_refused()
        self.follow("The disk is full", {"purser ledger resume": filler.unlink})
        self.works("Mail.Read")

    def test_archive_old_segments(self):
        self.assertEqual(self.purser.stop(), 0, self.purser.log())
        folder = pathlib.Path(self.purser.config["paths"]["state"], "ledger")
        begun = datetime.date.today() - datetime.timedelta(days=100)
        harness.age_ledger(folder, begun.isoformat())
        self.purser.start()
        until(lambda: self.purser.token(HELPDESK, ["Mail.Read"]).status == 200)
        self.follow("Archive old segments")
        self.works("Mail.Read")

    def test_restore_from_a_backup(self):
        def changed_since():
            done = self.purser.cli("secret", "set", "admin-app", stdin=CLIENT_SECRET)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.follow("Restore from a backup",
                    after={"systemctl start purser": changed_since})
        self.works("Mail.Read")

    def test_move_to_another_machine(self):
        places = [self.purser.config["paths"]["state"], self.purser.config["seal"]["path"]]

        def another():
            for place in map(pathlib.Path, places):
                (shutil.rmtree if place.is_dir() else os.unlink)(place)
        unpack = [command for command, _, _ in self.sections["Move to another machine"]
                  if command.startswith("tar -x")][0]
        self.follow("Move to another machine", {unpack: another})
        self.works("Mail.Read")

    def test_tear_down(self):
        self.follow("Tear down")
        self.assertEqual(self.purser.program.process.wait(harness.START_SECONDS), 0)

    @classmethod
    def tearDownClass(cls):
        assert cls.run_titles == set(cls.sections), set(cls.sections) - cls.run_titles


if __name__ == "__main__":
    harness.main()
