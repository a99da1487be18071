"""People who sign in with Entra, each as a user of this machine."""
import os
import pathlib
import subprocess

import enrolled
from harness import BIN, START_SECONDS, USER_CODE, EndedEarly, Program

PEOPLE_APP = "aaaaaaaa-0000-4000-8000-0000000000a1"  # what they sign in to: [admin] client_id
# Users are numbers: none of them needs an account, and none is in a group of [admin].
JO_UID, SAM_UID, OTHER_UID = 61031, 61032, 61033


class PeopleCase(enrolled.TenantCase):
    """A tenant that they can sign in to. Each test starts its own `self.purser`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.entra.registration(PEOPLE_APP, name="purser operators", public_client=True)

    def file_of(self, uid):
        """Where the command keeps the session of that user."""
        home = pathlib.Path(self.purser.dir, f"home-{uid}")
        if not home.exists():
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
        return home / "session"

    def environment(self, uid):
        return self.purser.cli_environment() | {"PURSER_SESSION_FILE": str(self.file_of(uid))}

    def run_as(self, uid, *arguments):
        options = {} if uid == 0 else {"user": uid, "group": uid, "extra_groups": []}
        return subprocess.run([BIN / "purser", *arguments], text=True, capture_output=True, cwd="/",
                              stdin=subprocess.DEVNULL, env=self.environment(uid), **options)

    def sign_in(self, uid, person, action="approve"):
        options = {} if uid == 0 else {"user": uid, "group": uid, "extra_groups": []}
        command = Program([BIN / "purser", "login", "--as-operator"], cwd="/", env=self.environment(uid), **options)
        try:
            line = command.wait_for_line(USER_CODE.search)
            self.entra.decide(USER_CODE.search(line)[1], person, action)
            command.process.wait(START_SECONDS)
        except EndedEarly:
            pass  # refused before it showed a code
        finally:
            status = command.stop()
        return subprocess.CompletedProcess([], status, command.log(), "")

    def signed_in(self, uid, person):
        done = self.sign_in(uid, person)
        self.assertEqual(done.returncode, 0, done.stdout + self.purser.log())
        return done.stdout

    def may(self, uid, *arguments):
        done = self.run_as(uid, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def may_not(self, reason, uid, *arguments):
        done = self.run_as(uid, *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(reason, done.stdout + done.stderr)

    def entries(self, kind):
        return [entry for entry in self.purser.ledger_lines() if entry["type"] == kind]
