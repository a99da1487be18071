#!/usr/bin/env python3
"""Nothing leaks (promises 1 and 10): canary secrets of every kind are planted, everything is done
that purser does, failures included, and then they are searched for wherever they must not be."""
import signal

import harness
from browser import LoginCommand
from harness import SAM
from leak_deeds import new_secret
from leak_search import Leaks
from sealed import WithPassphrase, WithSystemdCredential, new_key


class KeyFile(Leaks):
    def setUp(self):
        super().setUp()
        self.keep_key_file()
        self.enrol()

    def test_after_every_kind_of_credential_has_served(self):
        self.mint_all()
        self.assert_nothing_leaked()

    def test_after_logins_by_browser(self):
        for credential in ("mail", "web"):
            for paste in (False, True):
                self.log_in_by_browser(credential, paste=paste)
        self.log_in_by_browser("mail", action="decline", status=1)
        self.log_in_by_browser("mail", user=SAM, status=1)
        for fault in ({"status": 503, "code": 90033}, {"drop": "middle"}, {"code": 70008},
                      {"body": "invalid_json"}, {"body": "truncated"}):
            self.entra.fault(**fault)
            self.log_in_by_browser("mail", status=1)
            self.entra.clear_faults()
        with LoginCommand(self.purser, "mail") as command:
            command.back()  # a code that nobody redeems, of a login that nobody ends
        self.mint_all()
        self.assert_nothing_leaked()

    def test_the_command_that_reads_a_secret_leaves_no_core(self):
        self.assert_command_leaves_no_core()

    def test_after_every_kind_of_failure(self):
        self.mint_all()
        self.fail_in_every_way()
        self.latch_the_ledger()
        self.assert_nothing_leaked()
        self.make_the_ledger_read_only()
        self.assert_nothing_leaked()

    def test_after_the_key_was_rotated_and_brokers_crashed(self):
        self.mint_all()
        self.command("seal", "rotate")
        self.keep_key_file()
        for how in (signal.SIGKILL, signal.SIGSEGV):
            self.mint_all()
            self.end_the_broker(how)
        self.assert_nothing_leaked(token_in_arena=False)
        self.mint_all()
        self.assert_nothing_leaked()
        self.purser.stop()
        self.assert_words_clean(self.assert_files_clean())

    def test_roles_that_crash_leave_no_core(self):
        self.mint_all()
        self.assert_a_crash_leaves_no_core()
        self.assert_words_clean(self.assert_files_clean())


class Passphrase(Leaks):
    def new_purser(self):
        return WithPassphrase(self.entra, new_secret())

    def test_after_it_was_opened_rotated_and_kept_for_a_successor(self):
        first = self.typed("passphrase", self.purser.passphrase)
        self.command("unseal", stdin=self.typed("wrong passphrase", new_secret()), status=1)
        self.command("unseal", stdin=first)
        self.enrol()
        self.mint_all()
        self.assert_nothing_leaked()
        self.command("seal", "rotate", stdin=self.typed("next passphrase", new_secret()))
        self.command("unseal", stdin=first, status=1)
        self.end_the_broker(signal.SIGKILL)
        self.mint_all()
        self.assert_nothing_leaked()


class SystemdCredential(Leaks):
    def new_purser(self):
        return WithSystemdCredential(self.entra)

    def keep(self, key):
        self.keys += [("key-encryption key", bytes.fromhex(key)), ("systemd credential", key)]
        return key

    def test_after_it_was_read_rotated_and_read_again(self):
        self.keep(self.purser.key)
        self.enrol()
        self.mint_all()
        self.assert_nothing_leaked()
        self.command("seal", "rotate", stdin=self.keep(new_key()))
        self.end_the_broker(signal.SIGKILL)
        self.mint_all()
        self.assert_nothing_leaked()


if __name__ == "__main__":
    harness.main()
