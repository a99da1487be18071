"""Every way an agent can be somebody without a secret of its own, for the tests of them."""
import http.client
import os
import pathlib
import urllib.parse

from dev_tenant import CLIENT_SECRET, DevTenant, TENANT_ID, default_tenant
from harness import HELPDESK, JO, rule
from programs import Reply

POD_APP = "aaaaaaaa-0000-4000-8000-000000000011"   # trusts the platform's service account
VM_APP = "aaaaaaaa-0000-4000-8000-000000000012"    # trusts the machine's managed identity
MACHINE = "bbbbbbbb-0000-4000-8000-000000000001"   # the system-assigned managed identity
SHARED = "bbbbbbbb-0000-4000-8000-000000000002"    # a user-assigned one
BLUEPRINT = "cccccccc-0000-4000-8000-000000000001"
AIDE = "cccccccc-0000-4000-8000-000000000002"      # an agent identity of that blueprint
AIDE_USER = "cccccccc-0000-4000-8000-000000000003"  # and its own user account
SUBJECT = "system:serviceaccount:agents:helpdesk"
READ_USERS, READ_MAIL = ["User.Read.All"], ["Mail.Read"]
# Which scopes each credential's agent may have; agents are named after their credentials.
IDENTITIES = {"pod": READ_USERS, "vm": READ_USERS, "shared": READ_USERS, "site": READ_USERS,
              "arc": READ_USERS, "vm-app": READ_USERS, "aide": READ_USERS, "aide-obo": READ_MAIL,
              "aide-user": READ_MAIL}


def tenant_with_identities(secret=CLIENT_SECRET):
    tenant = default_tenant()
    for registration in tenant["registrations"]:
        if "secrets" in registration:
            registration["secrets"] = [secret]
    application = {"application": {"graph": READ_USERS}}
    tenant["registrations"] += [
        {"client_id": POD_APP, "name": "pod", **application},
        {"client_id": VM_APP, "name": "vm-app", **application},
        {"client_id": MACHINE, "name": "machine", "managed_identity": "system", **application},
        {"client_id": SHARED, "name": "shared", "managed_identity": "user", **application},
        {"client_id": BLUEPRINT, "name": "blueprint", "secrets": [secret]},
        {"client_id": AIDE, "name": "aide", "blueprint": BLUEPRINT, **application,
         "delegated": {"graph": READ_MAIL}}]
    tenant["users"].append({"oid": AIDE_USER, "upn": "aide@contoso.example", "name": "Aide",
                            "agent_identity": AIDE})
    return tenant


class Tenant(DevTenant):
    """The development tenant with these identities, and a folder that the platform writes to."""

    def __init__(self, secret=CLIENT_SECRET):
        super().__init__(tenant_with_identities(secret))

    def __enter__(self):
        super().__enter__()
        self.trust(POD_APP, f"{self.authority}/platform", SUBJECT)
        self.trust(VM_APP, f"{self.authority}/{TENANT_ID}/v2.0", MACHINE)
        self.token_file = pathlib.Path(self.dir) / "projected-token"
        self.project()
        return self

    def trust(self, client_id, issuer, subject):
        self.registration(client_id, federated=[{"issuer": issuer, "subject": subject}])

    def project(self, text=None, subject=SUBJECT, **claims):
        """The platform replaces its token, as it does with a rename; returns the token."""
        if text is None:
            text = self.control("POST", "/platform-tokens",
                                {"subject": subject, "claims": claims})["token"]
        new = self.token_file.with_suffix(".new")
        new.write_text(text)
        os.chmod(new, 0o400)
        new.rename(self.token_file)
        return text

    def configure(self, config):
        """One agent for each identity."""
        def credential(name, kind, client_id, **members):
            config["credential"][name] = {"kind": kind, "client_id": client_id, **members}
            if name in IDENTITIES:
                config["credential"][name]["scopes"] = IDENTITIES[name]
                config["agent"][name] = dict(config["agent"][HELPDESK],
                                             allow=[rule("read", IDENTITIES[name], name)])

        imds = f"{self.imds}/metadata/identity/oauth2/token"
        credential("pod", "federated", POD_APP, token_file=str(self.token_file))
        credential("vm", "managed-identity", MACHINE, endpoint=imds)
        credential("shared", "managed-identity", SHARED, endpoint=imds, assigned="user")
        credential("site", "managed-identity", MACHINE, source="app-service",
                   endpoint=f"{self.imds}/msi/token")
        credential("arc", "managed-identity", MACHINE, source="azure-arc",
                   endpoint=f"{self.imds}/arc/metadata/identity/oauth2/token",
                   key_folder=self.arc_key_folder)
        credential("vm-app", "federated", VM_APP, proof="vm")
        credential("blueprint", "client-secret", BLUEPRINT)
        credential("aide", "agent-identity", AIDE, proof="blueprint")
        credential("aide-obo", "agent-identity", AIDE, proof="blueprint", act="on-behalf-of")
        credential("aide-user", "agent-identity", AIDE, proof="blueprint", act="agent-user",
                   user=AIDE_USER)

    def ask_imds(self, path="/metadata/identity/oauth2/token", version="2018-02-01", headers=None,
                 resource=None, **selectors):
        """A managed identity's endpoint as a workload asks it."""
        query = {"api-version": version, **selectors,
                 "resource": self.graph if resource is None else resource}
        at = urllib.parse.urlsplit(self.imds)
        connection = http.client.HTTPConnection(at.netloc, timeout=60)
        try:
            connection.request("GET", f"{path}?{urllib.parse.urlencode(query)}",
                               headers={"Metadata": "true"} if headers is None else headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def user_token(self, user=JO, audience=BLUEPRINT, **claims):
        """What a user's client would call an agent with."""
        return self.control("POST", "/user-tokens",
                            {"user": user, "audience": audience, "claims": claims})["token"]
