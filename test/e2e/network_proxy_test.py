#!/usr/bin/env python3
"""purser behind a corporate proxy that inspects TLS: mitmproxy, which none of us wrote."""
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import unittest

import harness
from harness import (CLIENT_SECRET, HELPDESK, SECRET_APP, DevTenant, Program, Purser, default_tenant,
                     rule, until)

PASSWORD = "Proxy-password-0123456789"
OUTAGE = 5  # UpstreamGuard::kFailuresToOpen


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Proxy:
    """An HTTP proxy on a port of its own, which can be stopped and come back as another."""

    def __init__(self, upstream_ca):
        self.port, self.program = free_port(), None
        self.upstream_ca = upstream_ca

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="proxy-"))
        self.ca_file = self.dir / "mitmproxy-ca-cert.pem"
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *options):
        self.stop()
        self.program = Program(
            ["mitmdump", "--listen-host", "127.0.0.1", "--listen-port", self.port,
             "--set", f"confdir={self.dir}", "--set", "flow_detail=1",
             "--set", f"ssl_verify_upstream_trusted_ca={self.upstream_ca}", *options], cwd="/",
            env={"PATH": os.environ["PATH"], "HOME": str(self.dir), "PYTHONUNBUFFERED": "1"})
        until(self.answers)

    def answers(self):
        assert self.program.process.poll() is None, self.program.log()
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.program:
            self.program.process.send_signal(signal.SIGCONT)
            self.program.stop()
        self.program = None

    def hold(self):
        """It still accepts, and says nothing any more."""
        self.program.process.send_signal(signal.SIGSTOP)


@unittest.skipUnless(shutil.which("mitmdump"), "needs mitmproxy")
class Proxied(unittest.TestCase):
    """Each test has a purserd of its own: what it remembers of an outage is the matter."""

    def setUp(self):
        tenant = default_tenant()
        tenant["vault"] = {"roles": {SECRET_APP: ["Key Vault Secrets User"]},
                           "secrets": {"app-secret": {"value": CLIENT_SECRET}}}
        self.entra = self.enterContext(DevTenant(tenant))
        self.proxy = self.enterContext(Proxy(self.entra.ca_file))
        self.proxy.start()
        until(self.proxy.ca_file.exists)

    def start(self, ca_file):
        self.ca_file = ca_file
        self.purser = self.enterContext(Purser(self.entra, self.behind_the_proxy))
        for credential in ("app", "vault-reader"):
            done = self.purser.cli("secret", "set", credential, stdin=CLIENT_SECRET)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def behind_the_proxy(self, config):
        config["network"] = {"ca_file": str(self.ca_file),
                             "proxy": f"http://127.0.0.1:{self.proxy.port}"}
        config["tenant"]["vault_suffix"] = "vault.azure.net"
        config["vault"] = {"corp": {"kind": "azure-key-vault", "url": self.entra.vault,
                                    "auth": "credential:vault-reader"}}
        config["credential"]["vault-reader"] = {"kind": "client-secret", "client_id": SECRET_APP}
        config["credential"]["vaulted"] = {
            "kind": "client-secret", "client_id": SECRET_APP, "vault": "corp",
            "name": "app-secret", "scopes": ["User.Read.All"]}
        agent = config["agent"][HELPDESK]
        for name in ("app", "vaulted"):
            config["agent"][name] = dict(agent, allow=[rule("read", ["User.Read.All"], name)])

    def ask(self, agent):
        return self.purser.token(agent, ["User.Read.All"])

    def assert_refused(self, agent, reason, advice):
        """A typed refusal that may pass; operators alone hear what is wrong with the way there."""
        answer = self.ask(agent).json()
        self.assertEqual((answer.get("reason"), answer.get("retryable")), (reason, True),
                         f"{answer}\n{self.purser.log()}")
        self.assertNotIn("proxy", answer["error_description"])
        self.assertIn(advice, self.purser.log())

    def assert_degraded(self, advice):
        """After as many failures as make an outage, it says so, and why."""
        for _ in range(OUTAGE):
            self.ask("app")
        self.ask("vaulted")
        told = self.purser.admin("GET", "/v1/status").json()["degraded"]
        for credential in ("app", "vaulted"):
            self.assertTrue(any(line.startswith(f"credential {credential}: ") and advice in line
                                for line in told), f"{told}\n{self.purser.log()}")

    def assert_serves(self):
        for agent in ("app", "vaulted"):
            until(lambda agent=agent: self.ask(agent).status == 200)

    def test_tokens_are_minted_and_secrets_fetched_through_a_proxy_that_inspects(self):
        self.start(self.proxy.ca_file)
        for agent in ("app", "vaulted"):
            reply = self.ask(agent)
            self.assertEqual(reply.status, 200, f"{reply}\n{self.purser.log()}")
        seen = until(lambda: "/secrets/app-secret" in self.proxy.program.log()) and \
            self.proxy.program.log()
        self.assertIn(f"POST {self.entra.authority}/", seen)  # it did look inside

    def test_without_the_proxys_authority_nothing_is_sent_and_the_operator_is_told_what_is_missing(self):
        self.start(self.entra.ca_file)
        before = self.entra.requests("token")
        self.assert_refused("app", "upstream_unavailable", "[network] ca_file")
        self.assert_refused("vaulted", "store_unavailable", "[network] ca_file")
        self.assert_degraded("[network] ca_file")
        self.assertEqual(self.entra.requests("token"), before)
        found = self.purser.cli("doctor").stdout
        self.assertIn("[network] ca_file", found)

    def test_a_proxy_that_is_down_is_named_and_service_resumes_without_a_restart(self):
        self.start(self.proxy.ca_file)
        self.proxy.stop()
        self.assert_refused("vaulted", "store_unavailable", "[network] proxy cannot be reached")
        self.assert_refused("app", "upstream_unavailable", "[network] proxy cannot be reached")
        self.assert_degraded("[network] proxy cannot be reached")
        self.proxy.start()
        self.assert_serves()

    def test_a_proxy_that_wants_a_password_is_named_and_service_resumes_without_a_restart(self):
        self.start(self.proxy.ca_file)
        self.proxy.start("--set", f"proxyauth=purser:{PASSWORD}")
        self.assert_refused("vaulted", "store_unavailable", "purser gives no password")
        self.assert_refused("app", "upstream_unavailable", "purser gives no password")
        self.assert_degraded("purser gives no password")
        self.proxy.start()
        self.assert_serves()

    def test_a_proxy_that_says_nothing_is_named_and_what_is_valid_flows_on(self):
        self.start(self.proxy.ca_file)
        self.assertEqual(self.ask("app").status, 200, self.purser.log())
        self.proxy.hold()
        self.assert_refused("vaulted", "store_unavailable", "[network] proxy cannot be reached")
        told = " ".join(self.purser.admin("GET", "/v1/status").json()["degraded"])
        self.assertIn("credential vaulted: store_unavailable since ", told)
        self.assertIn("[network] proxy cannot be reached, or gives no answer", told)
        self.assertEqual(self.ask("app").status, 200)
        self.proxy.start()
        self.assert_serves()


if __name__ == "__main__":
    harness.main()
