# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source of trusted keys: keys.py HOST FOLDER.

Makes an RSA key, and a certificate for HOST, and serves the key as a key set at https://HOST/keys.json.
"""

import base64
import http.server
import json
import pathlib
import ssl
import subprocess
import sys

host, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(mode=0o700)
for name in ("trusted", "server"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={host}", "-addext",
         f"subjectAltName=DNS:{host}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True,
    )  # fmt: skip
modulus = subprocess.check_output(["openssl", "x509", "-noout", "-modulus", "-in", folder / "trusted.pem"], text=True)
number = base64.urlsafe_b64encode(bytes.fromhex(modulus.strip().partition("=")[2])).rstrip(b"=").decode()
key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "lab-1", "n": number, "e": "AQAB"}
answer = json.dumps({"keys": [key]}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


server = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "server.pem", folder / "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
