#!/usr/bin/env python3
"""SECURITY.md names the tests that guard each promise; this checks that each of them exists."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMISE = re.compile(r"^(\d+)\. \*\*", re.M)
NAMED = re.compile(r'^ +- `(test/[^`]+)`(?:: "([^"]+)")?', re.M)


def faults(text):
    section = text.split("## The ten promises", 1)[1].split("\n## ", 1)[0]
    starts = [(int(found[1]), found.start()) for found in PROMISE.finditer(section)]
    if [number for number, _ in starts] != list(range(1, 11)):
        yield f"promises {[number for number, _ in starts]} instead of 1 to 10"
    for (number, start), (_, end) in zip(starts, starts[1:] + [(0, len(section))]):
        named = NAMED.findall(section[start:end])
        if not named:
            yield f"promise {number} names no test"
        for path, case in named:
            if not (ROOT / path).is_file():
                yield f"promise {number}: {path} does not exist"
            elif case and f'TEST_CASE("{case}")' not in (ROOT / path).read_text():
                yield f'promise {number}: {path} has no case "{case}"'


if __name__ == "__main__":
    found = list(faults((ROOT / "SECURITY.md").read_text()))
    print("\n".join(found) or "every promise has its tests")
    sys.exit(1 if found else 0)
