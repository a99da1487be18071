"""What a client of an OAuth 2.0 server sends and reads, with the openssl command for signatures."""
import base64
import hashlib
import json
import ssl
import subprocess
import time
import uuid

import harness
from harness import CERT_APP

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def b64url(data):
    if isinstance(data, dict):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token):
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


def new_claims():
    """A claims request of its own: no cached token answers it, so that the request mints."""
    return json.dumps({"access_token": {"nonce": {"value": str(uuid.uuid4())}}})


class Signer:
    """A self-signed certificate and assertions made with it, by the openssl command."""

    def __init__(self, directory):
        self.key, certificate = harness.new_certificate(directory)
        self.pem = certificate.read_text()
        self.der = ssl.PEM_cert_to_DER_cert(self.pem)

    def proof(self, object_id, header=None, claims=None):
        """What Graph wants to see before an application's keys change."""
        now = int(time.time())
        return self._signed({"alg": "RS256", "typ": "JWT"} | (header or {}),
                            {"aud": "00000002-0000-0000-c000-000000000000", "iss": object_id,
                             "nbf": now, "exp": now + 600} | (claims or {}))

    def assertion(self, entra, header=None, claims=None, pss=True):
        now = int(time.time())
        head = {"alg": "PS256", "typ": "JWT", "x5t#S256": b64url(hashlib.sha256(self.der).digest())}
        body = {"aud": f"{entra.authority}/{entra.tenant_id}/oauth2/v2.0/token", "iss": CERT_APP,
                "sub": CERT_APP, "jti": str(uuid.uuid4()), "nbf": now, "iat": now, "exp": now + 600}
        return self._signed(head | (header or {}), body | (claims or {}), pss)

    def _signed(self, header, claims, pss=False):
        text = b64url(header) + "." + b64url(claims)
        command = ["openssl", "dgst", "-sha256", "-sign", self.key]
        if pss:
            command += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"]
        signed = subprocess.run(command, input=text.encode(), check=True, capture_output=True)
        return text + "." + b64url(signed.stdout)
