# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes tokens by hand from a key file, without the collection: only RFC 7519 and hashlib.

Prints one JSON object, case -> token. Run on the controller by a user who can read the key.
"""

import base64
import hashlib
import hmac
import json
import sys
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key, header=None, **claims):
    now = int(time.time())
    parts = [
        dict({"alg": "HS256", "typ": "JWT"}, **header or {}),
        dict({"iat": now, "exp": now + 3600, "sun": "alice"}, **claims),
    ]
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    if parts[0]["alg"] == "none":
        return signed + "."
    return signed + "." + encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def main():
    with open(sys.argv[1], "rb") as file:
        key = file.read()
    print(
        json.dumps(
            {
                "good": token(key),
                "expired": token(key, exp=int(time.time()) - 60),
                "forged": token(bytes(32)),
                "unsigned": token(key, header={"alg": "none"}),
            }
        )
    )


if __name__ == "__main__":
    main()
