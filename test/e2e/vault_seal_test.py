#!/usr/bin/env python3
"""The store's key is wrapped by a key in a Key Vault: outages, refusals, rotation and crashes."""
import base64
import json
import os
import pathlib
import signal
import tempfile
import time
import unittest

import enrolled
import harness
from agents import Agent
from harness import (BIN, CLIENT_SECRET, HELPDESK, SECRET_APP, DevTenant, Program, Purser,
                     default_tenant, until)

WRAPPER = "Key Vault Crypto Service Encryption User"
DOWN = {"endpoint": "vault", "drop": "before"}


class VaultSeal(unittest.TestCase):
    def setUp(self):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: [WRAPPER]}, "keys": {"purser-kek": {"kty": "RSA"}}}
        self.entra = self.enterContext(DevTenant(tenant))
        self.entra.settings(device_code_interval_s=1)
        self.files = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        os.chmod(self.files, 0o755)
        secret = self.files / "reader"
        secret.write_text(CLIENT_SECRET)
        os.chmod(secret, 0o400)

    def sealed(self, config):
        """The identity's secret is in a file: in the store it would open itself."""
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["seal"] = {"kind": "azure-key-vault", "vault": "corp", "name": "purser-kek"}
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                    "auth": "credential:reader"},
                           "files": {"kind": "mounted-files", "path": str(self.files)}}
        config["credential"]["reader"] = {"kind": "client-secret", "client_id": SECRET_APP,
                                          "vault": "files", "name": "reader"}

    def new(self, **options):
        return self.enterContext(Purser(self.entra, self.sealed, **options))

    def until_ready(self, purser):
        until(lambda: purser.cli("ready").returncode == 0)

    def started(self):
        purser = self.new()
        self.until_ready(purser)
        enrolled.enrol(purser)
        return purser

    def restart(self, purser):
        self.assertEqual(purser.stop(), 0, purser.log())
        purser.start()

    def works(self, purser):
        reply = purser.token(HELPDESK, ["Mail.Read"])
        self.assertEqual(reply.status, 200, f"{reply}\n{purser.log()}")

    def is_sealed(self, purser, says):
        """Nobody is served, and everybody who may know is told why."""
        until(lambda: says in purser.cli("status").stdout)
        self.assertNotEqual(purser.cli("ready").returncode, 0)
        reply = purser.token(HELPDESK, ["Mail.Read"])
        self.assertEqual((reply.status, reply.json()["reason"]), (503, "sealed"), reply)
        doctor = purser.cli("doctor").stdout
        self.assertIn("([seal] kind azure-key-vault) has not opened the store", doctor)
        self.assertIn(says, doctor)
        self.assertIn("[vault.corp]", doctor)

    def uses(self, purser):
        """What the ledger has of the vault's key: (outcome, version, host)."""
        return [(entry["outcome"], entry["credential"].get("version"), entry["target"]["id"])
                for entry in purser.ledger_lines() if entry["type"] == "credential.access"
                and entry["credential"]["name"] == "seal"]

    def verifies(self, purser):
        verified = purser.cli("audit", "verify")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def kill_broker(self, purser):
        for pid in purser.roles().get("purser-broker", []):
            os.kill(pid, signal.SIGKILL)

    def asked(self):
        return self.entra.requests("vault")

    def test_a_restart_unwraps_with_the_version_that_wrapped(self):
        purser = self.started()
        self.works(purser)
        (outcome, first, host), = self.uses(purser)
        self.assertEqual((outcome, host), ("success", "localhost"))
        self.entra.control("POST", "/vault/keys/purser-kek", {"kty": "RSA"})  # rotated there
        self.restart(purser)
        self.until_ready(purser)
        self.works(purser)
        self.assertEqual([use[:2] for use in self.uses(purser)], [("success", first)] * 2)
        self.assertIn("opened the store", purser.cli("doctor").stdout)
        # What the vault unwrapped stands in no file and no log, in none of its forms.
        store = pathlib.Path(purser.config["paths"]["state"], "store", "store.db")
        written = store.read_bytes() + json.dumps(purser.ledger_lines()).encode() + \
            purser.log().encode()
        unwrapped = {secret["value"] for secret in self.entra.secrets()
                     if (secret["kind"], secret["event"]) == ("vault_key", "issued")}
        self.assertEqual(len(unwrapped), 1)
        for text in unwrapped:
            key = base64.urlsafe_b64decode(text + "=")
            for form in (text.encode(), key, key.hex().encode(), base64.b64encode(key)):
                self.assertNotIn(form, written)
        self.verifies(purser)

    def test_a_vault_that_is_down_at_the_start_is_waited_for(self):
        self.entra.fault(**DOWN)
        purser = self.new()
        self.is_sealed(purser, "purser-kek of [vault.corp]: localhost")
        self.entra.clear_faults()
        self.until_ready(purser)  # the first start: a key is wrapped
        enrolled.enrol(purser)
        self.assertEqual(purser.stop(), 0, purser.log())
        self.entra.fault(**DOWN)
        purser.start()
        self.is_sealed(purser, "[vault.corp]: localhost")
        self.entra.clear_faults()
        self.until_ready(purser)  # a later one: it is unwrapped
        self.works(purser)
        self.assertEqual([use[0] for use in self.uses(purser)].count("failure"), 2)
        self.verifies(purser)

    def test_a_broker_that_dies_needs_no_vault(self):
        purser = self.started()
        self.entra.fault(**DOWN)
        asked = self.asked()
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            self.kill_broker(purser)
            agent.wait_for_success(time.monotonic())
        self.assertEqual(self.asked(), asked)

    def test_refusals_say_what_mends_them_and_end_when_it_is_mended(self):
        purser = self.started()

        def roles(*names):
            self.entra.control("POST", f"/vault/roles/{SECRET_APP}", {"roles": list(names)})

        def enabled(on):
            self.entra.control("POST", "/vault/keys/purser-kek", {"enabled": on})

        rows = [("no role", roles, lambda: roles(WRAPPER), WRAPPER),
                ("a disabled key", lambda: enabled(False), lambda: enabled(True), "enable it"),
                ("another key", lambda: self.entra.fault(endpoint="vault", answer={
                    "value": base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")}),
                 self.entra.clear_faults, "another key-encryption key")]
        for why, spoil, mend, says in rows:
            with self.subTest(why):
                spoil()
                self.restart(purser)
                self.is_sealed(purser, says)
                mend()
                done = purser.cli("reload")  # at once; by itself within a minute
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.until_ready(purser)
                self.works(purser)
        self.verifies(purser)

    def test_a_rotation_moves_to_the_newest_version_and_survives_dying_brokers(self):
        purser = self.started()
        first = self.uses(purser)[0][1]
        newest = self.entra.control("POST", "/vault/keys/purser-kek", {"kty": "RSA"})["version"]
        with Agent(purser, HELPDESK, ["Mail.Read"], mint=True) as agent:
            agent.wait_for_success(0)
            for part in range(4):  # a few points of the some tenths of a second that it takes
                asked = self.asked()
                rotation = Program([BIN / "purser", "seal", "rotate"],
                                   env=purser.cli_environment())
                until(lambda: self.asked() > asked or rotation.process.poll() is not None)
                time.sleep(0.02 * part)  # the moment to die at, not a wait
                self.kill_broker(purser)
                rotation.process.wait(60)
                rotation.stop()
                agent.wait_for_success(time.monotonic())
        done = purser.cli("seal", "rotate")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + purser.log())
        self.assertEqual(self.uses(purser)[-1][1], newest)
        self.entra.control("POST", "/vault/keys/purser-kek", {"version": first, "enabled": False})
        self.restart(purser)
        self.until_ready(purser)
        self.works(purser)
        refused = purser.cli("unseal", stdin="correct horse battery staple")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.verifies(purser)

    def test_a_kill_between_wrapping_and_keeping_leaves_a_store_that_starts_anew(self):
        self.entra.fault(endpoint="vault", delay_ms=1500)
        purser = self.new()
        store = pathlib.Path(purser.config["paths"]["state"], "store", "store.db")
        until(lambda: self.asked() == 1)  # it looked at the key, and is about to wrap
        ledger, = purser.roles()["purser-ledger"]
        os.kill(ledger, signal.SIGSTOP)
        until(lambda: self.asked() == 2)  # wrapped: what the broker does next needs the ledger
        self.assertEqual(self.uses(purser), [])
        purser.stop(signal.SIGKILL)
        self.entra.clear_faults()
        self.assertNotIn(b"purser-kek", store.read_bytes() +
                         store.with_name("store.db-wal").read_bytes())
        purser.start()
        self.until_ready(purser)
        enrolled.enrol(purser)
        self.works(purser)
        self.restart(purser)
        self.until_ready(purser)
        self.works(purser)
        self.assertEqual([use[0] for use in self.uses(purser)], ["success"] * 2)
        self.verifies(purser)

    def test_init_says_that_the_keys_come_later(self):
        purser = self.new(start=False)
        self.assertIn("kept", purser.cli("init").stdout)
        shown = json.loads(purser.cli("config", "show", "--json").stdout)
        self.assertEqual(shown["seal"], {"kind": "azure-key-vault", "vault": "corp",
                                         "name": "purser-kek"})
        self.assertIn("whose key opens the store", purser.cli("config", "egress").stdout)


if __name__ == "__main__":
    harness.main()
