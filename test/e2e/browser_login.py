"""What both tests of `purser login --browser` need: where it listens, and a purserd to log in to."""
import pathlib
import socket
import unittest

from browser import LoginCommand
from harness import DevTenant, Purser

DONE, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
LOOPBACKS = ["127.0.0.1"] + (["::1"] if pathlib.Path("/proc/net/if_inet6").exists() and
                             "00000000000000000000000000000001"
                             in pathlib.Path("/proc/net/if_inet6").read_text() else [])


def listens(port):
    for host in LOOPBACKS:
        try:
            socket.create_connection((host, port), timeout=10).close()
            return True
        except ConnectionRefusedError:
            continue
    return False


class LoginCase(unittest.TestCase):
    """One tenant and one purserd for the class."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.purser = cls.enterClassContext(Purser(cls.entra))

    def tearDown(self):
        self.entra.clear_faults()

    def login(self, credential="mail", *options, **popen):
        return self.enterContext(LoginCommand(self.purser, credential, *options, **popen))

    def assert_enrolled(self, command):
        status, said = command.ended()
        self.assertEqual(status, DONE, said + self.purser.log())
        return said

    def assert_refused(self, command, reason):
        status, said = command.ended()
        self.assertEqual(status, REFUSED, said + self.purser.log())
        self.assertIn(f"refused ({reason})", said)
        return said

    def entries(self, kind):
        return [line for line in self.purser.ledger_lines() if line["type"] == kind]
