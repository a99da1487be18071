#!/usr/bin/env python3
"""`purser rotate`: a new secret at Entra, proven, used, the old one removed, whatever dies meanwhile.

PURSER_SEED repeats the moments of the kills (not what they hit), PURSER_KILLS changes how many there
are: rotation_campaign.sh has many.
"""
import json
import os
import random
import signal
import time
import unittest

import harness
from agents import Agent
from dev_tenant import DevTenant, default_tenant, new_certificate
from harness import CERT_APP, CLIENT_SECRET, HELPDESK, Purser, ROBOT, SECRET_APP, WEB_APP, rule, until
from identities import AIDE, BLUEPRINT

SEED = int(os.environ.get("PURSER_SEED", random.SystemRandom().randrange(2**32)))
KILLS = int(os.environ.get("PURSER_KILLS", 2))
ROTATOR = "aaaaaaaa-0000-4000-8000-0000000000f0"
KEEPER = "aaaaaaaa-0000-4000-8000-0000000000f1"  # of the credentials of blueprints
EXTRA = {f"extra{n}": f"aaaaaaaa-0000-4000-8000-0000000000e{n}" for n in range(3)}
# What an agent may be told while the broker is away, and how a connection to it may end.
TROUBLE = {"restarting", "overloaded", "ledger_unavailable", "sealed", "store_unavailable",
           "caller_gone", "upstream_unavailable"}


def tenant():
    """Of each application with a secret but ROTATOR, that one is the owner."""
    made = default_tenant()
    for one in made["registrations"]:
        if one["client_id"] in (SECRET_APP, CERT_APP, WEB_APP):
            one["owners"] = [ROTATOR]
    made["registrations"] += [
        {"client_id": ROTATOR, "name": "rotator", "secrets": ["rotator~secret-0123456789"],
         "application": {"graph": ["Application.ReadWrite.OwnedBy"]}}]
    made["registrations"] += [
        {"client_id": client, "name": name, "secrets": [f"{name}~secret-0123456789"],
         "owners": [ROTATOR], "application": {"graph": ["User.Read.All"]}}
        for name, client in EXTRA.items()]
    made["registrations"] += [
        {"client_id": BLUEPRINT, "name": "blueprint", "secrets": [CLIENT_SECRET]},
        {"client_id": AIDE, "name": "aide", "blueprint": BLUEPRINT,
         "application": {"graph": ["User.Read.All"]}},
        {"client_id": KEEPER, "name": "keeper", "secrets": ["keeper~secret-0123456789"],
         "application": {"graph": ["AgentIdentityBlueprint.AddRemoveCreds.All",
                                   "Application.Read.All"]}}]
    return made


def configure(config):
    credentials = config["credential"]
    credentials["keeper"] = {"kind": "client-secret", "client_id": KEEPER}
    credentials["blueprint"] = {"kind": "client-secret", "client_id": BLUEPRINT,
                                "rotate_with": "keeper"}
    credentials["aide"] = {"kind": "agent-identity", "client_id": AIDE, "proof": "blueprint",
                           "scopes": ["User.Read.All"]}
    config["agent"]["aide"] = dict(config["agent"][HELPDESK],
                                   allow=[rule("read", ["User.Read.All"], "aide")])
    credentials["rotator"] = {"kind": "client-secret", "client_id": ROTATOR}
    credentials["app"]["rotate_with"] = credentials["web"]["rotate_with"] = "rotator"
    for name, client in EXTRA.items():
        credentials[name] = {"kind": "client-secret", "client_id": client,
                             "scopes": ["User.Read.All"], "rotate_with": "rotator"}


class Rotation(unittest.TestCase):
    """One tenant and one purser for all: no test leaves a rotation under way."""

    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant(tenant()))
        cls.entra.settings(device_code_interval_s=1)
        key, certificate = new_certificate(cls.entra.dir)
        cls.entra.registration(CERT_APP, certificates=[certificate.read_text()])
        cls.purser = cls.enterClassContext(Purser(cls.entra, edit=configure))
        secrets = {"app": CLIENT_SECRET, "blueprint": CLIENT_SECRET, "web": CLIENT_SECRET,
                   "cert": key.read_text() + certificate.read_text(),
                   **{name: f"{name}~secret-0123456789" for name in ("rotator", "keeper", *EXTRA)}}
        for name, secret in secrets.items():
            done = cls.purser.cli("secret", "set", name, stdin=secret)
            assert done.returncode == 0, done.stdout + done.stderr

    def rotate(self, *arguments, code=0):
        done = self.purser.cli("rotate", *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr + self.purser.log())
        return done.stdout + done.stderr

    def held(self, client):
        """The key ids of an application."""
        registered = self.entra.registered(client)
        return [one["keyId"] for one in registered["passwords"] + registered["keys"]]

    def rotation(self, name):
        reply = self.purser.admin("GET", f"/v1/credentials/{name}/rotation")
        return reply.json() if reply.status == 200 else {}

    def until_idle(self, name):
        try:
            until(lambda: self.rotation(name).get("step") == "idle")
        except AssertionError as late:
            reply = self.purser.admin("GET", f"/v1/credentials/{name}/rotation")
            raise AssertionError(f"{name}, seed {SEED}: {reply}\n{self.purser.log()}") from late
        return self.rotation(name)

    def entries(self, name):
        return [entry for entry in self.purser.ledger_lines()
                if entry["type"] == "secret.rotated"
                and entry.get("credential", {}).get("name") == name
                and "step" in entry.get("change", {})]

    def mint(self, agent=HELPDESK):
        claims = json.dumps({"access_token": {"nbf": {"value": str(time.monotonic_ns())}}})
        reply = self.purser.token(agent, ["User.Read.All"], claims=claims)
        self.assertEqual(reply.status, 200, f"{reply}{self.purser.log()}")

    def test_a_client_secret_is_replaced_and_the_old_one_goes_after_the_grace_period(self):
        self.entra.settings(propagation_ms=300)  # a first proof that fails
        self.addCleanup(self.entra.settings, propagation_ms=0)
        before = self.held(SECRET_APP)
        plan = self.rotate("app", "--dry-run")
        self.assertIn(before[0], plan)
        self.assertEqual(self.held(SECRET_APP), before)
        shown = self.rotate("app", "--grace", "3s")
        self.assertIn("version 2", shown)
        self.assertIn(before[0], shown)
        both = self.held(SECRET_APP)
        self.assertEqual((len(both), both[0]), (2, before[0]))
        self.mint()
        self.assertIn("under way", self.rotate("app"))
        refused = self.purser.admin("POST", "/v1/credentials/app/rotate", {})
        self.assertEqual((refused.status, refused.json()["reason"]), (409, "conflict"))
        self.assertIn("rotation  app: grace", self.purser.cli("status").stdout)
        self.assertNotIn("failure", self.until_idle("app"))
        self.assertEqual(self.held(SECRET_APP), both[1:])
        self.mint()
        steps = [(entry["change"]["step"], entry["outcome"]) for entry in self.entries("app")]
        self.assertEqual(steps, [("begin", "pending"), ("prove", "pending"), ("switch", "pending"),
                                 ("switch", "success"), ("remove", "success")])
        change = self.entries("app")[-1]["change"]
        self.assertEqual((change["old_key"], change["new_key"], change["new_version"]),
                         (before[0], both[1], "2"))
        shown = json.loads(self.purser.cli("--json", "credentials").stdout)["credentials"]
        ends = next(one for one in shown if one["name"] == "app")["ends"]
        self.assertEqual([(end["what"], end["by"]) for end in ends],
                         [("client-secret", "rotation")])
        secrets = [one["value"] for one in self.entra.secrets() if one["kind"] == "client_secret"]
        text = json.dumps(self.purser.ledger_lines()) + self.purser.log()
        self.assertFalse([secret for secret in secrets if secret in text])
        graph = self.entra.graph.split("://")[1]  # its calls are counted like Entra's
        self.assertIn(f'purser_upstream_requests_total{{host="{graph}",result="2xx"}} ',
                      self.purser.cli("metrics").stdout)

    def test_a_certificate_is_rolled_without_any_permission(self):
        registered = self.entra.registered(CERT_APP)
        refused = self.rotate("cert", code=1)
        self.assertIn("--object-id and --key-id", refused)
        self.assertIn("Application.Read.All", refused)
        old = self.held(CERT_APP)
        self.rotate("cert", "--grace", "0s", "--object-id", registered["object_id"],
                    "--key-id", old[0])
        self.assertNotIn("failure", self.until_idle("cert"))
        new = self.held(CERT_APP)
        self.assertEqual(len(new), 1)
        self.assertNotEqual(new, old)
        self.mint(ROBOT)
        self.rotate("cert", "--grace", "0s")  # now it knows both ids
        self.until_idle("cert")
        self.assertEqual(len(self.held(CERT_APP)), 1)
        self.assertNotEqual(self.held(CERT_APP), new)
        self.mint(ROBOT)

    def test_an_agent_identity_s_blueprint_is_rotated_and_its_agents_notice_nothing(self):
        self.mint("aide")
        self.assertIn("rotate its blueprint, blueprint", self.rotate("aide", code=1))
        before = self.held(BLUEPRINT)
        self.rotate("blueprint", "--grace", "0s")
        self.assertNotIn("failure", self.until_idle("blueprint"))
        self.assertEqual(len(self.held(BLUEPRINT)), 1)
        self.assertNotEqual(self.held(BLUEPRINT), before)
        self.mint("aide")
        steps = [(entry["change"]["step"], entry["outcome"])
                 for entry in self.entries("blueprint")]
        self.assertEqual(steps[-1], ("remove", "success"))

    def test_what_cannot_be_rotated_is_refused_with_a_sentence(self):
        self.assertIn("no credential", self.rotate("nobody", code=1).lower())
        self.assertIn("--grace", self.rotate("app", "--grace", "soon", code=2))
        refused = self.rotate("rotator", code=1)  # owns others, not itself
        self.assertIn("grant", refused)
        self.assertIn("rotator", refused)
        for body in ({"grace": -1}, {"grace": 604801}, {"key_id": "../x"}, {"dry_run": 1},
                     {"unknown": 1}):
            reply = self.purser.admin("POST", "/v1/credentials/app/rotate", body)
            self.assertEqual(reply.status, 400, f"{body} {reply}")
        self.assertEqual(len(self.held(SECRET_APP)), 1)

    def test_a_refresh_token_is_rotated_by_redeeming_it(self):
        self.assertIn("not_enrolled", self.rotate("mail", code=1))
        self.purser.log_in("mail")
        self.assertIn("version 2", self.rotate("mail"))

    def test_a_confidential_client_s_secret_is_rotated_beside_its_refresh_token(self):
        self.purser.log_in("web")
        before = self.held(WEB_APP)
        self.assertIn("version 2", self.rotate("web"))  # the refresh token
        self.assertEqual(self.held(WEB_APP), before)
        self.rotate("web", "--client-secret", "--grace", "0s")
        self.assertNotIn("failure", self.until_idle("web"))
        self.assertEqual(len(self.held(WEB_APP)), 1)
        self.assertNotEqual(self.held(WEB_APP), before)
        self.rotate("web")  # redeemed with the new secret
        self.assertIn("client_auth", self.rotate("mail", "--client-secret", code=1))

    def kill_broker(self):
        for pid in self.purser.roles().get("purser-broker", []):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def test_the_broker_dies_at_many_moments_and_each_application_keeps_exactly_one(self):
        choices = random.Random(SEED)
        # Of what may not be read a lost answer is looked for by trying, for minutes.
        self.purser.edit = lambda config: (
            configure(config), config["credential"]["cert"].update(rotate_with="rotator"))
        self.purser.write_config()
        self.assertEqual(self.purser.cli("reload").returncode, 0)
        targets = {"app": SECRET_APP, **EXTRA, "cert": CERT_APP}
        before = {name: self.held(client) for name, client in targets.items()}
        agents = [self.enterContext(Agent(self.purser, HELPDESK, ["User.Read.All"], mint=True)),
                  self.enterContext(Agent(self.purser, ROBOT, ["User.Read.All"], mint=True))]
        asked = list(targets)
        for kill in range(KILLS):
            # One more begins in each round, so that each kill meets some in every step.
            if asked:
                name = asked.pop()
                until(lambda: self.purser.admin(
                    "POST", f"/v1/credentials/{name}/rotate",
                    {"grace": 1}).status in (200, 409))
            time.sleep(choices.uniform(0, 0.9))  # a random point of what goes on, not a wait
            self.kill_broker()
            after = time.monotonic()
            for agent in agents:
                agent.wait_for_success(after)
        for name, client in targets.items():
            if name in asked:
                continue
            ended = self.until_idle(name)
            self.assertNotIn("failure", ended, f"seed {SEED}")
            now = self.held(client)
            self.assertEqual(len(now), 1, f"{name}, seed {SEED}: {ended}")
            self.assertNotEqual(now, before[name], f"{name}, seed {SEED}")
        after = time.monotonic()
        for agent in agents:
            agent.wait_for_success(after)
            for answer in agent.answers():
                if answer["status"] not in (None, 200):
                    self.assertIn(answer["reason"], TROUBLE, f"{answer} seed {SEED}")


if __name__ == "__main__":
    harness.main()
