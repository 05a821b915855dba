# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the proxy as a client would: python3 -I -S -c TEXT HOST:PORT NAME PATH

Two requests, each in a TLS session for NAME: /healthz, until it is good or five seconds have passed, and PATH without
authentication, in the name of root. Prints both statuses as JSON, 0 for no answer, and the error. The certificate is
not verified, because this host need not know its authority.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import time

HEALTH_SECONDS = 5.0


class Connection(http.client.HTTPSConnection):
    """To an address, with another name as SNI. If the name is a pattern, no SNI is sent."""

    def __init__(self, address: str, name: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        super().__init__(address, timeout=10, context=self.context)
        self.name = name if name.replace("-", "").replace(".", "").replace("_", "").isalnum() else None

    def connect(self) -> None:
        connected = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self.context.wrap_socket(connected, server_hostname=self.name)


def ask(address: str, name: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    connection = Connection(address, name)
    try:
        connection.request("GET", path, headers={"Host": name, "Connection": "close", **headers})
        answer = connection.getresponse()
        return answer.status, " ".join(answer.read(200).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()


def main(address: str, name: str, path: str) -> dict[str, object]:
    begin = time.monotonic()
    health, text = ask(address, name, "/healthz", {})
    while health != 200 and time.monotonic() < begin + HEALTH_SECONDS:
        time.sleep(1)
        health, text = ask(address, name, "/healthz", {})
    unauthenticated, _text = ask(address, name, path, {"X-SLURM-USER-NAME": "root"})
    return {"health": health, "text": text, "unauthenticated": unauthenticated}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
