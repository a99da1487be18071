"""purser-devtenant, and the tenant that most tests start from."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import urllib.parse

from programs import BIN, Program, Reply, START_SECONDS, unix_request

TENANT_ID = "8f0c2b7e-5d1a-4c3e-9b6f-0a1b2c3d4e5f"
JO = "11111111-1111-4111-8111-111111111111"
SAM = "22222222-2222-4222-8222-222222222222"
MAIL_APP = "aaaaaaaa-0000-4000-8000-000000000001"    # public, consented to Mail.Read alone
BROAD_APP = "aaaaaaaa-0000-4000-8000-000000000002"   # public, consented to more than it should
SECRET_APP = "aaaaaaaa-0000-4000-8000-000000000003"  # app-only with a client secret
CERT_APP = "aaaaaaaa-0000-4000-8000-000000000004"    # app-only with a certificate
WEB_APP = "aaaaaaaa-0000-4000-8000-000000000005"     # delegated, confidential
CLIENT_SECRET = "Canary~client.secret-0123456789abcdefghi"


def default_tenant():
    """A fresh copy of the tenant that most tests start from."""
    return {
        "tenant_id": TENANT_ID,
        "domain": "contoso.example",
        "users": [
            {"oid": JO, "upn": "jo.canary@contoso.example", "name": "Jo Canary"},
            {"oid": SAM, "upn": "sam.canary@contoso.example", "name": "Sam Canary"},
        ],
        "registrations": [
            {"client_id": MAIL_APP, "name": "agent-mail", "public_client": True,
             "redirect_uris": ["http://localhost"],
             "delegated": {"graph": ["Mail.Read"]}},
            {"client_id": BROAD_APP, "name": "agent-broad", "public_client": True,
             "redirect_uris": ["http://localhost"],
             "delegated": {"graph": ["Mail.Read", "Mail.Send", "Files.ReadWrite.All"]}},
            {"client_id": SECRET_APP, "name": "agent-app", "secrets": [CLIENT_SECRET],
             "application": {"graph": ["User.Read.All"]}},
            {"client_id": CERT_APP, "name": "agent-cert",
             "application": {"graph": ["User.Read.All"]}},
            {"client_id": WEB_APP, "name": "agent-web", "secrets": [CLIENT_SECRET],
             "redirect_uris": ["http://localhost"],
             "delegated": {"graph": ["Mail.Read"]}},
        ],
    }


class DevTenant:
    """purser-devtenant with a tenant of its own; see test/devtenant/README.md."""

    def __init__(self, tenant=None, directory=None):
        self.tenant = tenant if tenant is not None else default_tenant()
        self._given = directory

    def __enter__(self):
        self.dir = pathlib.Path(self._given or tempfile.mkdtemp(prefix="devtenant-"))
        self.dir.mkdir(exist_ok=True)
        os.chmod(self.dir, 0o755)
        (self.dir / "tenant.json").write_text(json.dumps(self.tenant))
        self.program = Program([BIN / "purser-devtenant", "--dir", self.dir,
                                "--tenant-file", self.dir / "tenant.json"])
        try:
            ready = json.loads(self.program.wait_for_line(lambda line: line.startswith("{")))
        except BaseException:
            self.__exit__()
            raise
        self.authority, self.graph = ready["authority"], ready["graph"]
        self.vault, self.imds = ready.get("vault"), ready.get("imds")
        self.identity_header = ready.get("identity_header")
        self.arc_key_folder = ready.get("arc_key_folder")
        self.tenant_id, self.ca_file = ready["tenant_id"], ready["ca_file"]
        self.control_socket = ready["control"]
        return self

    def __exit__(self, *_):
        self.program.stop()
        if not self._given:
            shutil.rmtree(self.dir, ignore_errors=True)

    # The control interface.
    def control(self, method, target, body=None):
        reply = unix_request(self.control_socket, method, target, body)
        if reply.status != 200:
            raise RuntimeError(f"devtenant control {method} {target}: {reply}")
        return reply.json()

    def fault(self, **fault):
        return self.control("POST", "/faults", fault)

    def clear_faults(self):
        return self.control("DELETE", "/faults")

    def hold(self, when, **where):
        """The next request there is held `before` or `after` it is served, until release()."""
        return self.fault(hold=when, count=1, **where)

    def until_held(self, wait=START_SECONDS):
        if self.control("GET", f"/holds?wait={wait}")["held"] == 0:
            raise AssertionError("nobody asked what is held")

    def release(self):
        """Closes the connections of what is held, and answers nothing."""
        return self.control("DELETE", "/holds")

    def settings(self, **settings):
        return self.control("POST", "/settings", settings)

    def user(self, name, **change):
        return self.control("POST", f"/users/{name}", change)

    def registration(self, client_id, **change):
        return self.control("POST", f"/registrations/{client_id}", change)

    def registered(self, client_id):
        """A registration's object id, and its credentials as Graph shows them."""
        return self.control("GET", f"/registrations/{client_id}")

    def revoke(self, **which):
        return self.control("POST", "/grants/revoke", which)

    def pending_login(self, client_id=None, wait=START_SECONDS):
        """The user code of a pending device login, waited for; None when none came."""
        logins = [login for login in self.control("GET", f"/logins?wait={wait}")
                  if client_id in (None, login["client_id"])]
        return logins[-1]["user_code"] if logins else None

    def decide(self, user_code, user, action="approve"):
        return self.control("POST", "/logins",
                            {"user_code": user_code, "user": user, "action": action})

    def secrets(self):
        return self.control("GET", "/secrets")

    def requests(self, endpoint):
        return self.control("GET", "/counters").get(endpoint, {"requests": 0})["requests"]

    # A client of its endpoints, as any program would be.
    def https(self, url, method="GET", form=None, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        headers = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        context = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=60)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""),
                               body, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def token(self, tenant=None, **form):
        return self.https(f"{self.authority}/{tenant or self.tenant_id}/oauth2/v2.0/token",
                          "POST", form=form)

    def devicecode(self, **form):
        return self.https(f"{self.authority}/{self.tenant_id}/oauth2/v2.0/devicecode", "POST",
                          form=form)

    def call_graph(self, path, token, method="GET", body=None):
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        return self.https(self.graph + path, method, body=body, headers=headers)


def new_certificate(directory, days=400):
    """The paths of a new RSA key (PKCS#8) and a self-signed certificate of it, both PEM."""
    key, certificate = pathlib.Path(directory) / "key.pem", pathlib.Path(directory) / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days),
                    "-subj", "/CN=agent", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return key, certificate
