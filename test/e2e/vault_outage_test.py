#!/usr/bin/env python3
"""A Key Vault in trouble and a thousand who wait for it: none storms it, and all hear in time."""
import threading
import time
import unittest

import harness
from crowd import crowd
from harness import (CLIENT_SECRET, HELPDESK, SECRET_APP, DevTenant, Purser, default_tenant, rule,
                     until)

# As many at once as purser's own caps let in: agents that hold many have 768 connections between all,
# and such as hold few have eight each. Who is sent away meanwhile comes again when another has left.
MANY, FEW = {f"many-{n}": 190 for n in range(4)}, {f"few-{n}": 8 for n in range(30)}
THOUSAND = MANY | FEW
PAUSE = 5  # FetchPolicy::kFailurePause
RETRY_AFTER = 6


class VaultOutage(unittest.TestCase):
    def setUp(self):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: ["Key Vault Secrets User"]},
                           "secrets": {"app-secret": {"value": CLIENT_SECRET}}}
        self.entra = self.enterContext(DevTenant(tenant))
        self.purser = self.enterContext(Purser(self.entra, self.crowded))
        done = self.purser.cli("secret", "set", "vault-reader", stdin=CLIENT_SECRET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # One of the vault's two credentials has its token already; so has purser for the vault.
        self.assertEqual(self.ask("early").status, 200, self.purser.log())

    def crowded(self, config):
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                    "auth": "credential:vault-reader"}}
        config["credential"]["vault-reader"] = {"kind": "client-secret", "client_id": SECRET_APP}
        for name in ("early", "late"):
            config["credential"][name] = {"kind": "client-secret", "client_id": SECRET_APP,
                                          "vault": "corp", "name": "app-secret",
                                          "scopes": ["User.Read.All"]}
        agent = config["agent"][HELPDESK]
        for name in ["early", *THOUSAND]:
            allow = [rule("read-users", ["User.Read.All"], "early" if name == "early" else "late")]
            config["agent"][name] = dict(agent, allow=allow)

    def ask(self, agent):
        return self.purser.token(agent, ["User.Read.All"])

    def assert_weathered(self, interval):
        """A thousand are refused within their deadline, at the cost of one request an interval; what
        was minted before is served meanwhile; afterwards it is served again."""
        started, before = time.monotonic(), self.entra.requests("vault")
        flowing = threading.Event()
        early = []

        def keep_asking():
            while not flowing.is_set():
                early.append(self.ask("early").status)
        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            answers = crowd(self.purser, THOUSAND) + crowd(self.purser, FEW)
        finally:
            flowing.set()
            asking.join()
        intervals = 1 + int((time.monotonic() - started) / interval)
        self.assertLessEqual(self.entra.requests("vault") - before, intervals)
        self.assertEqual({(answer["reason"], answer["retryable"]) for answer in answers},
                         {("store_unavailable", True)}, self.purser.log())
        self.assertEqual(set(early), {200})
        self.assertRegex(" ".join(self.purser.admin("GET", "/v1/status").json()["degraded"]),
                         "credential late: store_unavailable since 2.*vault: localhost: ")
        refused = self.ask("few-0")
        if refused.status != 200:
            self.assertGreater(int(refused.headers["Retry-After"]), 0)
        self.entra.clear_faults()
        until(lambda: self.ask("few-0").status == 200)
        self.assertEqual(self.purser.admin("GET", "/v1/status").json()["degraded"], [])

    def test_all_who_wait_for_a_slow_vault_cost_one_request(self):
        self.entra.fault(endpoint="vault", delay_ms=3000, count=1)
        before = self.entra.requests("vault")
        answers = crowd(self.purser, THOUSAND)
        self.assertEqual(len({answer["access_token"] for answer in answers}), 1, answers[:3])
        self.assertEqual(self.entra.requests("vault") - before, 1)

    def test_a_vault_that_is_silent_for_longer_than_a_caller_waits(self):
        # Answered they are while the vault still is not: else the crowd would not end in time.
        self.entra.fault(endpoint="vault", delay_ms=30_000)
        self.assert_weathered(PAUSE)

    def test_a_vault_that_throttles(self):
        self.entra.fault(endpoint="vault", status=429, headers={"Retry-After": str(RETRY_AFTER)})
        self.assert_weathered(RETRY_AFTER)

    def test_a_vault_that_fails(self):
        self.entra.fault(endpoint="vault", status=500)
        self.assert_weathered(PAUSE)

    def test_a_vault_that_cannot_be_reached(self):
        self.entra.fault(endpoint="vault", drop="before")
        self.assert_weathered(PAUSE)


if __name__ == "__main__":
    harness.main()
