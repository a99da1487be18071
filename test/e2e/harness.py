"""Starts the real programs for end-to-end tests. Python's standard library only.

    with DevTenant(tenant) as entra, Purser(entra, config) as purser:
        status, answer = purser.token("helpdesk", ["Mail.Read"])

PURSER_BIN names the folder with the executables (build/dev/bin by default). Nothing here sleeps
to wait: readiness is a line, a socket that answers, or an sd_notify datagram.
"""
import grp
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

# What tests import from here; not all of it is used below.
from dev_tenant import (BROAD_APP, CERT_APP, CLIENT_SECRET, DevTenant, JO, MAIL_APP, SAM,
                        SECRET_APP, TENANT_ID, WEB_APP, default_tenant, new_certificate)
from programs import (BIN, EndedEarly, IS_ROOT, Program, ROOT, Reply, SANITIZED, START_SECONDS,
                      UnixHTTPConnection, as_user, raw_exchange, unix_request, until)

# As `purser login` shows it, coloured or not.
USER_CODE = re.compile(r"enter (?:\x1b\[[0-9;]*m)*([A-Z0-9-]{6,})")
AGENT_UID = 61001      # agents of the tests, when root: numbers without an account suffice
OTHER_UID = 61002
SOLO_UID = 61010       # purserd as one unprivileged user, when root
HELPDESK, BROAD, ROBOT = "helpdesk", "clerk", "robot"  # the default configuration's agents


def to_toml(config):
    """A nested dict as TOML; tables in lists become arrays of tables."""
    def scalar(value):
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{k} = {scalar(v)}" for k, v in value.items()) + " }"
        return "[" + ", ".join(map(scalar, value)) + "]" if isinstance(value, list) \
            else json.dumps(value)

    def table(path, entries):
        plain = {k: v for k, v in entries.items() if not is_table(v)}
        lines = [f"[{path}]"] if path and (plain or not entries) else []
        lines += [f"{key} = {scalar(value)}" for key, value in plain.items()]
        for key, value in entries.items():
            name = f"{path}.{key}" if path else key
            if isinstance(value, dict):
                lines += table(name, value)
            elif is_table(value):
                for entry in value:
                    lines += [f"[[{name}]]"] + [f"{k} = {scalar(v)}" for k, v in entry.items()]
        return lines

    def is_table(value):
        return isinstance(value, dict) or (
            isinstance(value, list) and value and isinstance(value[0], dict))

    return "\n".join(table("", config)) + "\n"


def rule(name, scopes, credential):
    return {"name": name, "scopes": scopes, "credential": credential, "decision": "log"}


def default_config(entra, directory, agent_uid):
    """A fresh copy of the configuration that most tests start from."""
    graph = entra.graph
    return {
        "instance": {"name": "e2e"},
        "tenant": {"id": entra.tenant_id, "cloud": "custom", "authority": entra.authority,
                   "graph": graph},
        "network": {"ca_file": str(entra.ca_file)},
        "paths": {"state": f"{directory}/state", "run": f"{directory}/run"},
        "seal": {"kind": "file", "path": f"{directory}/kek"},
        "credential": {
            "mail": {"kind": "refresh-token", "client_id": MAIL_APP, "user": JO,
                     "scopes": ["Mail.Read"]},
            "broad": {"kind": "refresh-token", "client_id": BROAD_APP, "user": JO,
                      "scopes": ["Mail.Read"]},
            "app": {"kind": "client-secret", "client_id": SECRET_APP, "scopes": ["User.Read.All"]},
            "cert": {"kind": "certificate", "client_id": CERT_APP, "scopes": ["User.Read.All"]},
            "web": {"kind": "refresh-token", "client_id": WEB_APP, "user": JO,
                    "client_auth": "secret", "scopes": ["Mail.Read"]},
        },
        "agent": {
            HELPDESK: {"user": agent_uid, "limit": "none",
                       "allow": [rule("read-mail", ["Mail.Read"], "mail"),
                                 rule("read-users", ["User.Read.All"], "app")]},
            BROAD: {"user": agent_uid, "limit": "none",
                    "allow": [rule("read-mail", ["Mail.Read"], "broad")]},
            ROBOT: {"user": agent_uid, "limit": "none",
                    "allow": [rule("read-users", ["User.Read.All"], "cert"),
                              rule("read-mail", ["Mail.Read"], "web")]},
        },
        "admin": {"operators": [f"group:{grp.getgrgid(os.getegid()).gr_name}"]},
    }


def age_ledger(folder, day):
    """The newest segment as if it had been begun on that day; purserd is stopped."""
    segment = max(folder.glob("*.jsonl"))
    older = segment.with_name(day + segment.name[len(day):])
    segment.rename(older)
    head = folder / "head"
    head.write_bytes(head.read_bytes().replace(segment.name.encode(), older.name.encode()))


class Purser:
    """The real purserd with a temporary configuration.

    As root, the roles run as their own users and agents as AGENT_UID; with solo=True, everything
    as SOLO_UID. Not as root, everything as the user who runs the test. `edit(config)` changes the
    configuration before it is written.
    """

    def __init__(self, entra, edit=None, solo=False, environment=None, start=True):
        self.entra, self.edit = entra, edit
        self.solo = solo or not IS_ROOT
        self.uid = SOLO_UID if solo and IS_ROOT else os.geteuid()
        self.agent_uid = self.uid if self.solo else AGENT_UID
        self.environment = environment or {}
        self.working_folder = "/"
        self._start = start
        self.program = None

    def __enter__(self):
        # Short, since a socket's path has at most 107 bytes.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="purser-"))
        os.chmod(self.dir, 0o755)
        self.config_path = self.dir / "purser.toml"
        self.write_config()
        if self.uid != os.geteuid():
            for path in (self.dir, self.config_path):
                os.chown(path, self.uid, self.uid)
        try:
            made = self.cli("init", uid=self.uid)  # users, key and store
            if made.returncode != 0:
                raise RuntimeError(f"purser init: {made.stdout}{made.stderr}")
            if self._start:
                self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def write_config(self):
        """Writes the configuration anew, `edit` included."""
        config = default_config(self.entra, self.dir, self.agent_uid)
        if self.solo:
            config["hardening"] = {"minimum": "weak", "allow_same_uid": True}
        if not IS_ROOT:  # who runs purserd is its operator; a group of an agent may not be
            del config["admin"]
        if self.edit:
            self.edit(config)
        self.config = config
        self.config_path.write_text(to_toml(config))
        self.config_path.chmod(0o644)  # whatever the umask: purserd loads none that others can write

    def start(self):
        """Starts purserd and returns when it says that it is ready (sd_notify)."""
        notify_path = str(self.dir / "notify")
        pathlib.Path(notify_path).unlink(missing_ok=True)
        environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": notify_path}
        environment |= self.environment
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        options = {} if self.uid == os.geteuid() else \
            {"user": self.uid, "group": self.uid, "extra_groups": []}
        self.program = Program([BIN / "purserd", "--config", self.config_path, "--foreground",
                                "--libexec", BIN], env=environment, cwd=self.working_folder,
                               **options)
        self.wait_for_state("READY=1")
        return self

    def start_ready(self):
        """The same, and returns when the store is open, too: the key is asked for behind the start."""
        self.start()
        until(lambda: self.cli("ready").returncode == 0)

    def wait_for_state(self, state):
        """The sd_notify datagram that holds the line `state`, and all that came before it."""
        told, deadline = [], time.monotonic() + START_SECONDS
        while True:
            # Wakes now and then only to see whether the process ended instead.
            if select.select([self.notify], [], [], 0.2)[0]:
                told.append(self.notify.recv(4096).decode())
                if state in told[-1].splitlines():
                    return told
            elif self.program.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"purserd did not say {state}, but {told}:\n" + self.log())

    def stop(self, how=signal.SIGTERM):
        """Ends purserd; its exit status, or None when it was not running."""
        program, self.program = self.program, None
        if program is None:
            return None
        status = program.stop(how)
        self.notify.close()
        self._last_log = program.log()
        # A role that a sanitizer ended is started again: the tests alone might not notice.
        if re.search(r"ERROR: \w+Sanitizer|: runtime error: ", self._last_log):
            raise AssertionError(self._last_log)
        return status

    def log(self):
        return self.program.log() if self.program else self._last_log

    def roles(self):
        """Process ids by executable name, purserd's included."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                status = (entry / "status").read_text()
                pids = {int(entry.name), int(status.split("PPid:")[1].split()[0])}
                if self.program.process.pid in pids:
                    name = os.path.basename((entry / "cmdline").read_bytes().split(b"\0")[0])
                    found.setdefault(name.decode(), []).append(int(entry.name))
            except (OSError, IndexError):
                continue  # it has ended meanwhile
        return found

    @property
    def admin_socket(self):
        return f"{self.config['paths']['run']}/admin/sock"

    def agent_socket(self, agent=HELPDESK):
        return f"{self.config['paths']['run']}/agents/{agent}/sock"

    def request(self, agent, method, target, body=None, headers=None, uid=None):
        """One request on the agent's socket, by default as the agent's own user."""
        return as_user(self.agent_uid if uid is None else uid, unix_request,
                       self.agent_socket(agent), method, target, body, headers)

    def token(self, agent, scopes, uid=None, **members):
        return self.request(agent, "POST", "/v1/token", {"scopes": scopes, **members}, uid=uid)

    def admin(self, method, target, body=None, uid=None):
        return as_user(uid, unix_request, self.admin_socket, method, target, body)

    def cli(self, *arguments, stdin=None, uid=None, gid=None):
        """The purser command, as `uid` in the one group `gid` (its own number by default);
        returns subprocess.CompletedProcess with text output."""
        options = {} if uid in (None, os.geteuid()) else \
            {"user": uid, "group": uid if gid is None else gid, "extra_groups": []}
        return subprocess.run([BIN / "purser", *arguments], input=stdin or "", text=True,
                              capture_output=True, env=self.cli_environment(), **options)

    def cli_environment(self):
        return {"PATH": os.environ["PATH"], "PURSER_CONFIG": str(self.config_path),
                "PURSER_ADMIN_SOCKET": self.admin_socket}

    def log_in(self, credential, user=JO, action="approve"):
        """`purser login CREDENTIAL`, with the person's part played; the command's outcome."""
        command = Program([BIN / "purser", "login", credential], env=self.cli_environment())
        try:
            line = command.wait_for_line(USER_CODE.search)
            self.entra.decide(USER_CODE.search(line)[1], user, action)
            command.process.wait(START_SECONDS)
        except EndedEarly:
            pass  # refused before it showed a code: the caller looks at the outcome
        finally:
            status = command.stop()
        return subprocess.CompletedProcess(command.process.args, status, command.log(), "")

    def ledger_lines(self):
        """All entries, parsed, in order."""
        segments = sorted(pathlib.Path(self.config["paths"]["state"], "ledger").glob("*.jsonl"))
        return [json.loads(line) for path in segments for line in path.read_text().splitlines()]


def main():
    """unittest.main with the closing line that test/run reads."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    # What setUpClass skips or breaks was not run, and is no test; of a test's parts each fails by
    # itself.
    ended = {getattr(test, "test_case", test) for test in result.unexpectedSuccesses + [
        test for test, _ in result.failures + result.errors + result.skipped]
        if isinstance(test, unittest.TestCase)}
    print(f"{result.testsRun - len(ended)} passed, {failed} failed")
    sys.exit(1 if failed or not (result.testsRun or result.skipped) else 0)
