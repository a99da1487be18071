#!/usr/bin/env python3
"""Runs the scripts of `purser doctor --registrations` with an `az` that writes down what it is asked."""
import json
import os
import pathlib
import subprocess
import tempfile
import tomllib
import unittest

HERE = pathlib.Path(__file__).parent
GIVEN = {"ISSUER": "https://oidc.example/", "SUBJECT": "system:serviceaccount:purser:purser",
         "PRINCIPAL": "0000-principal", "app_agent_app": "0000-agent"}
# Answers ids: a registration's by its number, a permission's by its name.
AZ = r'''#!/usr/bin/env python3
import json, os, pathlib, re, sys
log = pathlib.Path(os.environ["AZ_LOG"])
with log.open("a") as out:
    out.write(json.dumps(sys.argv[1:]) + "\n")
said = " ".join(sys.argv[1:])
name = re.search(r"\[\?value=='(.*)'\]\.id", said)
if name:
    print("" if name[1] == os.environ.get("AZ_UNKNOWN") else "id-of-" + name[1])
elif said.startswith("ad app create"):
    print(f"app-{log.read_text().count('display-name')}")
elif "--query" in said:
    print("answer")
'''


class Script(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        az = self.folder / "az"
        az.write_text(AZ)
        az.chmod(0o755)

    def run_script(self, name, **environment):
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        done = subprocess.run(["sh", HERE / name], text=True, capture_output=True, cwd=self.folder,
                              env={"PATH": f"{self.folder}:{os.environ['PATH']}",
                                   "AZ_LOG": str(log), **environment})
        calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return done, calls

    def test_each_registration_gets_its_permissions_and_no_others(self):
        done, calls = self.run_script("applications.sh", **GIVEN)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        asked = {}
        for call in calls:
            if call[:4] == ["ad", "app", "permission", "add"]:
                asked.setdefault(call[call.index("--id") + 1], []).append(call[-1])
        self.assertEqual(asked, {
            "app-1": ["id-of-Calendars.Read=Scope", "id-of-Mail.Read=Scope",
                      "id-of-offline_access=Scope"],
            "app-2": ["id-of-Files.Read=Scope"],
            "app-3": ["id-of-Mail.Send=Role"],
            "app-4": ["id-of-User.Read.All=Role"],
            "app-5": ["id-of-Reports.Read.All=Role"],
            "app-6": ["id-of-Odd$(id)`id`';id.Read=Role"],
            "app-7": ["id-of-AuditLog.Read.All=Role"],
            "app-8": ["id-of-Group.Read.All=Role"]})
        consented = [call[-1] for call in calls if call[3:4] == ["admin-consent"]]
        self.assertEqual(consented, ["app-3", "app-4", "app-5", "app-6", "app-7", "app-8"])

    def test_bash_reads_them_too_although_quotes_are_others_to_it(self):
        for name in ("applications.sh", "identities.sh"):
            with self.subTest(name):
                done = subprocess.run(["bash", "-n", HERE / name], text=True, capture_output=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_users_permissions_are_granted_for_that_user_alone(self):
        grants = [call for call in self.run_script("applications.sh", **GIVEN)[1]
                  if call[3:4] == ["grant"] and "app-1" in call]
        self.assertEqual(len(grants), 1)
        self.assertIn("Principal", grants[0])
        self.assertIn("66666666-7777-8888-9999-aaaaaaaaaaaa", grants[0])
        self.assertIn("Calendars.Read Mail.Read offline_access", grants[0])

    def test_what_it_prints_is_the_configuration(self):
        shown = tomllib.loads(self.run_script("applications.sh", **GIVEN)[0].stdout)["credential"]
        self.assertEqual(shown["mailer"], {"client_id": "app-3", "scopes": ["Mail.Send"]})
        self.assertEqual(shown["desk-app"]["client_id"], shown["desk"]["client_id"])
        self.assertEqual(shown["reports-billing"]["scopes"],
                         ["https://vault.example/Odd$(id)`id`';id.Read"])

    def test_a_permission_that_the_tenant_does_not_know_ends_it_before_any_consent(self):
        done, calls = self.run_script("applications.sh", AZ_UNKNOWN="Calendars.Read", **GIVEN)
        self.assertEqual(done.returncode, 1)
        self.assertIn("has no permission Calendars.Read", done.stderr)
        self.assertFalse([call for call in calls if call[2:3] == ["permission"]])

    def test_it_makes_nothing_before_it_knows_what_it_must(self):
        for name, missing in (("applications.sh", "PRINCIPAL"), ("identities.sh", "ISSUER"),
                              ("identities.sh", "SUBJECT"), ("identities.sh", "app_agent_app")):
            with self.subTest(missing):
                given = {key: value for key, value in GIVEN.items() if key != missing}
                done, calls = self.run_script(name, **given)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(missing, done.stderr)
                self.assertEqual(calls, [])

    def test_identities_are_assigned_their_permissions_and_trusted_by_issuer_and_subject(self):
        done, calls = self.run_script("identities.sh", **GIVEN)
        self.assertEqual(done.returncode, 0, done.stderr)
        trust = [json.loads(call[-1]) for call in calls if call[2:3] == ["federated-credential"]]
        self.assertEqual(trust[0], {"name": "purser", "issuer": GIVEN["ISSUER"],
                                    "subject": GIVEN["SUBJECT"],
                                    "audiences": ["api://AzureADTokenExchangeUSGov"]})
        bodies = [json.loads(call[-1]) for call in calls if call[0] == "rest"]
        self.assertEqual([body.get("appRoleId") or body["scope"] for body in bodies],
                         ["id-of-AuditLog.Read.All", "Calendars.Read Mail.Read",
                          "id-of-Reports.Read.All"])
        self.assertEqual(bodies[1]["consentType"], "Principal")


if __name__ == "__main__":
    unittest.main()
