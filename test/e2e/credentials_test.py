#!/usr/bin/env python3
"""What purser knows of its credentials: where they are, until when, for whom, how they fared."""
import datetime
import json
import tempfile
import unittest

import harness
from harness import CLIENT_SECRET, HELPDESK, ROBOT, DevTenant, Purser, new_certificate

DONE, REFUSED = 0, 1


def day(ahead):
    return (datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(days=ahead)).strftime("%Y-%m-%d")


class Credentials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.entra = cls.enterClassContext(DevTenant())

    def setUp(self):
        self.purser = self.enterContext(Purser(self.entra))

    def done(self, *arguments, code=DONE, **options):
        outcome = self.purser.cli(*arguments, **options)
        self.assertEqual(outcome.returncode, code, outcome.stdout + outcome.stderr)
        return outcome.stdout

    def enrol_certificate(self, days):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = new_certificate(folder, days)
            pem = key.read_text() + certificate.read_text()
        return self.done("secret", "set", "cert", stdin=pem)

    def shown(self, name):
        listed = json.loads(self.done("--json", "credentials"))["credentials"]
        return next(one for one in listed if one["name"] == name)

    def ends(self, name):
        return [(end["by"], end.get("days_left")) for end in self.shown(name)["ends"]]

    def test_ends_are_known_warned_of_and_survive_a_restart(self):
        self.done("secret", "set", "app", stdin=CLIENT_SECRET)
        self.assertEqual(self.ends("app"), [("unknown", None)])
        self.assertIn("Entra does not say", self.done("credentials"))
        self.assertNotIn("ends ", self.done("status"))

        self.enrol_certificate(days=20)
        self.assertEqual(self.ends("cert"), [("certificate", 19)])
        self.assertRegex(self.done("status"), r"ends +cert: certificate on \S+, 19 days left. To do")
        self.done("secret", "set", "app", "--expires", day(5), stdin=CLIENT_SECRET)
        self.assertEqual(self.ends("app"), [("operator", 4)])
        warned = self.done("status", code=REFUSED)  # within a week
        self.assertIn("app: client-secret on", warned)
        self.assertIn("To do: purser secret set app", warned)

        self.assertEqual(self.purser.log_in("mail").returncode, DONE)
        self.assertEqual(self.ends("mail"), [("inactivity", 89)])
        self.assertEqual(self.purser.token(HELPDESK, ["Mail.Read"]).status, 200)
        shown = self.shown("mail")
        self.assertEqual(shown["last_use"]["result"], "token")
        self.assertEqual(shown["outstanding"]["tokens"], 1)
        self.assertEqual([user["agent"] for user in shown["used_by"]], [HELPDESK])

        self.purser.stop()
        self.purser.start_ready()
        self.assertEqual(self.ends("cert"), [("certificate", 19)])
        self.assertEqual(self.ends("app"), [("operator", 4)])
        self.assertEqual(self.ends("mail")[0][0], "inactivity")
        self.assertIsNone(self.shown("mail")["last_use"])
        self.assertIn("none since", self.done("credentials"))

        self.done("secret", "set", "app", stdin=CLIENT_SECRET)  # another one: nothing was said of it
        self.assertEqual(self.ends("app"), [("unknown", None)])
        self.done("status")

    def test_the_last_result_names_what_went_wrong(self):
        self.enrol_certificate(days=400)  # one that the application is not registered with
        self.assertEqual(self.purser.token(ROBOT, ["User.Read.All"]).status, 403)
        self.assertEqual(self.shown("cert")["last_use"]["result"], "credential_rejected")
        self.assertIn("credential_rejected", self.done("credentials"))

    def test_an_end_that_makes_no_sense_is_refused_and_nothing_is_stored(self):
        for expires in ("soon", "2026-02-30", day(-1)):
            outcome = self.purser.cli("secret", "set", "app", "--expires", expires,
                                      stdin=CLIENT_SECRET)
            self.assertEqual(outcome.returncode, REFUSED, outcome.stdout)
        self.assertFalse(self.shown("app")["secrets"][0]["enrolled"])


if __name__ == "__main__":
    harness.main()
