"""A tenant with a registration that may end others, and a purserd that ends them with it."""
import tempfile

import enrolled
from harness import CERT_APP, CLIENT_SECRET, DevTenant, default_tenant
from oauth import Signer

ADMIN = "dddddddd-0000-4000-8000-000000000001"
# What may end sessions and change registrations at Entra.
ROLES = ["Application.ReadWrite.All", "User.RevokeSessions.All",
         "DelegatedPermissionGrant.ReadWrite.All"]


def registration():
    return {"client_id": ADMIN, "name": "stopper", "secrets": [CLIENT_SECRET],
            "application": {"graph": ROLES}}


def credential():
    """What the configuration says of it."""
    return {"kind": "client-secret", "client_id": ADMIN, "scopes": ROLES}


class StopperCase(enrolled.TenantCase):
    """Each test has a tenant and a purserd of its own: what it ends stays ended.

    `edit(config)` of the test changes the configuration, in which [admin] upstream is set.
    """

    @classmethod
    def setUpClass(cls):
        """No tenant for the class."""

    def setUp(self):
        tenant = default_tenant()
        tenant["registrations"].append(registration())
        self.entra = self.enterContext(DevTenant(tenant))
        self.entra.settings(device_code_interval_s=1)
        self.signer = Signer(self.enterContext(tempfile.TemporaryDirectory()))
        self.entra.registration(CERT_APP, certificates=[self.signer.pem])

        def edit(config):
            config["credential"]["stopper"] = credential()
            config["admin"]["upstream"] = "stopper"
            self.edit(config)
        self.purser = self.started(edit=edit)
        self.done("secret", "set", "stopper", stdin=CLIENT_SECRET)

    def told(self, code, *arguments, stdin=None):
        """What the command said, which ends with that code."""
        told = self.purser.cli(*arguments, stdin=stdin)
        self.assertEqual(told.returncode, code, told.stdout + told.stderr + self.purser.log())
        return told.stdout + told.stderr

    def done(self, *arguments, stdin=None):
        return self.told(0, *arguments, stdin=stdin)
