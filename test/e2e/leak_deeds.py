"""Everything that purser does with secrets, failures included, with canaries for all of them."""
import json
import os
import pathlib
import resource
import secrets
import tempfile
import unittest

import browser
import harness
import mounts
from harness import (BROAD, CERT_APP, HELPDESK, IS_ROOT, JO, MAIL_APP, ROBOT, SAM, SECRET_APP,
                     DevTenant, Purser, default_tenant, new_certificate, until)
from leak_agent import Agent
from new_files import NewFiles
from oauth import new_claims

KEYS_OF = {HELPDESK: ["Mail.Read", "User.Read.All"], ROBOT: ["User.Read.All", "Mail.Read"]}
FORM = "application/x-www-form-urlencoded"


def new_secret(separator="~/. "):
    """A canary that differs from that of every other run, and that encodings change."""
    return secrets.token_urlsafe(20) + separator + secrets.token_urlsafe(20)


CLIENT_SECRET = new_secret("~/.")


@unittest.skipUnless(IS_ROOT, "reading other processes' memory needs root")
class Deeds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.key, certificate = new_certificate(cls.folder)
        cls.bundle = cls.key.read_text() + certificate.read_text()
        cls.certificate = certificate.read_text()
        # Core files are as welcome as the kernel lets them be: only purser forbids its own.
        limit = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_CORE, limit)

    def setUp(self):
        self.new_files = NewFiles()
        # Where everybody may write: a role whose core had no place would leave none anyway.
        self.cores = self.enterContext(tempfile.TemporaryDirectory())
        os.chmod(self.cores, 0o777)
        self.entra = self.enterContext(self.new_tenant())
        self.entra.settings(device_code_interval_s=1)
        self.entra.registration(CERT_APP, certificates=[self.certificate])
        self.purser = self.new_purser()
        self.purser.working_folder = self.cores
        self.enterContext(self.purser)
        self.agent = Agent(self.purser.agent_uid)
        self.addCleanup(self.agent.stop)
        self.keys = []          # (kind, bytes) of whatever was typed, beside the client secret
        self.refusals = []      # what agents were told
        self.said = []          # what operators' commands printed

    def new_tenant(self):
        tenant = default_tenant()
        for registration in tenant["registrations"]:
            if "secrets" in registration:
                registration["secrets"] = [CLIENT_SECRET]
        return DevTenant(tenant)

    def new_purser(self):
        return Purser(self.entra)

    def keep_key_file(self):
        text = pathlib.Path(self.purser.config["seal"]["path"]).read_text().strip()
        self.keys += [("key-encryption key", bytes.fromhex(text)), ("key file", text)]

    def typed(self, kind, value):
        self.keys.append((kind, value))
        return value

    # Operators.
    def command(self, *arguments, stdin=None, status=0):
        done = self.purser.cli(*arguments, stdin=stdin)
        self.said.append(done.stdout + done.stderr)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr + self.purser.log())

    def log_in(self, credential, status=0, **person):
        done = self.purser.log_in(credential, **person)
        self.said.append(done.stdout)
        self.assertEqual(done.returncode, status, done.stdout + self.purser.log())

    def log_in_by_browser(self, credential, status=0, **how):
        done = browser.log_in(self.purser, credential, **how)
        self.said.append(done.stdout)
        self.assertEqual(done.returncode, status, done.stdout + self.purser.log())

    def enrol_secrets(self):
        self.command("secret", "set", "app", stdin=CLIENT_SECRET)
        self.command("secret", "set", "cert", stdin=self.bundle)
        self.command("secret", "set", "web", stdin=CLIENT_SECRET)

    def enrol(self):
        self.enrol_secrets()
        for credential in ("mail", "broad", "web"):
            self.log_in(credential)

    # Agents.
    def ask(self, agent, body, method="POST", target="/v1/token", **kind):
        text = body if isinstance(body, str) else json.dumps(body)
        status, answer = self.agent.ask(self.purser.agent_socket(agent), method, target, text,
                                        **kind)
        if status != 200:
            self.refusals.append(answer)
        return status, answer

    def mint(self, agent, scope):
        return self.ask(agent, {"scopes": [scope], "claims": new_claims()})

    def granted(self, outcome):
        self.assertEqual(outcome[0], 200, f"{outcome[1]}\n{self.purser.log()}")

    def refused(self, outcome, status, reason):
        self.assertEqual((outcome[0], json.loads(outcome[1])["reason"]), (status, reason),
                         f"{outcome[1]}\n{self.purser.log()}")

    def mint_all(self):
        for agent, scopes in KEYS_OF.items():
            for scope in scopes:
                form = f"grant_type=client_credentials&scope={scope}"
                self.granted(self.mint(agent, scope))                # rotates a refresh token
                self.granted(self.ask(agent, {"scopes": [scope]}))   # minted or cached
                self.granted(self.ask(agent, {"scopes": [scope]}))   # cached
                self.granted(self.ask(agent, form, kind=FORM))

    def mint_once_more(self):
        """With whatever outcome: some tests have no such agent, or broke its credential."""
        if HELPDESK in self.purser.config["agent"]:
            self.mint(HELPDESK, "Mail.Read")

    # What goes wrong.
    def fail_in_every_way(self):
        self.fail_upstream()
        self.fail_by_credential()
        self.fail_by_request()

    def fail_upstream(self):
        for fault in ({"status": 500}, {"status": 503, "code": 90033}, {"drop": "before"},
                      {"drop": "middle"}, {"body": "invalid_json"}, {"body": "truncated"},
                      {"body": "duplicate_key"},
                      {"claims": {"aud": "https://elsewhere.example"}},
                      {"extra_scopes": ["Directory.ReadWrite.All"]},
                      {"answer": {"token_type": "pop"}}, {"answer": {"expires_in": "soon"}},
                      {"status": 429, "code": 90055, "headers": {"Retry-After": "60"}},
                      {"tls": "close"}, {"tls": "wrong_ca"}, {"tls": "wrong_name"},
                      {"tls": "expired"}):
            if "tls" in fault:  # is of new connections: ends the one that is kept
                self.entra.fault(drop="before")
                self.assertNotEqual(self.mint(HELPDESK, "Mail.Read")[0], 200, fault)
                self.entra.clear_faults()
            self.entra.fault(**fault)
            for agent, scopes in KEYS_OF.items():
                for scope in scopes:
                    self.assertNotEqual(self.mint(agent, scope)[0], 200, fault)
            self.entra.clear_faults()
            self.enrol_secrets()  # closes the breakers
            self.log_in("mail")

    def fail_by_credential(self):
        wrong = self.typed("a client secret that is wrong", new_secret("~/."))
        self.command("secret", "set", "app", stdin=wrong)
        self.refused(self.mint(HELPDESK, "User.Read.All"), 403, "credential_rejected")
        self.command("secret", "set", "app", stdin=CLIENT_SECRET)
        self.entra.registration(SECRET_APP, secrets=[wrong])  # withdrawn in Entra
        self.refused(self.mint(HELPDESK, "User.Read.All"), 403, "credential_rejected")
        self.entra.registration(SECRET_APP, secrets=[CLIENT_SECRET])
        self.command("secret", "set", "app", stdin=CLIENT_SECRET)
        self.granted(self.mint(HELPDESK, "User.Read.All"))
        self.command("secret", "set", "cert", stdin=self.typed("no certificate", new_secret()),
                     status=1)
        self.log_in("mail", action="decline", status=1)
        self.log_in("mail", user=SAM, status=1)  # somebody else's refresh token
        self.entra.revoke(user=JO, client_id=MAIL_APP, code=50173)
        self.refused(self.mint(HELPDESK, "Mail.Read"), 403, "login_required")
        self.refused(self.mint(HELPDESK, "Mail.Read"), 403, "login_required")  # and remembered
        self.log_in("mail")
        self.granted(self.mint(HELPDESK, "Mail.Read"))

    def fail_by_request(self):
        self.refused(self.ask(BROAD, {"scopes": ["Mail.Read"]}), 403, "over_scoped")
        self.refused(self.ask(HELPDESK, {"scopes": ["Mail.Send"]}), 403, "no_rule")
        sent = self.typed("a client secret that an agent sent", new_secret("-_-"))
        form = "grant_type=client_credentials&scope=Mail.Read"
        for wrong in ("{", '{"scopes":["Mail.Read"],"scopes":[]}', '{"unknown":1}', "[]",
                      f'{{"scopes":["Mail.Read"],"client_secret":"{sent}"}}', f'"{sent}'):
            self.assertEqual(self.ask(HELPDESK, wrong)[0], 400)
        for wrong in (f"{form}&client_secret={sent}", f"{form}&{sent}", "grant_type=password",
                      f"{form}&scope=Mail.Read"):
            self.assertEqual(self.ask(HELPDESK, wrong, kind=FORM)[0], 400)
        self.assertEqual(self.ask(HELPDESK, "", "GET", "/nowhere")[0], 404)
        self.ask(HELPDESK, "", "GET", "/v1/whoami")
        self.ask(HELPDESK, "", "GET", "/v1/audit")

    def latch_the_ledger(self):
        [segment] = pathlib.Path(self.purser.config["paths"]["state"], "ledger").glob("*.jsonl")
        aside = segment.with_name("aside")
        segment.rename(aside)
        self.refused(self.mint(HELPDESK, "Mail.Read"), 503, "ledger_unavailable")
        aside.rename(segment)
        self.command("ledger", "resume")
        self.granted(self.mint(HELPDESK, "Mail.Read"))

    def make_the_ledger_read_only(self):
        """Where this process may mount: at a start, since a file open for writing forbids it."""
        if mounts.why_none():
            return
        self.purser.stop()
        folder = mounts.give_ledger_a_disk(self.purser)
        self.addCleanup(mounts.unmount, folder)
        self.addCleanup(self.purser.stop)
        mounts.mount(folder, mounts.MS_REMOUNT | mounts.MS_RDONLY)
        self.purser.start()
        self.assertEqual(self.mint(HELPDESK, "Mail.Read")[0], 503)
        mounts.mount(folder, mounts.MS_REMOUNT)
        self.command("ledger", "resume")
        until(lambda: self.purser.cli("ready").returncode == 0)  # the key is asked for anew
        self.granted(self.mint(HELPDESK, "Mail.Read"))

    def end_the_broker(self, how):
        """Ends it like a crash, and waits until its successor, unsealed again, serves."""
        [broker] = self.purser.roles()["purser-broker"]
        os.kill(broker, how)
        until(lambda: self.purser.roles().get("purser-broker", [broker]) != [broker]
              and self.ask(HELPDESK, "", "GET", "/readyz")[0] == 200)
