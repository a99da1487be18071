#!/usr/bin/env python3
"""Two pursers share one enrolment: its refresh token is in a Key Vault, and both replace it."""
import time
import unittest

import harness
from agents import Agent
from harness import (CLIENT_SECRET, HELPDESK, SAM, SECRET_APP, DevTenant, Purser, default_tenant)

OFFICER = "Key Vault Secrets Officer"


class SharedEnrolment(unittest.TestCase):
    def setUp(self):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: [OFFICER]}}
        self.entra = self.enterContext(DevTenant(tenant))
        self.entra.settings(device_code_interval_s=1)

    def vaulted(self, config):
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                    "auth": "credential:vault-writer"}}
        config["credential"]["vault-writer"] = {"kind": "client-secret", "client_id": SECRET_APP}
        config["credential"]["mail"] |= {"vault": "corp", "name": "mail-token"}

    def replica(self):
        purser = self.enterContext(Purser(self.entra, self.vaulted))
        done = purser.cli("secret", "set", "vault-writer", stdin=CLIENT_SECRET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + purser.log())
        return purser

    def versions(self):
        return self.entra.control("GET", "/vault/secrets/mail-token")

    def changes(self, purser, outcome):
        """The versions that this purser's ledger says it stored in the vault, or meant to."""
        return [entry["credential"].get("version") for entry in purser.ledger_lines()
                if entry["type"] in ("secret.enrolled", "secret.rotated")
                and entry["outcome"] == outcome and entry.get("target", {}).get("id") == "localhost"]

    def mint(self, purser):
        reply = purser.token(HELPDESK, ["Mail.Read"])
        self.assertEqual(reply.status, 200, f"{reply}\n{purser.log()}")
        return reply.json()

    def test_both_serve_rotate_and_overwrite_nothing_that_they_did_not_know(self):
        one, other = self.replica(), self.replica()
        self.assertEqual(other.token(HELPDESK, ["Mail.Read"]).json()["reason"],
                         "credential_not_enrolled")
        self.assertIn("in vault corp", one.cli("credentials").stdout)
        login = one.log_in("mail")
        self.assertEqual(login.returncode, 0, login.stdout + one.log())
        self.assertEqual(len(self.versions()), 1)
        with Agent(one, HELPDESK, ["Mail.Read"], mint=True) as first, \
                Agent(other, HELPDESK, ["Mail.Read"], mint=True) as second:
            for _ in range(5):
                first.wait_for_success(time.monotonic())
                second.wait_for_success(time.monotonic())
            self.assertEqual((first.stop(), second.stop()), (0, 0))
        self.assertEqual({answer["status"] for agent in (first, second)
                          for answer in agent.answers() if answer["reason"] !=
                          "credential_not_enrolled"}, {200})
        stored = self.versions()
        mine, others = self.changes(one, "success"), self.changes(other, "success")
        self.assertGreater(len(mine), 1)
        self.assertGreater(len(others), 0)
        # Each version is one purser's, by its ledger; none came from elsewhere.
        self.assertEqual(sorted(mine + others), sorted(each["version"] for each in stored))
        self.assertEqual(len({each["value"] for each in stored}), len(stored))
        for purser in (one, other):
            self.mint(purser)
            self.assertEqual(purser.cli("audit", "verify").returncode, 0)
        # Nothing of it is in a store of purser's own: one that starts anew has the newest.
        self.assertEqual(other.stop(), 0, other.log())
        other.start()
        self.mint(other)

    def test_a_rotation_is_announced_and_confirmed_before_the_release(self):
        purser = self.replica()
        self.assertEqual(purser.log_in("mail").returncode, 0, purser.log())
        answer = self.mint(purser)
        before = purser.ledger_lines()[:answer["audit"]["seq"] - 1]
        rotated = [(entry["outcome"], entry["target"]["id"]) for entry in before
                   if entry["type"] == "secret.rotated" and entry["credential"]["name"] == "mail"]
        self.assertEqual(rotated, [("pending", "localhost"), ("success", "localhost")])
        stored = [entry for entry in before if entry["type"] == "credential.access"
                  and entry["credential"]["name"] == "mail" and entry["target"].get("id")]
        self.assertEqual(stored[-1]["credential"]["version"], self.versions()[0]["version"])

    def test_what_the_vault_does_not_take_enrols_nobody(self):
        purser = self.replica()
        self.entra.control("POST", f"/vault/roles/{SECRET_APP}",
                           {"roles": ["Key Vault Secrets User"]})
        login = purser.log_in("mail")
        self.assertEqual(login.returncode, 1, login.stdout)
        self.assertIn(OFFICER, purser.log() + login.stdout)
        self.assertEqual(self.versions(), [])
        self.assertEqual(purser.log_in("mail", user=SAM).returncode, 1)
        self.assertEqual(purser.token(HELPDESK, ["Mail.Read"]).json()["reason"],
                         "credential_not_enrolled")


if __name__ == "__main__":
    harness.main()
