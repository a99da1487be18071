#!/usr/bin/env python3
"""sidecar/LOG.md lists the events of the operational log; this reads each call of a Log in the
source and checks that the list is complete, that events are codes, and that one thing has one key."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CALL = re.compile(r'\blog_?(?:\.|->)(?:Info|Warn|Error)\(\s*("[^"]*")?([^;]*);')
PASSED_ON = re.compile(r'\blog_?,\s*"([^"]*)"')  # to what writes it: FloodLog, a function of a file
KEY = re.compile(r'\{\s*"([^"]*)",')
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
WRITERS = {"broker/minter.cc", "sidecar/supervisor/flood_log.cc"}  # where the event is a parameter
OTHER_NAMES = {"error": "why", "errno": "why", "to_do": "remedy",
               "for": "agent", "request": "request_id"}


def listed():
    for row in re.findall(r"^\| (`.*?) \|", (ROOT / "sidecar/LOG.md").read_text(), re.M):
        yield from re.findall(r"`([^`]*)`", row)


def faults():
    written = {}
    for path in sorted(p for top in ("broker", "vault_adapters", "token_cache", "sidecar")
                       for p in (ROOT / top).rglob("*") if p.suffix in (".h", ".cc")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text()
        for event, fields in CALL.findall(text):
            if event:
                written.setdefault(event.strip('"'), name)
            elif name not in WRITERS:
                yield f"{name}: the event is no literal: {fields.split(chr(10))[0]}"
            for key in KEY.findall(fields):
                if not CODE.fullmatch(key):
                    yield f"{name}: the key {key!r} is no code"
                if key in OTHER_NAMES:
                    yield f"{name}: the key {key!r} is called {OTHER_NAMES[key]!r}"
        for event in PASSED_ON.findall(text):
            written.setdefault(event, name)
    if len(written) < 30:
        yield f"only {len(written)} events found: the test looks at the wrong place"
    known = set(listed())
    for event, name in sorted(written.items()):
        if not CODE.fullmatch(event):
            yield f"{name}: the event {event!r} is no code"
        elif event not in known:
            yield f"{name}: sidecar/LOG.md does not list {event}"
    for event in sorted(known - written.keys()):
        yield f"sidecar/LOG.md lists {event}, which nothing writes"


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "every event of the log is listed")
    sys.exit(1 if found else 0)
