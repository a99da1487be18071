#!/usr/bin/env python3
"""An agent that floods harms only itself, and what it did is counted to the last."""
import sys

import enrolled
import harness
from agents import BECOME, Agent
from harness import HELPDESK, ROBOT, Program, until

CONNECTIONS = 500
MOST_OF_ONE_AGENT = 256  # Connections::kMaxPerAgent
REFUSALS = 100_000
# Opens many connections: every other one drips a request byte by byte until somebody ends it.
# Says when all are connected, and then what became of each that was answered or closed.
DRIPPER = BECOME + r"""
path, count = sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
request = b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nX-Long: " + b"a" * 4000
peers, sent = {}, {}
for number in range(count):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(path)
    peer.setblocking(False)
    peers[peer.fileno()] = peer
    if number % 2:
        sent[peer.fileno()] = 0
print("connected", len(peers), flush=True)
while going and peers:
    readable, _, _ = select.select(list(peers.values()), [], [], 0.05)
    for peer in readable:
        try:
            answer = peer.recv(4096)
        except OSError:
            answer = b""
        kind = "idle" if sent.pop(peer.fileno(), None) is None else "drip"
        print("ended", kind, answer[:12].decode(errors="replace"), flush=True)
        del peers[peer.fileno()]
    for number in list(sent):
        try:
            peers[number].send(request[sent[number]:sent[number] + 1])
            sent[number] += 1
        except OSError:
            pass  # its end shows above
"""
# Asks for what no rule allows, on one connection, as fast as it is answered.
REFUSED = BECOME + r"""
path, count = sys.argv[2], int(sys.argv[3])
body = b'{"scopes":["Mail.Send"]}'
request = (b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
           b"Content-Length: %d\r\n\r\n" % len(body)) + body
peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
peer.connect(path)
for number in range(count):
    peer.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += peer.recv(65536) or sys.exit("closed after " + str(number))
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 403 "):
        sys.exit(answer.decode())
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += peer.recv(65536) or sys.exit("closed after " + str(number))
"""


def as_agent(purser, script, *arguments):
    return Program([sys.executable, "-c", script, purser.agent_uid, *arguments], cwd="/")


class Flood(enrolled.TenantCase):
    def test_500_idle_and_dripping_connections_do_not_delay_another_agent(self):
        purser = self.started()
        self.granted(purser, purser.token(HELPDESK, ["User.Read.All"]))  # minted; from now on kept
        flood = as_agent(purser, DRIPPER, purser.agent_socket(ROBOT), CONNECTIONS)
        self.addCleanup(flood.stop)
        flood.wait_for_line(lambda line: line == f"connected {CONNECTIONS}")

        def ended(what=""):
            return [line for line in list(flood.lines) if line.startswith("ended " + what)]
        # Those over the cap of one agent the supervisor answers itself; the others stand.
        until(lambda: len(ended()) >= CONNECTIONS - MOST_OF_ONE_AGENT)
        with Agent(purser, HELPDESK, ["User.Read.All"]) as other:
            until(lambda: len(other.lines) >= 200)
            while_flooded = ended()
            self.assertEqual(other.stop(), 0)
        # A drip is ended at its deadline, and none had come to it when the 200th token was there.
        # Had one of the 200 waited for a drip, or each for a tenth of a second, some would have.
        self.assertEqual(len(while_flooded), CONNECTIONS - MOST_OF_ONE_AGENT)
        self.assertEqual({line.split()[-1] for line in while_flooded}, {"503"})
        self.assertEqual({answer["status"] for answer in other.answers()}, {200})
        drips = CONNECTIONS // 2 - len(ended("drip"))
        self.assertGreater(drips, 0)
        until(lambda: len(ended("drip")) == CONNECTIONS // 2)
        self.assertEqual(len(ended("drip HTTP/1.1 408")), drips)
        self.assertEqual(len(ended()) - len(while_flooded), drips, "idle ones went, too")
        self.assertIsNone(flood.process.poll(), flood.log())
        self.assertEqual(purser.cli("ready").returncode, 0)

    def test_100000_refusals_leave_a_bounded_ledger_that_counts_them(self):
        purser = self.started()
        with Agent(purser, HELPDESK, ["User.Read.All"]) as other:
            flood = as_agent(purser, REFUSED, purser.agent_socket(ROBOT), REFUSALS)
            self.addCleanup(flood.stop)
            self.assertEqual(flood.process.wait(300), 0, flood.log())
            self.assertEqual(other.stop(), 0)
            self.assertEqual({answer["status"] for answer in other.answers()}, {200})
        self.assertEqual(purser.stop(), 0, purser.log())
        denied = [entry for entry in purser.ledger_lines()
                  if entry["type"] == "token.denied" and entry["agent"]["name"] == ROBOT]
        counted = sum(entry.get("change", {}).get("count", 1) for entry in denied)
        self.assertEqual(counted, REFUSALS)
        self.assertLess(len(denied), 200, "the flood filled the ledger")
        self.assert_verifies(purser)


if __name__ == "__main__":
    harness.main()
