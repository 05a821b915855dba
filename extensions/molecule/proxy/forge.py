# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Good and forged tokens of the lab's OpenID provider, as JSON by name:
python3 forge.py REALM NAME...

Run on the provider's host beside provider.py of the scenario jwks. It signs with the provider's own key, as the
provider would for users of these names, so that whatever is refused is refused for what it says.
"""

import base64
import hashlib
import hmac
import json
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from provider import BASE, Api

AUDIENCE = "openid"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


def private_key(jwk):
    public = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"]))
    rest = (number(jwk[name]) for name in ("p", "q", "d", "dp", "dq", "qi"))
    return rsa.RSAPrivateNumbers(*rest, public).private_key()


def main():
    realm, *names = sys.argv[1:]
    jwk = json.loads(Api().ask("GET", f"/mod/plugin/{realm}")["parameters"]["jwks-private"])["keys"][0]
    key, stranger = private_key(jwk), rsa.generate_private_key(65537, 2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    now = int(time.time())

    def token(name="alice", algorithm="RS256", signer=key, header=None, **claims):
        head = {"typ": "at+jwt", "alg": algorithm, "kid": jwk["kid"], **(header or {})}
        body = {
            "iss": f"{BASE}/api/{realm}", "aud": AUDIENCE, "iat": now, "exp": now + 3600,
            "preferred_username": name, **claims,
        }
        body = {claim: value for claim, value in body.items() if value is not None}
        data = ".".join(encode(json.dumps(part).encode()) for part in (head, body))
        if algorithm == "RS256":
            proof = signer.sign(data.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            proof = hmac.new(signer, data.encode(), hashlib.sha256).digest() if algorithm == "HS256" else b""
        return f"{data}.{encode(proof)}"

    bad = {
        "of another audience": token(aud="portal"), "of no audience": token(aud=None),
        "expired": token(exp=now - 1), "without an end": token(exp=None), "not valid yet": token(nbf=now + 3600),
        "of another issuer": token(iss=f"{BASE}/api/other"), "of no issuer": token(iss=None),
        "of a stranger": token(signer=stranger), "of an unknown key": token(signer=stranger, header={"kid": "x"}),
        "alg none": token(algorithm="none"), "alg None": token(algorithm="None"),
        "HS256 with the public key": token(algorithm="HS256", signer=pem),
        "HS256 with nothing": token(algorithm="HS256", signer=b""),
        "of an expiry that never comes": token(exp=1e308), "of a fraction": token(exp=now + 60.5),
        "of a life too long": token(exp=now + 86400 + 60), "of no beginning": token(iat=True),
        "without a name": token(name=None), "of a list of names": token(name=["alice"]),
        "with an x5u": token(signer=stranger, header={"jku": "https://evil.example/", "x5u": "https://evil.example/"}),
        "with a jwk": token(signer=stranger, header={"jwk": {"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}}),
        "critical": token(header={"crit": ["b64"], "b64": False}),
    }
    print(json.dumps({"bad": bad, "good": {name: token(name) for name in names}}))


if __name__ == "__main__":
    main()
