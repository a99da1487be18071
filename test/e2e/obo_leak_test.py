#!/usr/bin/env python3
"""Users' tokens leak no more than other secrets do: nowhere, once their requests are answered."""
import json
import uuid

import harness
from harness import JO, SAM, DevTenant, Purser
from leak_deeds import CLIENT_SECRET
from leak_search import Leaks
from oauth import new_claims
from obo_test import DESK, acting_for_users, tenant_with_app, user_token, with_parts

GROUPS = [str(uuid.uuid4()) for _ in range(200)]  # as many as Entra writes into a token


class UserTokens(Leaks):
    def new_tenant(self):
        return DevTenant(tenant_with_app(CLIENT_SECRET))

    def new_purser(self):
        return Purser(self.entra, acting_for_users)

    def setUp(self):
        super().setUp()
        self.keep_key_file()
        for credential in ("app", "obo-app"):
            self.command("secret", "set", credential, stdin=CLIENT_SECRET)

    def act(self, assertion, **members):
        return self.ask(DESK, {"scopes": ["Mail.Read"], "user_assertion": assertion} | members)

    def act_as_a_form(self, assertion):
        """As the agent's own program, which sends everything as JSON, cannot."""
        return self.purser.request(
            DESK, "POST", "/v1/token",
            f"grant_type=client_credentials&scope=Mail.Read&user_assertion={assertion}",
            {"Content-Type": "application/x-www-form-urlencoded"})

    def test_after_users_were_acted_for_and_refused(self):
        for user in (JO, SAM):
            for groups in ([], GROUPS):
                token = user_token(self.entra, user, groups=groups)
                self.granted(self.act(token, claims=new_claims()))
                self.granted(self.act(token))
                self.assertEqual(self.act_as_a_form(token).status, 200)
        good = user_token(self.entra, JO, groups=GROUPS)
        for wrong in (with_parts(good, claims={"oid": SAM}), good + "x" * 20_000,
                      user_token(self.entra, SAM, audience=JO)):
            self.assertEqual(self.act(wrong)[0], 400)
        for other in ({"unknown": 1}, {"scopes": "Mail.Read"}, {"scopes": ["User.Read.All"]}):
            self.assertNotEqual(self.act(good, **other)[0], 200)
        self.assertEqual(self.ask(DESK, json.dumps({"user_assertion": good})[:-1])[0], 400)
        for fault in ({"status": 503, "code": 90033}, {"drop": "middle"}, {"code": 50013},
                      {"body": "invalid_json"}):
            self.entra.fault(**fault)
            self.assertNotEqual(self.act(good, claims=new_claims())[0], 200)
            self.entra.clear_faults()
        self.assert_nothing_leaked()


if __name__ == "__main__":
    harness.main()
