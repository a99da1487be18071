#!/usr/bin/env python3
"""purserd from start to stop: drain, reload, restart, a hostile environment, strangers, sd_notify."""
import concurrent.futures
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

import enrolled
import harness
from harness import HELPDESK, IS_ROOT, OTHER_UID, SANITIZED, Purser, rule, until
from oauth import new_claims

TROUBLEMAKER = r"""
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  char name[256];
  int from = open("/proc/self/comm", O_RDONLY), to = open(TRACE, O_WRONLY | O_CREAT | O_APPEND, 0666);
  ssize_t size = read(from, name, sizeof name);
  if (size > 0 && write(to, name, (size_t)size) < 0) _exit(1);
  close(from), close(to);
}
"""


class Stopping(enrolled.TenantCase):
    def test_a_stop_lets_a_request_finish_and_is_the_last_entry(self):
        purser = self.started()
        self.addCleanup(self.entra.clear_faults)
        self.entra.fault(delay_ms=1500, count=1)
        before = self.entra.requests("token")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            waiting = threads.submit(purser.token, HELPDESK, ["Mail.Read"], claims=new_claims())
            until(lambda: self.entra.requests("token") > before)
            sockets = [purser.admin_socket, purser.agent_socket()]
            self.assertEqual(purser.stop(), 0, purser.log())
            answer = self.granted(purser, waiting.result())
        entries = purser.ledger_lines()
        self.assertEqual(entries[answer["audit"]["seq"] - 1]["type"], "token.issued")
        self.assertEqual(entries[-1]["type"], "daemon.stopped")
        for path in sockets:
            self.assertFalse(os.path.exists(path), path)
        self.assert_verifies(purser)


class Reloading(enrolled.TenantCase):
    def setUp(self):
        self.purser = self.started()

    def reload(self):
        """SIGHUP, to its end."""
        self.purser.program.process.send_signal(signal.SIGHUP)
        self.purser.wait_for_state("RELOADING=1")
        self.purser.wait_for_state("READY=1")

    def with_agents(self, change):
        self.purser.edit = lambda config: change(config["agent"])
        self.purser.write_config()

    def test_a_broken_file_changes_nothing(self):
        def break_it(agents):
            agents["newcomer"] = dict(agents[HELPDESK], allow=[rule("x", ["Mail.Read"], "nobody")])
            del agents[harness.ROBOT]
        self.with_agents(break_it)
        before = len(self.purser.ledger_lines())
        self.reload()
        self.purser.program.wait_for_line(lambda line: "reload_refused" in line)
        self.assertFalse(os.path.exists(self.purser.agent_socket("newcomer")))
        self.assertTrue(os.path.exists(self.purser.agent_socket(harness.ROBOT)))
        self.granted(self.purser, self.purser.token(HELPDESK, ["User.Read.All"]))
        self.assertEqual([entry["type"] for entry in self.purser.ledger_lines()[before:]
                          if entry["type"] == "policy.changed"], [])
        told = self.purser.cli("reload")
        self.assertEqual(told.returncode, 1, told)
        self.assertIn("nobody", told.stderr)
        self.assertIn("nothing was changed", told.stderr)

    def test_agents_come_and_go(self):
        def change(agents):
            agents["newcomer"] = dict(agents[HELPDESK])
            del agents[HELPDESK]
        self.with_agents(change)
        dry = self.purser.cli("reload", "--dry-run")
        self.assertEqual(dry.returncode, 0, dry)
        self.assertIn("newcomer", dry.stdout)
        self.assertIn(HELPDESK, dry.stdout)
        self.assertFalse(os.path.exists(self.purser.agent_socket("newcomer")))
        self.reload()
        self.granted(self.purser, self.purser.token("newcomer", ["User.Read.All"]))
        self.assertFalse(os.path.exists(self.purser.agent_socket(HELPDESK)))
        self.assertIn("policy.changed", [entry["type"] for entry in self.purser.ledger_lines()])

    @unittest.skipUnless(IS_ROOT, "needs different users")
    def test_user_changes_operators_change(self):
        self.granted(self.purser, self.purser.token(HELPDESK, ["User.Read.All"]))
        operators = 61005
        with self.assertRaises(PermissionError):
            self.purser.token(HELPDESK, ["User.Read.All"], uid=OTHER_UID)
        self.assertEqual(self.purser.cli("status", uid=OTHER_UID, gid=operators).returncode, 4)

        def change(config):
            config["agent"][HELPDESK]["user"] = OTHER_UID
            config["admin"] = {"operators": [f"group:{operators}"]}
        self.purser.edit = change
        self.purser.write_config()
        told = self.purser.cli("reload")
        self.assertEqual(told.returncode, 0, told)
        # The window of the user before may still be ending: 503, with the advice to come back.
        until(lambda: self.purser.token(HELPDESK, ["User.Read.All"], uid=OTHER_UID).status != 503)
        self.granted(self.purser, self.purser.token(HELPDESK, ["User.Read.All"], uid=OTHER_UID))
        with self.assertRaises(PermissionError):
            self.purser.token(HELPDESK, ["User.Read.All"])
        self.assertIn("peer_refused", self.purser.cli("status", uid=OTHER_UID, gid=operators).stderr)
        status = self.purser.cli("status", uid=OTHER_UID + 1, gid=operators)
        self.assertEqual(status.returncode, 0, status)


class Restarting(enrolled.TenantCase):
    def store_files(self, purser):
        return list(pathlib.Path(purser.config["paths"]["state"], "store").iterdir())

    def test_the_store_is_kept_and_an_older_copy_is_noticed(self):
        purser = self.started()
        self.granted(purser, purser.token(HELPDESK, ["User.Read.All"]))
        self.assertEqual(purser.stop(), 0, purser.log())
        with tempfile.TemporaryDirectory() as older:
            for path in self.store_files(purser):
                shutil.copy2(path, older)
            purser.start()
            self.granted(purser, purser.token(HELPDESK, ["User.Read.All"]))
            set_again = purser.cli("secret", "set", "app", stdin=harness.CLIENT_SECRET)
            self.assertEqual(set_again.returncode, 0, set_again)
            self.assertEqual(purser.stop(), 0, purser.log())
            for path in self.store_files(purser):
                owner = path.stat()
                path.unlink()
            for path in pathlib.Path(older).iterdir():
                back = pathlib.Path(purser.config["paths"]["state"], "store", path.name)
                shutil.copy2(path, back)
                os.chown(back, owner.st_uid, owner.st_gid)
        purser.start()
        self.refused(purser, purser.token(HELPDESK, ["User.Read.All"]), 503, "sealed")
        status = purser.cli("status")
        self.assertIn("not ready", status.stdout)
        self.assertIn("older copy", status.stdout)
        self.assertEqual(purser.cli("ready").returncode, 1)

    def test_a_torn_tail_is_moved_aside_and_recorded(self):
        purser = self.started()
        self.assertEqual(purser.stop(), 0, purser.log())
        folder = pathlib.Path(purser.config["paths"]["state"], "ledger")
        segment = sorted(folder.glob("*.jsonl"))[-1]
        with segment.open("ab") as file:
            file.write(b'{"agent":{"name":"helpd')
        purser.start()
        self.granted(purser, purser.token(HELPDESK, ["User.Read.All"]))
        recovered = [entry for entry in purser.ledger_lines()
                     if entry["type"] == "ledger.recovered"]
        self.assertEqual([entry["reason"] for entry in recovered], ["torn_tail"])
        self.assertTrue((folder / recovered[0]["change"]["file"]).exists())
        self.assert_verifies(purser)


@unittest.skipIf(SANITIZED, "a sanitizer's library must come before those that are preloaded")
class HostileEnvironment(enrolled.TenantCase):
    def test_no_variable_reaches_a_role(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        os.chmod(folder, 0o777)
        source, library = folder / "trouble.c", folder / "trouble.so"
        source.write_text(TROUBLEMAKER)
        subprocess.run(["gcc", "-shared", "-fPIC", f'-DTRACE="{folder}/loaded"', "-o", library,
                        source], check=True, capture_output=True)
        (folder / "openssl.cnf").write_text("openssl_conf = nonsense\n")
        (folder / ".curlrc").write_text("insecure\n")
        dead = "http://127.0.0.1:1"
        hostile = {
            "SSLKEYLOGFILE": f"{folder}/keys", "OPENSSL_CONF": f"{folder}/openssl.cnf",
            "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nonexistent", "CURL_HOME": str(folder),
            "HOME": str(folder), "https_proxy": dead, "HTTPS_PROXY": dead, "http_proxy": dead,
            "ALL_PROXY": dead, "all_proxy": dead, "NO_PROXY": "", "LD_PRELOAD": str(library),
            "LD_LIBRARY_PATH": str(folder), "LD_AUDIT": "", "NLSPATH": f"{folder}/%N",
            "LOCPATH": str(folder), "MALLOC_TRACE": f"{folder}/malloc", "GCONV_PATH": str(folder),
            "SQLITE_TMPDIR": str(folder), "TMPDIR": str(folder), "RESOLV_HOST_CONF": "/nonexistent",
            "HOSTALIASES": "/nonexistent", "LOCALDOMAIN": "elsewhere.example",
            "GLIBC_TUNABLES": "glibc.malloc.check=3"}
        purser = self.started(environment=hostile)
        self.granted(purser, purser.token(HELPDESK, ["Mail.Read"]))
        self.granted(purser, purser.token(HELPDESK, ["User.Read.All"]))
        for name, pids in purser.roles().items():
            if name == "purserd" or not IS_ROOT:
                continue  # that one was started with them; a role's own is root's to read
            for pid in pids:
                # What purserd makes from nothing: bind all libraries at the start.
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
                self.assertEqual(environment.strip(b"\0"), b"LD_BIND_NOW=1", name)
                self.assertNotIn("trouble.so", pathlib.Path(f"/proc/{pid}/maps").read_text(), name)
        self.assertEqual(purser.stop(), 0, purser.log())
        made = {path.name for path in folder.iterdir()}
        self.assertEqual(made - {"trouble.c", "trouble.so", "openssl.cnf", ".curlrc", "loaded"},
                         set())
        self.assertEqual(set((folder / "loaded").read_text().split()), {"purserd"})


@unittest.skipUnless(IS_ROOT, "needs different users")
class Strangers(enrolled.TenantCase):
    def test_a_peer_with_the_wrong_user_never_starts_a_window(self):
        purser = self.enterContext(Purser(self.entra))
        with self.assertRaises(PermissionError):  # the mode of the socket is the first wall
            purser.token(HELPDESK, ["Mail.Read"], uid=OTHER_UID)
        os.chmod(purser.agent_socket(), 0o666)
        for uid in (OTHER_UID, 0):  # root may not pose as an agent either
            answer = self.refused(purser, purser.token(HELPDESK, ["Mail.Read"], uid=uid), 403,
                                  "peer_refused")
            self.assertNotIn("request_id", {key for key, value in answer.items() if value})
        self.assertNotIn("purser-window", purser.roles())
        refused = [entry for entry in purser.ledger_lines()
                   if entry["type"] == "connection.refused"]
        self.assertEqual([(entry["agent"]["name"], entry["caller"]["uid"]) for entry in refused],
                         [(HELPDESK, OTHER_UID), (HELPDESK, 0)])
        shown = purser.cli("explain", HELPDESK, "--refused")
        self.assertEqual(shown.returncode, 0, shown)
        self.assertIn(str(OTHER_UID), shown.stdout)


class ServiceManager(enrolled.TenantCase):
    def test_it_hears_of_each_state(self):
        purser = self.started(environment={"WATCHDOG_USEC": "200000"})
        purser.wait_for_state("WATCHDOG=1")
        purser.wait_for_state("WATCHDOG=1")
        purser.program.process.send_signal(signal.SIGHUP)
        told = purser.wait_for_state("RELOADING=1")
        self.assertRegex(told[-1], r"(?m)^MONOTONIC_USEC=\d+$")
        purser.wait_for_state("READY=1")
        purser.program.process.send_signal(signal.SIGTERM)
        purser.wait_for_state("STOPPING=1")
        self.assertEqual(purser.stop(), 0, purser.log())

    def test_a_role_that_hangs_silences_the_watchdog(self):
        purser = self.started(environment={"WATCHDOG_USEC": "400000"})
        [dialer] = purser.roles()["purser-dialer"]
        purser.wait_for_state("WATCHDOG=1")
        os.kill(dialer, signal.SIGSTOP)
        try:
            def silent():
                """Nothing for five turns, after what was queued before."""
                return not select.select([purser.notify], [], [], 0.5)[0] or \
                    not purser.notify.recv(4096)
            until(silent)
        finally:
            os.kill(dialer, signal.SIGCONT)
        purser.wait_for_state("WATCHDOG=1")


if __name__ == "__main__":
    harness.main()
