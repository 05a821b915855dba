# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenID provider Glewlwyd, set up through its own API: provider.py setup|rotate|withdraw|show|token REALM...

setup     an authority of the lab's own and a certificate of it, a realm (an instance of Glewlwyd's plugin) for each,
          a client "slurm" and the users alice and bob, with their login name as the claim of the name that --claim has;
          and a gateway, which has no more than a key with a certificate
rotate    a new key that signs from now on; the one before it stays published
withdraw  publish the key that signs and no other
show      print the kids that are published, the one that signs first
token     print a token for alice that the gateway has signed, with the kid REALM
"""

import argparse
import base64
import datetime
import json
import pathlib
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

BASE = "https://idp1:4593"
CONF = pathlib.Path("/etc/glewlwyd/glewlwyd.conf")
CA, CERT, KEY = (pathlib.Path("/etc/glewlwyd", name) for name in ("ca.pem", "cert.pem", "cert.key"))
GATEWAY, GATEWAY_KEY = (pathlib.Path("/etc/glewlwyd", name) for name in ("gateway.pem", "gateway.key"))
REDIRECT = "https://portal.example.org/callback"
USERS = ("alice", "bob")
PASSWORD = "the-lab-is-open-to-all"


class Api:
    """Glewlwyd's API, as its administrator."""

    def __init__(self):
        self.tls = ssl.create_default_context(cafile=str(CA))
        # By hand: Python's cookie jar refuses cookies for a name without dots.
        self.cookie = ""
        self.ask("POST", "/auth", {"username": "admin", "password": "password"})

    def ask(self, method, path, content=None):
        data = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", "Cookie": self.cookie}
        request = urllib.request.Request(BASE + "/api" + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=20) as answer:
                self.cookie = answer.headers.get("Set-Cookie", self.cookie).partition(";")[0]
                body = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from None
        return json.loads(body) if body.strip() else None


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(name, key, issuer, issuer_key, authority):
    now = datetime.datetime(2020, 1, 1)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, *[False] * 4, authority, authority, False, False), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def rsa_key():
    return rsa.generate_private_key(65537, 2048)


def make_certificates():
    authority, server, gateway = rsa_key(), rsa_key(), rsa_key()
    pem = serialization.Encoding.PEM
    CA.write_bytes(certificate("lab-ca", authority, "lab-ca", authority, True).public_bytes(pem))
    CERT.write_bytes(certificate("idp1", server, "lab-ca", authority, False).public_bytes(pem))
    form, cipher = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    KEY.write_bytes(server.private_bytes(pem, form, cipher))
    GATEWAY.write_bytes(certificate("gateway", gateway, "lab-ca", authority, False).public_bytes(pem))
    GATEWAY_KEY.write_bytes(gateway.private_bytes(pem, form, cipher))


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def private_jwk(kid):
    private = rsa_key().private_numbers()
    public = private.public_numbers
    members = {"n": public.n, "e": public.e, "d": private.d, "p": private.p, "q": private.q}
    members.update(dp=private.dmp1, dq=private.dmq1, qi=private.iqmp)
    numbers = {name: number(value) for name, value in members.items()}
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, **numbers}


def configure():
    text = CONF.read_text(encoding="utf-8")
    values = {
        "external_url": f'"{BASE}"',
        "cookie_domain": '"idp1"',
        "use_secure_connection": "true",
        "secure_connection_key_file": f'"{KEY}"',
        "secure_connection_pem_file": f'"{CERT}"',
        "secure_connection_ca_file": f'"{CA}"',
        "login_url": '"login.html"',
    }
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^#?\s*{name}\s*=.*$", f"{name}={value}", text, count=1)
        if not count:
            text = f"{name}={value}\n{text}"
    CONF.write_text(text, encoding="utf-8")
    subprocess.run(["chown", "glewlwyd:", KEY], check=True)
    subprocess.run(["systemctl", "restart", "glewlwyd"], check=True)
    for _attempt in range(100):
        try:
            return Api()
        except urllib.error.URLError:
            time.sleep(0.2)
    raise SystemExit("Glewlwyd does not answer; see journalctl -u glewlwyd.")


def realm(name, claim, lifespan):
    claims = [{"name": claim, "user-property": "username", "type": "string", "mandatory": True}]
    return {
        "module": "oidc",
        "name": name,
        "display_name": name,
        "parameters": {
            "iss": f"{BASE}/api/{name}",
            "jwks-private": json.dumps({"keys": [private_jwk(f"{name}-1")]}),
            "jwt-type": "rsa",
            "jwt-key-size": "256",
            "access-token-duration": lifespan,
            "refresh-token-duration": 1209600,
            "code-duration": 600,
            "refresh-token-rolling": True,
            "allow-non-oidc": False,
            "auth-type-code-enabled": True,
            "auth-type-token-enabled": False,
            "auth-type-id-token-enabled": True,
            "auth-type-refresh-enabled": True,
            "jwks-show": True,
            "claims": claims,
            "additional-parameters": [{"user-parameter": "username", "token-parameter": claim}],
        },
    }


def setup(realms, claim, lifespan):
    make_certificates()
    api = configure()
    for name in realms:
        api.ask("POST", "/mod/plugin/", realm(name, claim, lifespan))
    api.ask("POST", "/client/", {
        "client_id": "slurm", "name": "slurm", "confidential": False, "enabled": True, "redirect_uri": [REDIRECT],
        "authorization_type": ["code", "id_token", "refresh_token"], "scope": [],
        "token_endpoint_auth_method": ["none"],
    })
    for user in USERS:
        api.ask("POST", "/user/", {
            "username": user, "name": user, "password": PASSWORD, "enabled": True, "scope": ["openid", "g_profile"],
        })


def change_keys(name, change):
    """Gives a realm other keys, and makes it load them."""
    api = Api()
    plugin = api.ask("GET", f"/mod/plugin/{name}")
    keys = json.loads(plugin["parameters"]["jwks-private"])["keys"]
    plugin["parameters"]["jwks-private"] = json.dumps({"keys": change(keys)})
    api.ask("PUT", f"/mod/plugin/{name}", plugin)
    api.ask("PUT", f"/mod/plugin/{name}/reset")


def show(name):
    tls = ssl.create_default_context(cafile=str(CA))
    with urllib.request.urlopen(f"{BASE}/api/{name}/jwks", context=tls, timeout=20) as answer:
        print(" ".join(key["kid"] for key in json.load(answer)["keys"]))


def token(kid, claim):
    key = serialization.load_pem_private_key(GATEWAY_KEY.read_bytes(), None)
    parts = {"alg": "RS256", "kid": kid}, {"exp": int(time.time()) + 3600, "iat": int(time.time()), claim: "alice"}
    texts = (json.dumps(part).encode() for part in parts)
    signed = ".".join(base64.urlsafe_b64encode(text).rstrip(b"=").decode() for text in texts)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    print(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["setup", "rotate", "withdraw", "show", "token"])
    parser.add_argument("realms", nargs="+")
    parser.add_argument("--claim", default="preferred_username")
    parser.add_argument("--lifespan", type=int, default=3600)
    chosen = parser.parse_args()
    name = chosen.realms[0]
    if chosen.what == "token":
        token(name, chosen.claim)
        return
    if chosen.what == "setup":
        setup(chosen.realms, chosen.claim, chosen.lifespan)
    elif chosen.what == "rotate":
        change_keys(name, lambda keys: [private_jwk(f"{name}-{int(keys[0]['kid'].rpartition('-')[2]) + 1}"), *keys])
    elif chosen.what == "withdraw":
        change_keys(name, lambda keys: keys[:1])
    show(name)


if __name__ == "__main__":
    main()
