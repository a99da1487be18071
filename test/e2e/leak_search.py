"""Where canaries are searched for: memory, files, words, and what could become a core file."""
import base64
import os
import pathlib
import signal
import subprocess
import time

import harness
from canary_search import Canaries, MemorySearch
from harness import HELPDESK, until
from leak_deeds import CLIENT_SECRET, Deeds
from new_files import core_folder

# The promise (promise 1): clean a second after the last request.
CLEAN_SECONDS = 1
LONG_LIVED = {"refresh_token", "client_secret"}
SHORT_LIVED = {"access_token", "id_token", "client_assertion", "device_code", "authorization_code",
               "code_verifier", "user_assertion", "exchange_token", "arc_key"}
ARENAS = {"purser-broker", "purser-window"}
PERSONS = ["Jo Canary", "jo.canary", "Sam Canary", "sam.canary"]


def starved_seconds(pids):
    """How long threads of these processes could have run and got no processor (schedstat)."""
    waited = 0
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                waited += int(thread.read_text().split()[1])
            except (OSError, IndexError):
                continue  # it has ended
    return waited / 1e9


class Leaks(Deeds):
    def setUp(self):
        super().setUp()
        self.long_lived, self.every = Canaries(), Canaries()
        for canaries in (self.long_lived, self.every):
            canaries.add("client_secret", CLIENT_SECRET)
            canaries.add_rsa_key(self.key)

    def canaries(self):
        """All secrets until now: those that the agent may not have, and the others besides."""
        for kind, value in self.keys:
            self.every.add(kind, value)
            if "agent sent" not in kind:
                self.long_lived.add(kind, value)
        for secret in self.entra.secrets():
            kind, value = secret["kind"], secret["value"]
            if kind in LONG_LIVED:
                self.long_lived.add(kind, value)
                self.every.add(kind, value)
            elif kind in SHORT_LIVED:
                (self.every.add_jwt if value.count(".") == 2 else self.every.add)(kind, value)
        return self.long_lived, self.every

    def look_into_memory(self, long_lived, every):
        """Finds in all processes, after one look at each; counts what was looked at."""
        finds, self.searched, self.in_arena = [], {}, set()
        roles = self.purser.roles() | {"agent": [self.agent.process.pid]}
        for name, pids in roles.items():
            for pid in pids:
                look = MemorySearch(long_lived if name == "agent" else every, pid, name)
                self.searched.setdefault(name, []).append((look.regions, look.bytes))
                self.assertEqual(look.arenas, 1 if name in ARENAS else 0, name)
                if name == "purser-window":  # whose arena holds nothing once a request is passed on
                    finds += [f"{kind} in the arena of {name}" for kind in look.in_arena]
                else:
                    self.in_arena |= set(look.in_arena)
                finds += look.finds
        return finds

    def assert_memory_clean(self, token_in_arena=True):
        """A look that begins when the second after the last request is over finds nothing.

        That request is made here, when most of what is searched for is known: a mint. The second is purser's, not the machine's: while its threads are ready to run and the
        machine has no processor for them, it does not pass. On a quiet machine that adds nothing.
        """
        self.canaries()
        self.mint_once_more()
        pids = [pid for pids in self.purser.roles().values() for pid in pids]
        last_request, starved = time.monotonic(), starved_seconds(pids)
        long_lived, every = self.canaries()
        looks = 0
        while True:
            looks += 1
            late = time.monotonic() - last_request - CLEAN_SECONDS
            waited = starved_seconds(pids) - starved
            finds = self.look_into_memory(long_lived, every)
            if not finds and late >= 0:
                break
            if late > waited:
                self.fail(f"{len(finds)} copies stand {late + CLEAN_SECONDS:.2f} s after the last "
                          f"request, {waited:.2f} s of them waiting for a processor:\n"
                          + "\n".join(finds[:40]))
        size = sum(size for looks_at in self.searched.values() for _, size in looks_at)
        print(f"\n{self.id()}: clean at look {looks}, begun after {late + CLEAN_SECONDS:.1f} s: "
              f"{len(every.known)} secrets, {size} bytes", flush=True)
        # The search looked at the right processes, and at more than their libraries' data.
        for name in ("purserd", "purser-window", "purser-broker", "purser-ledger", "purser-dialer",
                     "agent"):
            for count, size in self.searched[name]:
                self.assertGreater(count, 10, name)
                self.assertGreater(size, 200_000, name)
        if token_in_arena:  # else it looked in the wrong place
            self.assertIn("access_token", self.in_arena)

    def uids(self):
        """Of the agent and of the roles."""
        pids = [pid for pids in self.purser.roles().values() for pid in pids]
        return {os.stat(f"/proc/{pid}/task").st_uid for pid in pids} | {
            self.purser.agent_uid, *(int(pathlib.Path(f"/proc/{pid}/status").read_text()
                                         .split("Uid:")[1].split()[1]) for pid in pids)} - {0}

    def assert_files_clean(self):
        """What was written since the start, by whom ever and wherever a process of this test might
        have put it; what holds a secret because somebody put it there is none of them."""
        _, every = self.canaries()
        planted = (str(self.entra.dir), self.folder, self.purser.config["seal"].get("path", "-"),
                   str(self.purser.dir / "credentials"))
        users = self.uids() if self.purser.program else set()
        files = [path for path in self.new_files.paths(users, besides=self.core_folders())
                 if not path.startswith(planted)]
        self.assertTrue(any(path.endswith("store.db") for path in files), files)
        self.assertTrue(any(path.endswith(".jsonl") for path in files), files)
        finds = []
        for path in files:
            try:
                finds += every.search(path, pathlib.Path(path).read_bytes())
            except OSError:
                continue  # somebody else's, and gone
        self.assertEqual(finds, [])
        return every

    def core_folders(self):
        return [folder for folder in [core_folder(self.cores)] if folder]

    def assert_words_clean(self, every):
        """The log, what was answered and printed, arguments and environments."""
        log = self.purser.log()
        self.assertIn('"role":"broker"' if log.startswith("{") else "broker", log)
        texts = {"the log": log.encode(), "an answer": "\n".join(self.refusals).encode(),
                 "a command's output": "\n".join(self.said).encode()}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    texts[f"{process}/{name}"] = (process / name).read_bytes()
                except OSError:
                    continue  # it has ended, or is the kernel's
        finds = [find for where, text in texts.items() for find in every.search(where, text)]
        self.assertEqual(finds, [])
        for person in PERSONS:
            self.assert_not_named(person, log)

    def assert_not_named(self, person, log):
        forms = [person, person.replace(" ", "%20"), person.replace(" ", "+"),
                 person.encode().hex(), base64.b64encode(person.encode()).decode().rstrip("=")[:-1]]
        for form in forms:
            self.assertNotIn(form.lower(), log.lower())

    def assert_no_core_can_be(self):
        """Neither by limit nor by the kernel's mark; and what would be a core file is none."""
        for name, pids in self.purser.roles().items():
            for pid in pids:
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                [core] = [line for line in limits.splitlines() if line.startswith("Max core")]
                self.assertEqual(core.split()[4:6], ["0", "0"], name)
                # Files of a process that may not be dumped belong to root.
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                uid = int(status.split("Uid:")[1].split()[1])
                self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0, (name, uid))

    def core_files(self):
        return [name for folder in self.core_folders() for name in os.listdir(folder)
                if name.startswith("core")]

    def assert_a_crash_leaves_no_core(self):
        """Of each role in turn, the supervisor last; any other program leaves one here."""
        self.assertEqual(self.core_files(), [])
        child = os.fork()
        if child == 0:
            os.chdir(self.cores)
            os.abort()
        _, status = os.waitpid(child, 0)
        if os.WCOREDUMP(status) and core_folder(self.cores) == self.cores:
            self.assertEqual(len(self.core_files()), 1)
            for name in self.core_files():
                os.unlink(os.path.join(self.cores, name))
        for name in ("purser-window", "purser-dialer", "purser-ledger", "purser-broker"):
            for pid in self.purser.roles()[name]:
                self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), self.cores)
                os.kill(pid, signal.SIGABRT)
                until(lambda: not os.path.exists(f"/proc/{pid}"))
            until(lambda: self.ask(HELPDESK, "", "GET", "/readyz")[0] == 200)
        self.assertEqual(self.purser.stop(signal.SIGABRT), -signal.SIGABRT)
        self.assertEqual(self.core_files(), [])

    def assert_command_leaves_no_core(self):
        """While it waits for a secret to be typed; then it ends without one."""
        with subprocess.Popen([harness.BIN / "purser", "secret", "set", "app"],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              env=self.purser.cli_environment()) as command:
            limits = pathlib.Path(f"/proc/{command.pid}/limits")
            waits = pathlib.Path(f"/proc/{command.pid}/syscall")
            while not waits.read_text().startswith("0 0x0 "):  # read(2) of standard input
                self.assertIsNone(command.poll())
            self.assertRegex(limits.read_text(), r"Max core file size +0 +0 ")

    def assert_nothing_leaked(self, **options):
        self.assert_memory_clean(**options)
        every = self.assert_files_clean()
        self.assert_words_clean(every)
        self.assert_no_core_can_be()
