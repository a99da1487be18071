#!/usr/bin/env python3
"""What the kernel says of the running roles: whose they are, what they may do, and what they hold open."""
import os
import pathlib
import re
import unittest

import enrolled
import harness
from harness import BIN, HELPDESK, IS_ROOT, until

ROLES = ["purser-window", "purser-broker", "purser-ledger", "purser-dialer"]
CAPABILITIES = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
# Beside sockets and the first three. A pattern for the whole of what /proc/PID/fd/N links to.
MAY_HOLD = {
    "purser-window": [r"anon_inode:\[eventpoll\]"],
    "purser-broker": [r"anon_inode:\[(eventpoll|eventfd)\]", r"{state}/store/store\.db(-wal)?"],
    "purser-ledger": [r"anon_inode:\[eventfd\]", r"{state}(/ledger(/head|/[-0-9.]+\.jsonl)?)?"],
    "purser-dialer": [],
    # The executables of the roles, what they are told, and what only it may open for them.
    "purserd": [r"anon_inode:\[(eventpoll|signalfd|pidfd)\]", r"{bin}/purser-[a-z]+",
                r"/memfd:purser-config \(deleted\)", r"/secretmem \(deleted\)", r"{ca}",
                r"({state}|{run})/lock"],
}


def status_of(pid):
    """/proc/PID/status of each thread, by field."""
    return [dict(line.split(":\t", 1) for line in path.read_text().splitlines())
            for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]


def descriptors(pid):
    """What each open descriptor of a process is, by number."""
    found = {}
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


class Roles(enrolled.TenantCase):
    SOLO = False

    def setUp(self):
        self.purser = self.started(solo=self.SOLO)
        self.work()

    def work(self):
        """Something of everything that opens a descriptor."""
        for scope in ("User.Read.All", "Mail.Read"):
            self.granted(self.purser, self.purser.token(HELPDESK, [scope]))
        self.assertEqual(self.purser.request(HELPDESK, "GET", "/v1/audit").status, 200)
        for row in (["seal", "rotate"], ["reload"], ["status"]):
            done = self.purser.cli(*row)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def each(self):
        """Name and process id of each role but the supervisor."""
        running = self.purser.roles()
        self.assertEqual(set(running), {"purserd", *ROLES})
        return [(name, pid) for name in ROLES for pid in running[name]]

    def assert_holds_no_privilege(self, name, thread):
        self.assertEqual((thread["Seccomp"], thread["NoNewPrivs"]), ("2", "1"), name)
        for field in set(CAPABILITIES) - ({"CapBnd"} if self.purser.solo else set()):
            self.assertEqual(int(thread[field], 16), 0, (name, field))

    def users(self):
        """The user of each role, of which each thread is that one alone and in no other group."""
        users = {}
        for name, pid in self.each():
            for thread in status_of(pid):
                self.assert_holds_no_privilege(name, thread)
                if IS_ROOT:  # else they are those of whoever runs the test
                    self.assertEqual(thread["Groups"].strip(), "", name)
                for field in ("Uid", "Gid"):
                    self.assertEqual(len(set(thread[field].split())), 1, (name, thread[field]))
                    self.assertNotIn("0", thread[field].split(), name)
                users[name] = int(thread["Uid"].split()[0])
        return users

    def test_each_role_is_a_user_of_its_own_without_privilege(self):
        users = self.users()
        if self.purser.solo:
            self.assertEqual(set(users.values()), {self.purser.uid})
        else:
            self.assertEqual(len(set(users.values())), len(ROLES), users)
            self.assertNotIn(self.purser.agent_uid, users.values())
        [supervisor] = self.purser.roles()["purserd"]
        for thread in status_of(supervisor):
            self.assertEqual((thread["Seccomp"], thread["NoNewPrivs"]), ("2", "1"))

    @unittest.skipUnless(IS_ROOT, "what may not be dumped shows its descriptors to root alone")
    def test_no_role_holds_a_descriptor_that_it_does_not_need(self):
        """Also not after everything was done several times."""
        first = self.held()
        for _ in range(3):
            self.work()
        until(lambda: self.held() == first)  # what a connection had is closed after its answer

    def held(self):
        paths = {"state": self.purser.config["paths"]["state"], "bin": BIN,
                 "run": self.purser.config["paths"]["run"],
                 "ca": self.purser.config["network"]["ca_file"]}
        held = {}
        [supervisor] = self.purser.roles()["purserd"]
        for name, pid in [("purserd", supervisor), *self.each()]:
            open_now = descriptors(pid)
            standard = [open_now.pop(number) for number in range(3)]
            self.assertLessEqual({what for what in standard if not what.startswith("pipe:")},
                                 {"/dev/null"}, name)
            patterns = [re.sub(r"\{(\w+)\}", lambda at: re.escape(str(paths[at[1]])), pattern)
                        for pattern in MAY_HOLD[name]]
            for number, what in open_now.items():
                if not what.startswith("socket:"):
                    self.assertTrue(any(re.fullmatch(pattern, what) for pattern in patterns),
                                    f"{name} holds {number}: {what}")
                    held.setdefault(name, []).append(what)
        return {name: sorted(whats) for name, whats in held.items()}


class RolesOfOneUser(Roles):
    SOLO = True


if not IS_ROOT:
    del RolesOfOneUser  # the first was that already

if __name__ == "__main__":
    harness.main()
