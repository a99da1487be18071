#!/usr/bin/env python3
"""--watch: what a command shows stays true on the screen, over a restart of the daemon, too."""
import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

import harness
from harness import BIN, DevTenant, Purser

DONE, USAGE, UNREACHABLE, INTERRUPTED = 0, 2, 4, 130
LEAVE = b"\x1b[?7h\x1b[?25h\x1b[?1049l"  # wraps again, cursor shown, the screen from before


class Screen:
    """A terminal with a command on it."""

    def __init__(self, purser, *arguments, **options):
        self.main, self.other = pty.openpty()
        self.before = termios.tcgetattr(self.other)
        self.seen = b""
        self.command = subprocess.Popen(
            [BIN / "purser", *arguments], stdin=self.other, stdout=self.other, stderr=self.other,
            env=purser.cli_environment(), start_new_session=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.command.kill()
        self.command.wait()
        os.close(self.main)
        os.close(self.other)

    def shows(self, wanted):
        """Reads on until `wanted` came; what came before it is forgotten."""
        deadline = time.monotonic() + harness.START_SECONDS
        while wanted not in self.seen:
            ready, _, _ = select.select([self.main], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {wanted!r} in {self.seen!r}")
            self.seen += os.read(self.main, 65536)
        self.seen = self.seen.split(wanted, 1)[1]

    def types(self, keys):
        os.write(self.main, keys)

    def ended(self):
        """The exit code; the terminal's modes are as before."""
        code = self.command.wait(harness.START_SECONDS)
        assert termios.tcgetattr(self.other) == self.before, "the terminal is not as it was"
        return code


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.purser = cls.enterClassContext(Purser(cls.entra))

    def test_a_frame_follows_the_other_without_erasing_the_screen(self):
        for command, text in (("status", b"ledger    seq"), ("credentials", b"purser login mail")):
            with self.subTest(command), Screen(self.purser, command, "--watch") as screen:
                screen.shows(text)
                screen.shows(b"\x1b[H")
                screen.shows(text)
                self.assertNotIn(b"\x1b[2J", screen.seen)
                screen.types(b"q")
                screen.shows(LEAVE)
                self.assertEqual(screen.ended(), DONE)

    def test_ctrl_c_ends_it_with_the_terminal_as_it_was(self):
        with Screen(self.purser, "status", "--watch") as screen:
            screen.shows(b"ledger    seq")
            os.killpg(screen.command.pid, signal.SIGINT)
            screen.shows(LEAVE)
            self.assertEqual(screen.ended(), INTERRUPTED)

    def test_a_restart_leaves_the_last_frame_and_goes_on(self):
        with Purser(self.entra) as purser, Screen(purser, "status", "--watch") as screen:
            screen.shows(b"ledger    seq")
            purser.stop()
            screen.shows(b"Is purserd running")
            screen.shows(b"ledger    seq")  # as it was seen last
            purser.start()
            # The line in its place is empty again.
            screen.shows(b"(q ends)\x1b[0m\x1b[K\r\n\x1b[0m\x1b[K\r\n")
            screen.shows(b"ledger    seq")
            screen.types(b"q")
            self.assertEqual(screen.ended(), DONE)

    def test_who_cannot_look_is_told_at_once(self):
        rows = [(["status", "--watch"], USAGE), (["--json", "credentials", "--watch"], USAGE)]
        for row, code in rows:
            with self.subTest(row):
                done = self.purser.cli(*row)
                self.assertEqual(done.returncode, code)
                self.assertIn("needs a terminal", done.stdout + done.stderr)
        with Screen(self.purser, "--admin-socket", "/nonexistent/sock", "status",
                    "--watch") as screen:
            screen.shows(b"Is purserd running")
            self.assertEqual(screen.ended(), UNREACHABLE)


if __name__ == "__main__":
    harness.main()
