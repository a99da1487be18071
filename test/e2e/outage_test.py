#!/usr/bin/env python3
"""Entra or a Key Vault is slow, fails or throttles: what is valid flows on, and nobody storms them."""
import unittest

import harness
from crowd import answers_of, crowd, start_crowd
from harness import (CLIENT_SECRET, HELPDESK, SECRET_APP, DevTenant, Purser, default_tenant, rule,
                     until)

AGENTS = 4
# Of agents that hold many each purser lets in 768 at a time; the others come again when one has left.
CALLERS = 1000


class Outage(unittest.TestCase):
    """A tenant and a purserd for each test: what is remembered of an outage is the matter."""

    def setUp(self):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: ["Key Vault Secrets User"]},
                           "secrets": {"app-secret": {"value": CLIENT_SECRET}}}
        self.entra = self.enterContext(DevTenant(tenant))
        self.purser = self.enterContext(Purser(self.entra, self.crowded))
        for credential in ("app", "vault-reader"):
            done = self.purser.cli("secret", "set", credential, stdin=CLIENT_SECRET)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def crowded(self, config):
        """Two crowds of agents: one whose secret is in the store, one whose secret is in a vault."""
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                    "auth": "credential:vault-reader"}}
        config["credential"]["vault-reader"] = {"kind": "client-secret", "client_id": SECRET_APP}
        config["credential"]["vaulted"] = {
            "kind": "client-secret", "client_id": SECRET_APP, "vault": "corp",
            "name": "app-secret", "scopes": ["User.Read.All"]}
        agent = config["agent"][HELPDESK]
        for number in range(AGENTS):
            for credential in ("app", "vaulted"):
                allow = [rule("read-users", ["User.Read.All"], credential)]
                config["agent"][f"{credential}-{number}"] = dict(agent, allow=allow)

    def crowd(self, credential, callers=CALLERS):
        """The answers to so many who ask at once."""
        few, more = divmod(callers, AGENTS)
        return crowd(self.purser, {f"{credential}-{number}": few + (number < more)
                                   for number in range(AGENTS) if few + (number < more)})

    def requests(self):
        return {endpoint: self.entra.requests(endpoint) for endpoint in ("token", "vault")}

    def cost(self, before):
        return {endpoint: count - before[endpoint] for endpoint, count in self.requests().items()}

    def assert_all_granted(self, answers):
        refused = [answer for answer in answers if "access_token" not in answer]
        self.assertEqual(refused, [], self.purser.log())
        self.assertEqual(len({answer["access_token"] for answer in answers}), 1)

    def assert_all_refused(self, answers, *reasons):
        self.assertLessEqual({answer.get("reason") for answer in answers}, set(reasons))
        self.assertTrue(all(answer["retryable"] for answer in answers))

    def degraded(self):
        reply = self.purser.admin("GET", "/v1/status")
        return reply.json()["degraded"]

    def test_all_who_wait_for_a_slow_entra_cost_one_request(self):
        self.entra.fault(delay_ms=2000, count=1)
        before = self.requests()
        self.assert_all_granted(self.crowd("app"))
        self.assertEqual(self.cost(before), {"token": 1, "vault": 0})

    def test_all_who_wait_for_a_slow_vault_cost_one_reading(self):
        self.assert_all_granted(self.crowd("vaulted", 4))  # the vault's own token is there now
        self.assertEqual(self.purser.cli("reload").returncode, 0)
        before = self.requests()
        self.entra.fault(endpoint="vault", delay_ms=2000, count=1)
        self.assert_all_granted(self.crowd("vaulted"))
        cost = self.cost(before)
        self.assertLessEqual(cost["vault"], 2, cost)  # with the challenge that names the authority
        self.assertLessEqual(cost["token"], 2, cost)  # with the vault's own

    def test_agents_with_claims_of_their_own_leave_the_way_to_a_slow_entra_to_others(self):
        self.assert_all_granted(self.crowd("app", 1))
        self.entra.fault(delay_ms=4000)
        before = self.requests()["token"]
        greedy = start_crowd(self.purser, {"app-0": 200, "app-1": 200}, "claims")
        self.addCleanup(greedy.stop)
        until(lambda: self.requests()["token"] - before >= 60)
        self.assert_all_granted(self.crowd("vaulted", 4))
        answers = answers_of(greedy)
        self.assertEqual(len(answers), 400)
        refused = {answer.get("reason") for answer in answers} - {None}
        self.assertEqual(refused, {"overloaded"}, self.purser.log())
        self.assertEqual(self.degraded(), [])

    def test_an_entra_that_fails_is_asked_a_few_times_and_then_left_alone(self):
        self.entra.fault(status=503, code=90033, delay_ms=200)
        before = self.requests()
        self.assert_all_refused(self.crowd("app"), "upstream_unavailable")
        self.assertLessEqual(self.cost(before)["token"], 10)  # five failures, each tried twice
        for _ in range(6):
            self.crowd("app", 1)
        before = self.requests()
        self.assert_all_refused(self.crowd("app"), "upstream_unavailable")
        self.assertEqual(self.cost(before)["token"], 0)
        self.assertRegex(" ".join(self.degraded()), "credential app: upstream_unavailable since 2")

    def test_an_entra_that_cannot_be_reached_is_left_alone_likewise(self):
        self.entra.fault(drop="before")
        before = self.requests()
        self.assert_all_refused(self.crowd("app"), "upstream_unavailable")
        for _ in range(6):
            self.crowd("app", 1)
        self.assertLessEqual(self.cost(before)["token"], 10)
        self.assertRegex(" ".join(self.degraded()), "credential app: upstream_unavailable since 2")

    def test_a_throttling_entra_is_asked_once(self):
        self.entra.fault(status=429, code=90055, headers={"Retry-After": "60"}, delay_ms=500)
        before = self.requests()
        self.assert_all_refused(self.crowd("app"), "upstream_throttled")
        self.assert_all_refused(self.crowd("app"), "upstream_throttled")
        self.assertEqual(self.cost(before)["token"], 1)
        self.assertRegex(" ".join(self.degraded()), "credential app: upstream_throttled since 2")

    def test_what_is_valid_flows_on_while_both_are_down(self):
        self.assert_all_granted(self.crowd("app", 1))
        self.assert_all_granted(self.crowd("vaulted", 1))
        self.entra.fault(endpoint="any", drop="before")
        before = self.requests()
        self.assert_all_granted(self.crowd("app"))
        self.assert_all_granted(self.crowd("vaulted"))
        self.assertEqual(self.cost(before), {"token": 0, "vault": 0})


if __name__ == "__main__":
    harness.main()
