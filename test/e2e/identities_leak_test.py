#!/usr/bin/env python3
"""What proves federated, managed and agent identities leaks no more than other secrets do."""
import harness
from harness import Purser
from identities import IDENTITIES, Tenant
from leak_deeds import CLIENT_SECRET
from leak_search import Leaks
from oauth import new_claims

ANSWER_NO_CLAIMS = {"vm", "shared", "site", "arc"}  # managed identities


class Proofs(Leaks):
    def new_tenant(self):
        return Tenant(CLIENT_SECRET)

    def new_purser(self):
        return Purser(self.entra, self.entra.configure,
                      environment={"IDENTITY_HEADER": self.entra.identity_header})

    def setUp(self):
        super().setUp()
        self.keep_key_file()
        self.command("secret", "set", "blueprint", stdin=CLIENT_SECRET)

    def act(self, name, **members):
        if name == "aide-obo":
            members["user_assertion"] = self.entra.user_token()
        return self.ask(name, {"scopes": IDENTITIES[name], **members})

    def test_after_all_of_them_have_served_and_failed(self):
        for name in IDENTITIES:
            self.granted(self.act(name))
            if name not in ANSWER_NO_CLAIMS:
                self.granted(self.act(name, claims=new_claims()))
        self.entra.project(subject="somebody else")
        self.entra.registration(self.blueprint(), secrets=["another"])
        for name in ("pod", "aide", "aide-obo", "aide-user"):
            self.assertNotEqual(self.act(name, claims=new_claims())[0], 200)
        self.assert_nothing_leaked()

    def blueprint(self):
        return self.purser.config["credential"]["blueprint"]["client_id"]


if __name__ == "__main__":
    harness.main()
