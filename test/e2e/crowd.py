"""Many callers at once, each with a connection of its own."""
import json
import sys

from agents import BECOME
from programs import Program

# Who finds no room comes again when somebody else has left: "overloaded", or "restarting" where the
# broker still had the seats of those who came before, and closed the pair. The answers are printed when
# all have come: a crowd ends together, or not at all.
CROWD = BECOME + r"""
counts = [pair.rpartition("=")[::2] for pair in sys.argv[2].split(",")]
paths, own = [path for path, count in counts for _ in range(int(count))], sys.argv[3:] == ["claims"]
resource.setrlimit(resource.RLIMIT_NOFILE, (len(paths) + 64, len(paths) + 64))
def request():
    body = {"scopes": ["User.Read.All"]}
    if own:
        nbf = {"essential": True, "value": str(len(peers)), "values": ["/" * 3900]}
        body["claims"] = json.dumps({"access_token": {"nbf": nbf}})
    body = json.dumps(body).encode()
    return (b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
waiting, peers, answers, again = select.poll(), {}, [], []
def ask(path):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.connect(path)
    try:
        peer.sendall(request())
    except BrokenPipeError:  # answered and closed already
        pass
    peers[peer.fileno()] = (peer, path, [])
    waiting.register(peer, select.POLLIN)
for path in paths:
    ask(path)
while peers:
    for number, _ in waiting.poll():
        peer, path, pieces = peers[number]
        try:
            pieces.append(peer.recv(65536))
        except ConnectionResetError:  # answered without a look at what was asked
            pieces.append(b"")
        if pieces[-1]:
            continue
        waiting.unregister(peer)
        del peers[number]
        answer = b"".join(pieces).partition(b"\r\n\r\n")[2].decode().strip()
        no_room = '"overloaded"' in answer or '"restarting"' in answer
        if no_room and not own:
            again.append(path)
        else:
            answers.append(answer)
        if again and (not no_room or not peers):
            ask(again.pop())
for answer in answers:
    print("answer", answer, flush=True)
print("done", flush=True)
"""


def start_crowd(purser, callers, *own):
    """Has so many ask at once; `callers`: how many by agent. With "claims" each has claims that nobody
    else has, and takes overloaded for an answer."""
    where = ",".join(f"{purser.agent_socket(agent)}={count}" for agent, count in callers.items())
    return Program([sys.executable, "-c", CROWD, purser.agent_uid, where, *own], cwd="/")


def answers_of(program):
    """What they are told, and its end."""
    try:
        program.wait_for_line(lambda line: line == "done")
    finally:
        program.stop()
    return [json.loads(line.removeprefix("answer ")) for line in program.lines
            if line.startswith("answer ")]


def crowd(purser, callers):
    """The answers to so many who ask at once; `callers`: how many by agent."""
    answers = answers_of(start_crowd(purser, callers))
    assert len(answers) == sum(callers.values()), len(answers)
    assert "role_died" not in purser.log(), purser.log()  # nobody was really restarting
    return answers
