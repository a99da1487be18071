"""Starts the real programs for end-to-end tests. Python's standard library only.

    with DevTenant(tenant) as entra, Purser(entra, config) as purser:
        status, answer = purser.token("helpdesk", ["Mail.Read"])

PURSER_BIN names the folder with the executables (build/dev/bin by default). Nothing here sleeps
to wait: readiness is a line, a socket that answers, or an sd_notify datagram.
"""
import grp
import http.client
import json
import os
import pathlib
import pickle
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("PURSER_BIN", ROOT / "build" / "dev" / "bin"))
START_SECONDS = 60  # a sanitizer build on a busy machine; only a broken start ever takes it
IS_ROOT = os.geteuid() == 0
# As `purser login` shows it, coloured or not.
USER_CODE = re.compile(r"enter (?:\x1b\[[0-9;]*m)*([A-Z0-9-]{6,})")

TENANT_ID = "8f0c2b7e-5d1a-4c3e-9b6f-0a1b2c3d4e5f"
JO = "11111111-1111-4111-8111-111111111111"
SAM = "22222222-2222-4222-8222-222222222222"
MAIL_APP = "aaaaaaaa-0000-4000-8000-000000000001"    # public, consented to Mail.Read alone
BROAD_APP = "aaaaaaaa-0000-4000-8000-000000000002"   # public, consented to more than it should
SECRET_APP = "aaaaaaaa-0000-4000-8000-000000000003"  # app-only with a client secret
CERT_APP = "aaaaaaaa-0000-4000-8000-000000000004"    # app-only with a certificate
WEB_APP = "aaaaaaaa-0000-4000-8000-000000000005"     # delegated, confidential
CLIENT_SECRET = "Canary~client.secret-0123456789abcdefghi"


def default_tenant():
    """A fresh copy of the tenant that most tests start from."""
    return {
        "tenant_id": TENANT_ID,
        "domain": "contoso.example",
        "users": [
            {"oid": JO, "upn": "jo.canary@contoso.example", "name": "Jo Canary"},
            {"oid": SAM, "upn": "sam.canary@contoso.example", "name": "Sam Canary"},
        ],
        "registrations": [
            {"client_id": MAIL_APP, "name": "agent-mail", "public_client": True,
             "delegated": {"graph": ["Mail.Read"]}},
            {"client_id": BROAD_APP, "name": "agent-broad", "public_client": True,
             "delegated": {"graph": ["Mail.Read", "Mail.Send", "Files.ReadWrite.All"]}},
            {"client_id": SECRET_APP, "name": "agent-app", "secrets": [CLIENT_SECRET],
             "application": {"graph": ["User.Read.All"]}},
            {"client_id": CERT_APP, "name": "agent-cert",
             "application": {"graph": ["User.Read.All"]}},
            {"client_id": WEB_APP, "name": "agent-web", "secrets": [CLIENT_SECRET],
             "delegated": {"graph": ["Mail.Read"]}},
        ],
    }


class UnixHTTPConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Reply:
    """An HTTP answer read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = dict(response.getheaders())
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:2000]!r}"


def unix_request(path, method, target, body=None, headers=None, timeout=60):
    """One request on a new connection; a dict body is sent as JSON."""
    headers = dict(headers or {})
    if isinstance(body, dict):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = UnixHTTPConnection(path, timeout)
    try:
        connection.request(method, target, body, headers)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def raw_exchange(path, data, timeout=60):
    """Sends bytes as they are and returns all that comes back until the peer closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(timeout)
        peer.connect(str(path))
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := peer.recv(65536):
            received += chunk
        return received


def until(holds, timeout=START_SECONDS):
    """Looks again until `holds()` is true; the time is a guard against hanging."""
    deadline = time.monotonic() + timeout
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not become true")
        time.sleep(0.005)
    return found


class EndedEarly(RuntimeError):
    """The program ended, or time did, before the expected line."""


class Program:
    """A child process whose output is kept, line by line, and which is always ended."""

    def __init__(self, command, **options):
        self.lines = []
        self._grew = threading.Condition()
        self._closed = False
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, errors="replace", **options)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._grew:
                self.lines.append(line.rstrip("\n"))
                self._grew.notify_all()
        with self._grew:
            self._closed = True
            self._grew.notify_all()

    def wait_for_line(self, matches, timeout=START_SECONDS):
        """The first line for which `matches` is true; RuntimeError when it never comes."""
        with self._grew:
            found = self._grew.wait_for(
                lambda: next((at for at in self.lines if matches(at)), None)
                or self._closed and "", timeout)
            line = next((at for at in self.lines if matches(at)), None)
            if line is None:
                raise EndedEarly(f"{self.process.args[0]}: the expected line never came "
                                 f"({'ended' if found == '' else 'timeout'}):\n" + self.log())
            return line

    def log(self):
        return "\n".join(self.lines)

    def stop(self, how=signal.SIGTERM, timeout=30):
        """Ends the process and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(timeout)
        self.process.stdout.close()
        return self.process.returncode


class DevTenant:
    """purser-devtenant with a tenant of its own; see test/devtenant/README.md."""

    def __init__(self, tenant=None, directory=None):
        self.tenant = tenant if tenant is not None else default_tenant()
        self._given = directory

    def __enter__(self):
        self.dir = pathlib.Path(self._given or tempfile.mkdtemp(prefix="devtenant-"))
        self.dir.mkdir(exist_ok=True)
        os.chmod(self.dir, 0o755)
        (self.dir / "tenant.json").write_text(json.dumps(self.tenant))
        self.program = Program([BIN / "purser-devtenant", "--dir", self.dir,
                                "--tenant-file", self.dir / "tenant.json"])
        try:
            ready = json.loads(self.program.wait_for_line(lambda line: line.startswith("{")))
        except BaseException:
            self.__exit__()
            raise
        self.authority, self.graph = ready["authority"], ready["graph"]
        self.vault = ready.get("vault")
        self.tenant_id, self.ca_file = ready["tenant_id"], ready["ca_file"]
        self.control_socket = ready["control"]
        return self

    def __exit__(self, *_):
        self.program.stop()
        if not self._given:
            shutil.rmtree(self.dir, ignore_errors=True)

    # The control interface.
    def control(self, method, target, body=None):
        reply = unix_request(self.control_socket, method, target, body)
        if reply.status != 200:
            raise RuntimeError(f"devtenant control {method} {target}: {reply}")
        return reply.json()

    def fault(self, **fault):
        return self.control("POST", "/faults", fault)

    def clear_faults(self):
        return self.control("DELETE", "/faults")

    def settings(self, **settings):
        return self.control("POST", "/settings", settings)

    def user(self, name, **change):
        return self.control("POST", f"/users/{name}", change)

    def registration(self, client_id, **change):
        return self.control("POST", f"/registrations/{client_id}", change)

    def revoke(self, **which):
        return self.control("POST", "/grants/revoke", which)

    def pending_login(self, client_id=None, wait=START_SECONDS):
        """The user code of a pending device login, waited for; None when none came."""
        logins = [login for login in self.control("GET", f"/logins?wait={wait}")
                  if client_id in (None, login["client_id"])]
        return logins[-1]["user_code"] if logins else None

    def decide(self, user_code, user, action="approve"):
        return self.control("POST", "/logins",
                            {"user_code": user_code, "user": user, "action": action})

    def secrets(self):
        return self.control("GET", "/secrets")

    def requests(self, endpoint):
        return self.control("GET", "/counters").get(endpoint, {"requests": 0})["requests"]

    # A client of its endpoints, as any program would be.
    def https(self, url, method="GET", form=None, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        headers = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=60)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""),
                               body, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def token(self, tenant=None, **form):
        return self.https(f"{self.authority}/{tenant or self.tenant_id}/oauth2/v2.0/token",
                          "POST", form=form)

    def devicecode(self, **form):
        return self.https(f"{self.authority}/{self.tenant_id}/oauth2/v2.0/devicecode", "POST",
                          form=form)

    def call_graph(self, path, token, method="GET", body=None):
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        return self.https(self.graph + path, method, body=body, headers=headers)


# Purser.

AGENT_UID = 61001      # agents of the tests, when root: numbers without an account suffice
OTHER_UID = 61002
SOLO_UID = 61010       # purserd as one unprivileged user, when root
HELPDESK, BROAD, ROBOT = "helpdesk", "clerk", "robot"  # the default configuration's agents


def new_certificate(directory):
    """The paths of a new RSA key (PKCS#8) and a self-signed certificate of it, both PEM."""
    key, certificate = pathlib.Path(directory) / "key.pem", pathlib.Path(directory) / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=agent", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return key, certificate


def as_user(uid, function, *arguments, **named):
    """What `function` returns in a forked child that is `uid` and in no other group."""
    if uid in (None, os.geteuid()):
        return function(*arguments, **named)
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(receiver)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                outcome = (True, function(*arguments, **named))
            except Exception as error:  # handed to the parent, which raises it
                outcome = (False, error)
            with os.fdopen(sender, "wb") as pipe:
                pickle.dump(outcome, pipe)
            status = 0
        finally:
            os._exit(status)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        raise RuntimeError(f"the child as uid {uid} ended without a result")
    good, result = pickle.loads(data)
    if not good:
        raise result
    return result


def to_toml(config):
    """A nested dict as TOML; tables in lists become arrays of tables."""
    def scalar(value):
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
        if self.edit:
            self.edit(config)
        self.config = config
        self.config_path.write_text(to_toml(config))

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
                                "--libexec", BIN], env=environment, cwd="/", **options)
        self.wait_for_state("READY=1")
        return self

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
    # What setUpClass skips or breaks was not run, and is no test.
    ended = [test for test, _ in result.failures + result.errors + result.skipped
             if isinstance(test, unittest.TestCase)] + result.unexpectedSuccesses
    print(f"{result.testsRun - len(ended)} passed, {failed} failed")
    sys.exit(1 if failed or not (result.testsRun or result.skipped) else 0)
