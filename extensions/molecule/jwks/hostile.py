# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two more providers of keys on one host, an honest one and a hostile one, without the collection:
python3 hostile.py setup|serve|lie|again|token ...

setup            keys for both, and what each publishes at first: honest-1 and evil-1
serve            https://idp1:4600/honest and /hostile; 500 for what is not there
lie FILE         have the hostile one publish, beside its own key, all that may harm the keys of others in a key set:
                 their moduli with a made up private part and under other kids, their kids for its own key, and a flood
again            have the hostile one publish the modulus of evil-1 under other kids and with another exponent
token KEY KID    print a token for alice that this key has signed
"""

import base64
import http.server
import json
import math
import pathlib
import secrets
import ssl
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PLACE = pathlib.Path("/root/providers")
SMALL = math.prod(each for each in range(3, 65536, 2) if all(each % other for other in range(3, min(each, 257), 2)))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def load(name):
    return serialization.load_pem_private_key((PLACE / f"{name}.pem").read_bytes(), None)


def public(name, kid):
    numbers = load(name).public_key().public_numbers()
    return {"kty": "RSA", "alg": "RS256", "kid": kid, "n": number(numbers.n), "e": number(numbers.e)}


def publish(name, keys):
    (PLACE / name).write_text(json.dumps({"keys": keys}))


def setup():
    PLACE.mkdir()
    for name in ("honest", "evil", "second"):
        form, cipher = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = rsa.generate_private_key(65537, 2048).private_bytes(serialization.Encoding.PEM, form, cipher)
        (PLACE / f"{name}.pem").write_bytes(pem)
    publish("honest", [public("honest", "honest-1")])
    publish("hostile", [public("evil", "evil-1")])


def modulus():
    """A number that looks like a modulus."""
    while True:
        candidate = secrets.randbits(2048) | 1 << 2047 | 1
        if math.gcd(candidate, SMALL) == 1:
            return number(candidate)


def lie(path):
    keys = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["keys"]
    victims = [key for key in keys if key["kid"] != "evil-1"]
    keys = [public("evil", "evil-1")]
    for index, key in enumerate(victims):
        keys.append({**key, "kid": f"leak-{index}", "d": "AQAB"})
        keys.append({**key, "kid": f"copy-{index}"})
        keys.append({**public("second", key["kid"])})
    keys += [{**public("evil", f"flood-{index}"), "n": modulus()} for index in range(98 - len(keys))]
    publish("hostile", keys)


def again():
    publish("hostile", [public("evil", "again"), {**public("evil", "other"), "e": "Aw"}, public("second", "new-1")])


def token(name, kid):
    parts = {"alg": "RS256", "typ": "JWT", "kid": kid}, {
        "exp": int(time.time()) + 7200, "iat": int(time.time()), "sun": "alice", "preferred_username": "alice",
    }  # fmt: skip
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    print(f"{signed}.{encode(load(name).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = PLACE / self.path.strip("/")
        if self.path not in ("/honest", "/hostile") or not page.exists():
            self.send_error(500)
            return
        data = page.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/glewlwyd/cert.pem", "/etc/glewlwyd/cert.key")
    server = http.server.ThreadingHTTPServer(("", 4600), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    {"setup": setup, "serve": serve, "lie": lie, "again": again, "token": token}[sys.argv[1]](*sys.argv[2:])
