"""Libraries that none of purser's authors wrote, installed with npm and pip on first use.

They stand in build/, where PURSER_NPM_DIR and PURSER_VENV_DIR do not say otherwise, and are
installed again when their list changes.
"""
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import unittest.mock

from programs import ROOT, START_SECONDS

HERE = pathlib.Path(__file__).resolve().parent
NPM_DIR = pathlib.Path(os.environ.get("PURSER_NPM_DIR", ROOT / "build" / "npm"))
VENV_DIR = pathlib.Path(os.environ.get("PURSER_VENV_DIR", ROOT / "build" / "venv"))


@contextlib.contextmanager
def alone(folder):
    """Tests that run beside each other install one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def once(stamp, wanted, install):
    """Calls `install()` unless it was done for `wanted`, which the file `stamp` remembers."""
    if not stamp.exists() or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        install()
        stamp.write_text(wanted)


def install_npm(source):
    """The folder with a copy of `source` and the modules that its package-lock.json names."""
    folder = NPM_DIR / source.name
    with alone(folder):
        for path in source.iterdir():
            shutil.copyfile(path, folder / path.name)
        once(folder / "installed", (source / "package-lock.json").read_text(),
             lambda: subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                                    cwd=folder, check=True, stdout=subprocess.DEVNULL))
    return folder


def install_python(requirements=HERE / "clients" / "requirements.txt"):
    """Makes what is required importable here, from a virtual environment of this interpreter."""
    def install():
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV_DIR], check=True)
        subprocess.run([VENV_DIR / "bin" / "python", "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:",
                        "-r", requirements], check=True)
    with alone(VENV_DIR):
        once(VENV_DIR / "installed", sys.version + requirements.read_text(), install)
    sys.path.insert(0, sysconfig.get_path("purelib", "venv", {"base": str(VENV_DIR)}))


def trusting(entra):
    """What sets this process's environment up so that these libraries ask `entra`, and trust it."""
    proxies = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    return unittest.mock.patch.dict(os.environ, proxies | {
        "REQUESTS_CA_BUNDLE": str(entra.ca_file), "NO_PROXY": "localhost,127.0.0.1"})


class NodeClients:
    """clients/clients.mjs, one question and answer at a time."""

    def __init__(self, entra):
        folder = install_npm(HERE / "clients")
        environment = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(entra.ca_file)}
        self.process = subprocess.Popen(["node", folder / "clients.mjs"], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(START_SECONDS)
        self.process.stdout.close()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, op, **members):
        self.process.stdin.write(json.dumps({"op": op} | members) + "\n")
        self.process.stdin.flush()
        return self.read()
