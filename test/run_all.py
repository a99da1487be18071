#!/usr/bin/env python3
"""Configures, builds and runs the presets; counts test cases; exits non-zero when one failed.

A doctest executable counts each of its test cases; any other ctest test counts as one.
"""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESETS = sys.argv[1:] or ["dev", "asan"]
DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")
START = re.compile(r"^\d+/\d+ Test: (\S+)$", re.M)


def run(*command):
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, cwd=ROOT).returncode


def count(preset):
    """Passed and failed of one preset's ctest run."""
    build = ROOT / "build" / preset
    log = build / "Testing" / "Temporary" / "LastTest.log"
    log.unlink(missing_ok=True)
    status = run("ctest", "--test-dir", str(build), "--output-on-failure", "--timeout", "900",
                 "--parallel", str(os.cpu_count()))
    text = log.read_text(errors="replace") if log.exists() else ""
    passed = failed = 0
    starts = list(START.finditer(text))
    for at, following in zip(starts, starts[1:] + [None]):
        section = text[at.start():following.start() if following else None]
        ok = "Test Passed." in section
        cases = DOCTEST.search(section)
        if cases and int(cases[1]) > 0:
            passed += int(cases[2])
            failed += int(cases[3]) or (0 if ok else 1)
        else:
            passed += ok
            failed += not ok
    if status != 0 and failed == 0:
        failed = 1  # ctest itself could not run
    return passed, failed


def main():
    passed = failed = 0
    for preset in PRESETS:
        if run("cmake", "--preset", preset) or run("cmake", "--build", "--preset", preset,
                                                   "--parallel", str(os.cpu_count())):
            failed += 1
            continue
        counted = count(preset)
        passed, failed = passed + counted[0], failed + counted[1]
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
