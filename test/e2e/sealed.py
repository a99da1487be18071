"""purserd whose key-encryption key comes from elsewhere than a file of purser's own."""
import os
import secrets

from harness import Purser


class WithPassphrase(Purser):
    """`purser init` is given the first passphrase."""

    def __init__(self, entra, passphrase):
        super().__init__(entra, edit=lambda config: config.update(seal={"kind": "passphrase"}))
        self.passphrase = passphrase

    def cli(self, *arguments, stdin=None, **options):
        if arguments == ("init",):
            stdin = self.passphrase
        return super().cli(*arguments, stdin=stdin, **options)


class WithSystemdCredential(Purser):
    """What systemd does for LoadCredentialEncrypted=kek is done here. Its access list for the unit's
    user shows in the group's bits."""

    def __init__(self, entra):
        super().__init__(entra, edit=self.keep_credential)
        self.key = new_key()

    def keep_credential(self, config):
        config["seal"] = {"kind": "systemd-credential", "path": "kek"}
        folder = self.dir / "credentials"
        self.environment["CREDENTIALS_DIRECTORY"] = str(folder)
        if not folder.exists():
            folder.mkdir(0o700)
            self.replace_credential(self.key)

    def replace_credential(self, key):
        """As the unit's next start would show it: such a file is never written to."""
        path = self.dir / "credentials" / "kek"
        path.unlink(missing_ok=True)
        self.key = key
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "w") as file:
            file.write(key)

    def cli_environment(self):
        return super().cli_environment() | self.environment


def new_key():
    """A key-encryption key as its file has it."""
    return secrets.token_hex(32)
