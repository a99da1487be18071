"""Agents that ask for tokens all the time, each a process of its own user.

    with Agent(purser, HELPDESK, ["User.Read.All"], mint=True) as agent:
        agent.wait_for_success(after=time.monotonic())
"""
import json
import sys
import time

from harness import Program

# How a script begins that is run with python3 -c and a uid as its first argument. It becomes that user
# only when Python's own files are read: root alone may be able to.
BECOME = r"""
import http.client, json, os, resource, select, signal, socket, sys, time
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
uid = int(sys.argv[1])
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
"""
# One line of JSON for each answer: when it was asked (CLOCK_MONOTONIC, the same for all processes),
# status and reason, and the entry that the answer names. A connection that ended is an answer without
# status.
SCRIPT = BECOME + r"""
path, scopes, mint = sys.argv[2], json.loads(sys.argv[3]), sys.argv[4] == "mint"
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(path)
connection, number = None, 0
while going:
    number += 1
    body = {"scopes": scopes}
    if mint:  # no cached token has such claims
        body["claims"] = json.dumps({"access_token": {"nbf": {"essential": True,
                                                              "value": str(number)}}})
    said = {"at": time.monotonic(), "status": None}
    try:
        if connection is None or number % 7 == 0:  # now and then a new one although the old is good
            connection = Connection("localhost")
        connection.request("POST", "/v1/token", json.dumps(body),
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        said |= {"status": response.status, "reason": answer.get("reason"),
                 "error": answer.get("error"), "audit": answer.get("audit"),
                 "token": "access_token" in answer}
        if response.getheader("Connection") == "close":
            connection = None
    except (OSError, http.client.HTTPException) as error:
        said["closed"] = type(error).__name__
        connection = None
    except ValueError as error:
        said["closed"] = "garbled: " + str(error)
        connection = None
    print(json.dumps(said), flush=True)
    if said["status"] in (None, 503):
        time.sleep(0.01)  # a client's pace of trying again
"""


class Agent(Program):
    """Asks until it is stopped."""

    def __init__(self, purser, agent, scopes, mint=False):
        super().__init__([sys.executable, "-c", SCRIPT, purser.agent_uid,
                          purser.agent_socket(agent), json.dumps(scopes),
                          "mint" if mint else "cached"], cwd="/")
        self._seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def answers(self):
        return [json.loads(line) for line in list(self.lines)]

    def wait_for_success(self, after, timeout=60):
        """How many requests that were asked later than `after` failed before one had a token."""
        tries = 0
        deadline = time.monotonic() + timeout
        while True:
            with self._grew:
                grown = self._grew.wait_for(lambda: len(self.lines) > self._seen or self._closed,
                                            deadline - time.monotonic())
                if not grown or len(self.lines) == self._seen:
                    last = "\n".join(self.lines[-5:])
                    raise RuntimeError(f"no token within {timeout} s and {tries} tries:\n{last}")
                answer = json.loads(self.lines[self._seen])
                self._seen += 1
            if answer["at"] <= after:
                continue
            if answer["status"] == 200:
                return tries
            tries += 1
