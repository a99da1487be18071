#!/usr/bin/env python3
"""purserd is killed at each request that a rotation makes: before Entra serves it, and after.

What comes between, in the store and the ledger, test/broker/rotation_test.cc ends at each write.
"""
import signal
import unittest

import harness
from dev_tenant import DevTenant, default_tenant, new_certificate
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, Purser, SECRET_APP, until

ROTATOR = "aaaaaaaa-0000-4000-8000-0000000000f0"
ADD = {"endpoint": "graph", "path": "addPassword"}
REMOVE = {"endpoint": "graph", "path": "removePassword"}
PROOF = {"endpoint": "token", "client_id": SECRET_APP}
ASK = {"endpoint": "token", "client_id": ROTATOR}  # for the token that Graph is asked with


def tenant():
    made = default_tenant()
    for one in made["registrations"]:
        if one["client_id"] == SECRET_APP:
            one["owners"] = [ROTATOR]
    made["registrations"].append(
        {"client_id": ROTATOR, "name": "rotator", "secrets": ["rotator~secret-0123456789"],
         "application": {"graph": ["Application.ReadWrite.OwnedBy"]}})
    return made


def configure(config):
    config["credential"]["rotator"] = {"kind": "client-secret", "client_id": ROTATOR}
    config["credential"]["app"]["rotate_with"] = "rotator"


class Killed(unittest.TestCase):
    def setUp(self):
        self.entra = self.enterContext(DevTenant(tenant()))
        self.purser = self.enterContext(Purser(self.entra, edit=configure))
        for name, secret in (("app", CLIENT_SECRET), ("rotator", "rotator~secret-0123456789")):
            done = self.purser.cli("secret", "set", name, stdin=secret)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.old = self.held()

    def held(self):
        """The key ids of the application."""
        return [one["keyId"] for one in self.entra.registered(SECRET_APP)["passwords"]]

    def rotation(self):
        reply = self.purser.admin("GET", "/v1/credentials/app/rotation")
        return reply.json() if reply.status == 200 else {}

    def begin(self, grace=0):
        reply = self.purser.admin("POST", "/v1/credentials/app/rotate", {"grace": grace})
        self.assertEqual(reply.status, 200, reply)

    def kill(self):
        """All of purser at once; what it had asked for is never answered."""
        self.purser.stop(signal.SIGKILL)
        self.entra.release()

    def until_idle(self):
        return until(lambda: (lambda view: view if view.get("step") == "idle" else None)(
            self.rotation()))

    def assert_exactly_one(self, new=True):
        self.assertEqual(len(self.held()), 1, self.purser.log())
        self.assertEqual(self.held() != self.old, new)
        reply = self.purser.token(HELPDESK, ["User.Read.All"])
        self.assertEqual(reply.status, 200, f"{reply}{self.purser.log()}")

    def kill_at(self, *places):
        """Kills at each of these in turn; each next process comes as far as the next place."""
        for when, where, step in places:
            with self.subTest(when=when, where=where, step=step):
                self.entra.hold(when, **where)
                if not self.purser.program:
                    self.purser.start()
                elif self.rotation().get("step", "idle") == "idle":
                    self.begin()
                self.entra.until_held()
                self.assertEqual(until(self.rotation)["step"], step)
                self.kill()
        self.purser.start()
        self.assertNotIn("failure", self.until_idle())

    def test_until_it_is_added_and_proven(self):
        self.kill_at(("before", ADD, "adding"), ("before", ASK, "adding"),
                     ("after", ADD, "adding"),       # somebody's secret, and nobody knows its text
                     ("before", REMOVE, "adding"), ("after", REMOVE, "adding"),
                     ("before", PROOF, "proving"), ("after", PROOF, "proving"))
        self.assert_exactly_one()

    def test_when_it_is_stored_and_when_the_old_one_is_removed(self):
        self.begin()
        until(lambda: any(entry.get("change", {}).get("step") == "switch"
                          for entry in self.purser.ledger_lines()))
        self.kill()  # somewhere between storing it and knowing of it
        self.kill_at(("before", PROOF, "grace"), ("before", ASK, "grace"),
                     ("before", REMOVE, "grace"), ("after", REMOVE, "grace"))
        self.assert_exactly_one()

    def test_revoked_meanwhile_it_is_taken_back_by_whoever_comes_next(self):
        self.entra.hold("before", **PROOF)
        self.begin()
        self.entra.until_held()
        self.assertEqual(len(self.held()), 2)
        self.entra.fault(endpoint="graph", status=503)
        revoked = self.purser.cli("revoke", "app", "--why", "leaked")
        self.assertEqual(revoked.returncode, 0, revoked.stdout + revoked.stderr)
        self.kill()
        self.purser.start()
        self.assertEqual(until(lambda: self.rotation().get("trouble") and self.rotation())["step"],
                         "undoing")
        self.assertEqual(len(self.held()), 2)  # Entra is away: the journal keeps it
        self.assertIn("rotation  undoing", self.purser.cli("credentials").stdout)
        refused = self.purser.cli("rotate", "app")
        self.assertIn("revoked", refused.stdout + refused.stderr)
        self.entra.clear_faults()
        self.assertIn("revoked", self.until_idle()["failure"])
        self.assertEqual(self.held(), self.old)
        self.assertIn("rotation  failed: the credential was revoked",
                      self.purser.cli("credentials").stdout)
        self.assertIn("the last rotation of app: the credential was revoked",
                      self.purser.cli("doctor").stdout)
        again = self.purser.cli("rotate", "app")
        self.assertEqual(again.returncode, 1)
        self.assertIn("is revoked", again.stderr)

    def test_a_revoked_certificate_that_nobody_else_may_remove_removes_itself(self):
        key, certificate = new_certificate(self.entra.dir)
        self.entra.registration(CERT_APP, certificates=[certificate.read_text()])
        enrolled = self.purser.cli("secret", "set", "cert",
                                   stdin=key.read_text() + certificate.read_text())
        self.assertEqual(enrolled.returncode, 0, enrolled.stderr)
        registered = self.entra.registered(CERT_APP)
        proof = {"endpoint": "token", "client_id": CERT_APP}
        self.entra.fault(count=2, delay_ms=1, **proof)  # to look at Entra, and to add
        self.entra.hold("before", **proof)
        reply = self.purser.admin("POST", "/v1/credentials/cert/rotate",
                                  {"object_id": registered["object_id"],
                                   "key_id": registered["keys"][0]["keyId"]})
        self.assertEqual(reply.status, 200, reply)
        self.entra.until_held()
        self.assertEqual(len(self.entra.registered(CERT_APP)["keys"]), 2)
        self.assertEqual(self.purser.cli("revoke", "cert", "--why", "leaked").returncode, 0)
        self.entra.release()
        def ended():
            view = self.purser.admin("GET", "/v1/credentials/cert/rotation").json()
            return view if view["step"] == "idle" else None
        self.assertEqual(until(ended)["failure"], "the credential was revoked meanwhile")
        self.assertEqual(self.entra.registered(CERT_APP)["keys"], registered["keys"])


if __name__ == "__main__":
    harness.main()
