"""A development tenant and a purserd with the credentials that lifecycle tests use."""
import hashlib
import pathlib
import unittest

from harness import CLIENT_SECRET, DevTenant, Purser


def enrol(purser):
    """The app's secret and Jo's login: read-users and read-mail of the helpdesk agent work."""
    done = purser.cli("secret", "set", "app", stdin=CLIENT_SECRET)
    assert done.returncode == 0, done.stdout + done.stderr + purser.log()
    login = purser.log_in("mail")
    assert login.returncode == 0, login.stdout + purser.log()


def leaves(purser):
    """The ledger as its files have it: (leaf, line) by seq; the leaf as RFC 6962 computes it."""
    folder = pathlib.Path(purser.config["paths"]["state"], "ledger")
    lines = [line for path in sorted(folder.glob("*.jsonl"))
             for line in path.read_bytes().split(b"\n") if line]
    return {number: (hashlib.sha256(b"\0" + line).hexdigest(), line)
            for number, line in enumerate(lines, start=1)}


class TenantCase(unittest.TestCase):
    """One tenant for the class."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.entra.settings(device_code_interval_s=1)

    def started(self, **options):
        """A purserd with its credentials enrolled, ended with the test."""
        purser = self.enterContext(Purser(self.entra, **options))
        enrol(purser)
        return purser

    def granted(self, purser, reply):
        self.assertEqual(reply.status, 200, f"{reply}\n{purser.log()}")
        return reply.json()

    def refused(self, purser, reply, status, reason):
        self.assertEqual((reply.status, reply.json().get("reason")), (status, reason),
                         f"{reply}\n{purser.log()}")
        return reply.json()

    def assert_verifies(self, purser):
        verified = purser.cli("audit", "verify")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
