#!/usr/bin/env python3
"""Commands of purser without a daemon: help, usage, completion, errors as JSON, and init."""
import json
import os
import pathlib
import pty
import select
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import BIN

DONE, REFUSED, USAGE, TAMPERING, UNREACHABLE = range(5)
COMMANDS = ["init", "status", "budget", "metrics", "ready", "agents", "credentials", "reload", "doctor",
            "ledger resume", "ledger archive", "login", "logout", "secret set", "unseal", "seal rotate",
            "rotate", "run", "config check", "config show", "config egress", "config schema", "explain",
            "audit tail", "audit show", "audit search", "audit verify", "version", "completion", "kill",
            "release", "revoke", "restore", "approvals", "approve", "deny", "role give", "role end", "roles",
            "teardown"]


def purser(*arguments, **options):
    """The command without any daemon or configuration."""
    return subprocess.run([BIN / "purser", *arguments], text=True, capture_output=True,
                          env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, **options)


class Alone(unittest.TestCase):
    def test_every_command_has_a_help_text_with_an_example(self):
        for command in COMMANDS:
            with self.subTest(command):
                shown = purser(*command.split(), "--help")
                self.assertEqual(shown.returncode, DONE, shown.stderr)
                self.assertIn(f"purser {command}", shown.stdout.split("Example", 1)[-1])

    def test_every_command_is_among_them(self):
        shown = purser("--help").stdout
        listed = [line.split()[0] for line in shown.split("Subcommands:")[1].split("Example")[0].splitlines()
                  if line.startswith("  ") and not line.startswith("   ")]
        self.assertEqual(set(listed), {command.split()[0] for command in COMMANDS}, shown)

    def test_what_is_no_command_line_is_a_usage_error(self):
        rows = [[], ["mint"], ["status", "--nonsense"], ["secret", "set"], ["login"], ["login", "mail", "--as-operator"],
                ["secret", "set", "app", "the-secret-as-an-argument"], ["explain", "helpdesk"],
                ["explain", "helpdesk", "--refused", "--seq", "1"],
                ["explain", "--scopes", "Mail.Read"], ["audit"], ["run", "helpdesk"],
                ["completion", "fish"], ["audit", "show", "first"]]
        for row in rows:
            with self.subTest(row):
                self.assertEqual(purser(*row).returncode, USAGE)

    def test_a_bare_stop_stops_nobody_and_says_how_it_is_typed(self):
        outcome = purser("kill")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("Usage: purser kill", outcome.stderr)
        self.assertIn("--all", outcome.stderr)

    def test_a_daemon_that_is_not_there_has_an_exit_code_of_its_own(self):
        for row in (["status"], ["ready"], ["agents"], ["credentials"], ["reload"], ["login", "x"],
                    ["ledger", "resume"], ["ledger", "archive", "--keep", "90d"]):
            with self.subTest(row):
                done = purser("--admin-socket", "/nonexistent/sock", *row)
                self.assertEqual(done.returncode, UNREACHABLE)
                self.assertIn("Is purserd running", done.stderr)

    def test_who_names_a_wrong_configuration_hears_that_the_usual_socket_was_tried(self):
        done = purser("--config", "/nonexistent/purser.toml", "status")
        if done.returncode == UNREACHABLE:  # else a purser runs on this machine
            self.assertIn("/nonexistent/purser.toml does not exist", done.stderr)

    def test_without_a_configuration_the_advice_is_init(self):
        for row in (["config", "check"], ["doctor"], ["run", "a", "--", "true"]):
            with self.subTest(row):
                done = purser("--config", "/nonexistent/purser.toml", *row)
                self.assertEqual(done.returncode, REFUSED)
                self.assertIn("purser init", done.stderr)

    def test_bash_completes_commands_and_options(self):
        rows = [(["purser", "cred"], ["credentials"]),
                (["purser", "audit", "ver"], ["verify"]),
                (["purser", "--config", "f", "audit", "t"], ["tail"]),
                (["purser", "explain", "helpdesk", "--sc"], ["--scopes"]),
                (["purser", "secret", ""], ["set", "--help"]),
                (["purser", "mint", "nothing-starts-so"], [])]
        for words, expected in rows:
            with self.subTest(words):
                script = ('source <("$0" completion bash); COMP_WORDS=("$@"); '
                          'COMP_CWORD=$(($# - 1)); _purser; printf "%s\\n" "${COMPREPLY[@]}"')
                done = subprocess.run(["bash", "-c", script, BIN / "purser", *words], text=True,
                                      capture_output=True, check=True)
                self.assertEqual(sorted(done.stdout.split()), sorted(expected), done.stderr)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_completes_what_a_person_types(self):
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        # Its home has no start files.
        shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=terminal, stdout=terminal,
                                 stderr=terminal, start_new_session=True,
                                 env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": "/"})
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        os.close(terminal)

        def shows(text):
            seen = ""
            while text not in seen:
                ready, _, _ = select.select([main], [], [], harness.START_SECONDS)
                self.assertTrue(ready, f"no {text!r} in {seen!r}")
                seen += os.read(main, 65536).decode(errors="replace")

        os.write(main, ("PS1='rea''dy> '; autoload -Uz compinit; compinit -u -D; "
                        f"source <({BIN / 'purser'} completion zsh)\n").encode())
        shows("ready> ")
        for typed, completed in (("purser cred", "credentials"),
                                 ("purser audit ver", "audit verify"),
                                 ("purser --config f audit t", "audit tail"),
                                 ("purser explain helpdesk --sc", "--scopes"),
                                 ("purser secret s", "secret set")):
            os.write(main, typed.encode() + b"\t")
            shows(completed)
            os.write(main, b"\x15")  # clears the line

    def test_what_went_wrong_is_json_for_a_program(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "purser.toml"
            path.write_text(f'[instance]\nname = "a"\n[tenant]\nid = "{harness.TENANT_ID}"\n'
                            f'[paths]\nstate = "{folder}/state"\nrun = "{folder}/run"\n'
                            f'[seal]\nkind = "file"\npath = "{folder}/key/kek"\n')
            for code, row in ((UNREACHABLE, ["status"]), (UNREACHABLE, ["login", "x"]),
                              (REFUSED, ["secret", "set", "x"]),
                              (REFUSED, ["run", "nobody", "--", "true"]),
                              (REFUSED, ["explain", "nobody", "--scopes", "x"]),
                              (REFUSED, ["explain", "nobody", "--seq", "7"]),
                              (REFUSED, ["audit", "verify"]), (REFUSED, ["audit", "tail"]),
                              (USAGE, ["audit", "verify", "--head", "x"]),
                              (USAGE, ["audit", "search", "--since", "yesterday"])):
                with self.subTest(row):
                    done = purser("--config", path, "--json", *row)
                    self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                    self.assertTrue(json.loads(done.stdout)["error_description"])
                    self.assertEqual(done.stderr, "")
            for row in (["doctor"], ["init"], ["seal", "rotate"]):
                done = purser("--config", f"{folder}/none", "--json", *row)
                self.assertEqual(done.returncode, REFUSED, done.stdout + done.stderr)
                self.assertTrue(json.loads(done.stdout)["error_description"])
            made = json.loads(purser("--config", path, "--json", "init").stdout)["steps"]
            self.assertIn({"did": "kept", "what": str(path)}, made)
            self.assertIn({"did": "made", "what": f"{folder}/state/store/store.db"}, made)

    def test_init_can_be_repeated_and_keeps_what_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "etc" / "purser.toml"
            refused = purser("--config", path, "init")
            self.assertEqual(refused.returncode, REFUSED)
            self.assertIn("--tenant", refused.stderr)
            self.assertFalse(path.exists())
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'[instance]\nname = "again"\n[tenant]\nid = "{harness.TENANT_ID}"\n'
                            f'[paths]\nstate = "{folder}/state"\nrun = "{folder}/run"\n'
                            f'[seal]\nkind = "file"\npath = "{folder}/key/kek"\n')
            first = purser("--config", path, "init")
            self.assertEqual(first.returncode, DONE, first.stderr)
            key = pathlib.Path(folder, "key/kek").read_bytes()
            store = pathlib.Path(folder, "state/store/store.db").read_bytes()
            again = purser("--config", path, "init")
            self.assertEqual(again.returncode, DONE, again.stderr)
            self.assertIn("kept", again.stdout)
            self.assertEqual(key, pathlib.Path(folder, "key/kek").read_bytes())
            self.assertEqual(store, pathlib.Path(folder, "state/store/store.db").read_bytes())


if __name__ == "__main__":
    harness.main()
