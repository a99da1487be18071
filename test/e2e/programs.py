"""Programs under test, and talking to them: processes, Unix sockets, other users."""
import http.client
import json
import os
import pathlib
import pickle
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("PURSER_BIN", ROOT / "build" / "dev" / "bin"))
START_SECONDS = 60  # a sanitizer build on a busy machine; only a broken start ever takes it
IS_ROOT = os.geteuid() == 0
SANITIZED = bool(os.environ.get("PURSER_SANITIZE"))
if IS_ROOT:
    try:  # whose login started the tests would be the one person behind all their users
        pathlib.Path("/proc/self/loginuid").write_text("4294967295")
    except OSError:
        pass  # there is none, or this container may not


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
        options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT} | options
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
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
