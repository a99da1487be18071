"""Starts the real programs for end-to-end tests. Python's standard library only.

    with DevTenant(tenant) as entra, Purser(entra, config) as purser:
        status, answer = purser.token("helpdesk", ["Mail.Read"])

PURSER_BIN names the folder with the executables (build/dev/bin by default). Nothing here sleeps
to wait: readiness is a line, a socket that answers, or an sd_notify datagram.
"""
import http.client
import json
import os
import pathlib
import pwd
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("PURSER_BIN", ROOT / "build" / "dev" / "bin"))
START_SECONDS = 60  # a sanitizer build on a busy machine; only a broken start ever takes it
IS_ROOT = os.geteuid() == 0

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
        self.headers = response.headers
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
                raise RuntimeError(f"{self.process.args[0]}: the expected line never came "
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
            self.program.stop()
            raise
        self.authority, self.graph = ready["authority"], ready["graph"]
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

    def pending_login(self, wait=START_SECONDS):
        """The user code of a device login, waited for."""
        return self.control("GET", f"/logins?wait={wait}")[-1]["user_code"]

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


def main():
    """unittest.main with the closing line that test/run reads."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(1 if failed or not result.testsRun else 0)
