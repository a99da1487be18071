#!/usr/bin/env python3
"""Metrics as Prometheus reads them, by its own client's parser."""
import collections
import grp
import http.client
import os
import pathlib
import stat
import tempfile
import unittest

import clients
import harness
from harness import (AGENT_UID, BIN, CLIENT_SECRET, HELPDESK, IS_ROOT, JO, OTHER_UID, DevTenant, Purser)

clients.install_python()
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

DONE, REFUSED, UNREACHABLE = 0, 1, 4
AUDITORS = "adm"  # a group of every Debian; nobody's here


def with_auditors(config):
    config.setdefault("admin", {})["auditors"] = [f"group:{AUDITORS}"]


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())
        cls.purser = cls.enterClassContext(Purser(cls.entra, edit=with_auditors))
        for credential in ("app",):
            done = cls.purser.cli("secret", "set", credential, stdin=CLIENT_SECRET)
            assert done.returncode == DONE, done.stderr
        assert cls.purser.log_in("mail").returncode == DONE

    def text(self):
        done = self.purser.cli("metrics")
        self.assertEqual(done.returncode, DONE, done.stderr)
        return done.stdout

    def samples(self, text=None):
        """{(name, labels): value}, after what promtool would complain of."""
        text = self.text() if text is None else text
        self.assertTrue(text.endswith("\n"))
        found, names = {}, collections.Counter()
        for family in text_string_to_metric_families(text):
            names[family.name] += 1
            self.assertTrue(family.documentation.endswith("."), family.name)
            self.assertIn(family.type, ("counter", "gauge", "histogram"), family.name)
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                self.assertNotIn(key, found)
                found[key] = sample.value
                if family.type == "counter":
                    self.assertTrue(sample.name.endswith("_total"), sample.name)
                if family.type == "histogram":
                    self.assertTrue(family.name.endswith("_seconds"), family.name)
        self.assertEqual({name: count for name, count in names.items() if count != 1}, {})
        self.check_histograms(found)
        return found

    def check_histograms(self, found):
        buckets = collections.defaultdict(list)
        for (name, labels), value in found.items():
            if name.endswith("_bucket"):
                rest = tuple(label for label in labels if label[0] != "le")
                buckets[name.removesuffix("_bucket"), rest].append(
                    (float(dict(labels)["le"]), value))
        self.assertTrue(buckets)
        for (name, labels), counts in buckets.items():
            values = [value for _, value in sorted(counts)]
            self.assertEqual(values, sorted(values), name)
            self.assertEqual(values[-1], found[name + "_count", labels])
            self.assertEqual(max(counts)[0], float("inf"))

    def of(self, found, name, **labels):
        return found.get((name, tuple(sorted(labels.items()))))

    def test_counts_go_up_by_what_was_done(self):
        before = self.samples()
        for _ in range(3):
            self.assertEqual(self.purser.token(HELPDESK, ["User.Read.All"]).status, 200)
        self.assertEqual(self.purser.token(HELPDESK, ["Mail.Send"]).status, 403)
        after = self.samples()

        def rise(name, **labels):
            return self.of(after, name, **labels) - (self.of(before, name, **labels) or 0)

        issued = "purser_tokens_issued_total"
        self.assertEqual(rise(issued, agent=HELPDESK, source="cache")
                         + rise(issued, agent=HELPDESK, source="mint"), 3)
        self.assertGreaterEqual(rise(issued, agent=HELPDESK, source="cache"), 2)
        self.assertEqual(rise("purser_requests_denied_total", agent=HELPDESK, reason="no_rule"), 1)
        self.assertEqual(self.of(after, "purser_tokens_minted_total", credential="app"), 1)
        self.assertEqual(self.of(after, "purser_tokens_minted_total", credential="cert"), 0)
        self.assertGreaterEqual(rise("purser_ledger_append_duration_seconds_count"), 4)
        host = self.entra.authority.split("://")[1]
        self.assertGreater(self.of(after, "purser_upstream_requests_total", host=host,
                                   result="2xx"), 0)
        self.assertGreaterEqual(self.of(after, "purser_tokens_outstanding", agent=HELPDESK), 1)

    def test_the_ledgers_time_is_of_all_entries_that_the_broker_writes(self):
        appended = "purser_ledger_append_duration_seconds_count"
        for words, entries in ((["kill", HELPDESK, "--why", "test"], 1),
                               (["release", HELPDESK, "--why", "test"], 1),
                               (["reload"], 2),  # before and after it
                               (["secret", "set", "app"], 4)):  # the store's own two, too
            with self.subTest(words):
                before = self.of(self.samples(), appended)
                done = self.purser.cli(*words, stdin=CLIENT_SECRET)
                self.assertEqual(done.returncode, DONE, done.stderr)
                self.assertGreaterEqual(self.of(self.samples(), appended) - before, entries)
        self.assertEqual(self.of(self.samples(), "purser_ledger_append_failures_total"), 0)

    def test_states_are_shown(self):
        found = self.samples()
        self.assertEqual(self.of(found, "purser_ready"), 1)
        self.assertEqual(self.of(found, "purser_ledger_latched"), 0)
        self.assertGreater(self.of(found, "purser_ledger_entries_total"), 0)
        self.assertEqual(self.of(found, "purser_agent_stopped", agent=HELPDESK), 0)
        for role in ("supervisor", "ledger", "dialer", "broker"):
            self.assertEqual(self.of(found, "purser_role_up", role=role, agent=""), 1)
            self.assertEqual(self.of(found, "purser_role_restarts_total", role=role, agent=""), 0)
            self.assertGreater(self.of(found, "purser_role_start_time_seconds", role=role,
                                       agent=""), 1.7e9)
        ends = self.of(found, "purser_credential_expiry_timestamp_seconds", credential="mail",
                       what="refresh-token")
        self.assertGreater(ends, 1.7e9)

    def test_nothing_of_a_person_a_scope_or_a_caller_is_in_them(self):
        self.purser.token(HELPDESK, ["Mail.Read"], context={"purpose": "look-for-this"})
        self.purser.token(HELPDESK, ["Secret.Scope"])
        text = self.text()
        for word in (JO, "look-for-this", "Secret.Scope", "Mail.Read", CLIENT_SECRET,
                     self.entra.tenant_id, "eyJ"):
            self.assertNotIn(word, text)

    def test_the_file_is_replaced_whole_and_readable_by_a_collector(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "purser.prom"
            path.write_text("old")
            done = self.purser.cli("metrics", "--out", str(path))
            self.assertEqual((done.returncode, done.stdout), (DONE, ""), done.stderr)
            self.samples(path.read_text())
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
            self.assertEqual(os.listdir(folder), [path.name])
            done = self.purser.cli("metrics", "--out", f"{folder}/none/purser.prom")
            self.assertEqual(done.returncode, REFUSED)
            self.assertIn("cannot", done.stderr)
            gone = self.purser.cli("--admin-socket", "/nonexistent", "metrics", "--out", str(path))
            self.assertEqual(gone.returncode, UNREACHABLE)
            self.samples(path.read_text())  # the last ones stay, with their age

    def test_it_is_text_for_auditors_and_no_route_of_agents(self):
        reply = self.purser.admin("GET", "/metrics")
        self.assertEqual((reply.status, reply.headers["Content-Type"]),
                         (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual(self.purser.admin("POST", "/metrics").status, 405)
        self.assertEqual(self.purser.request(HELPDESK, "GET", "/metrics").status, 404)

    @unittest.skipUnless(IS_ROOT, "needs users of other groups")
    def test_roles(self):
        auditor = grp.getgrnam(AUDITORS).gr_gid
        self.assertEqual(self.purser.cli("metrics", uid=OTHER_UID, gid=auditor).returncode, DONE)
        for uid in (OTHER_UID, AGENT_UID):
            self.assertNotEqual(self.purser.cli("metrics", uid=uid).returncode, DONE)


class Listening(Metrics):
    """The same, read from `purser metrics --listen`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        program = harness.Program([BIN / "purser", "metrics", "--listen", "127.0.0.1:0"],
                                  env=cls.purser.cli_environment())
        cls.addClassCleanup(program.stop)
        line = program.wait_for_line(lambda line: line.startswith("listening on port "))
        cls.port = int(line.split()[-1])

    def get(self, path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=headers)
        return connection.getresponse()

    def text(self):
        """Once the last look is no longer fresh."""
        marked = self.purser.cli("metrics").stdout
        entries = [line for line in marked.splitlines() if "ledger_entries_total " in line][-1]
        def later():
            answer = self.get()
            self.assertEqual(answer.status, 200)
            body = answer.read().decode()
            return body if entries in body else None
        return harness.until(later)

    def test_it_serves_nothing_else(self):
        for path, method, headers, status in (
                ("/", "GET", {}, 404), ("/v1/status", "GET", {}, 404),
                ("/v1/kill", "POST", {}, 405), ("/metrics", "DELETE", {}, 405),
                ("/metrics", "GET", {"Host": "evil.example"}, 421)):
            with self.subTest(path=path, method=method):
                self.assertEqual(self.get(path, method, **headers).status, status)

    def test_only_loopback_and_only_for_auditors(self):
        for address in ("0.0.0.0:0", "[::]:0", "10.0.0.1:9464", "9464"):
            with self.subTest(address):
                self.assertEqual(self.purser.cli("metrics", "--listen", address).returncode, 2)
        if IS_ROOT:
            refused = self.purser.cli("metrics", "--listen", "127.0.0.1:0", uid=OTHER_UID)
            self.assertNotEqual(refused.returncode, DONE)


if __name__ == "__main__":
    harness.main()
