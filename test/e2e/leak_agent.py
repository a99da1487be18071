"""An agent that keeps all that it was told, and its connections."""
import json
import os
import subprocess
import sys

# The agent: a program of its own, so that its memory holds what purser gave it and nothing else.
AGENT = r"""
import http.client, json, os, socket, sys
uid = int(sys.argv[1])
if uid != os.geteuid():
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
kept, connections = [], {}
def connect(path):
    made = connections[path] = http.client.HTTPConnection("localhost", timeout=60)
    made.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.sock.settimeout(60)
    made.sock.connect(path)
    return made
def ask(connection, method, target, body, kind):
    connection.request(method, target, body, {"Content-Type": kind})
    answer = connection.getresponse()
    return [answer.status, answer.read().decode("latin-1")]
for line in sys.stdin:
    path, fresh, *request = json.loads(line)
    connection = connections.get(path)
    if fresh or not connection or not connection.sock:
        connection = connect(path)
    try:
        outcome = ask(connection, *request)
    except (OSError, http.client.HTTPException):  # closed by purser meanwhile
        outcome = ask(connect(path), *request)
    kept.append(outcome)
    print(json.dumps(outcome), flush=True)
"""


class Agent:
    """An agent that runs on and keeps its connections; every fourth request makes a new one."""

    def __init__(self, uid):
        # It becomes the agent's user by itself: that user may not be able to start this Python.
        self.asked = 0
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", AGENT, str(uid)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/",
                                        text=True, env={"PATH": os.environ["PATH"]})

    def ask(self, path, method, target, body, kind="application/json"):
        """Status and text of the answer to a body of this media type."""
        self.asked += 1
        fresh = self.asked % 4 == 0
        self.process.stdin.write(json.dumps([path, fresh, method, target, body, kind]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
