# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own program that authenticates users: python3 who.py SOCKET

Anyone who says a name and the password "lab" is that.
"""

import base64
import binascii
import http.server
import os
import socketserver
import sys


class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = ""
        try:
            kind, _blank, proof = self.headers.get("Authorization", "").partition(" ")
            name, _colon, password = base64.b64decode(proof, validate=True).decode().rpartition(":")
        except (binascii.Error, UnicodeDecodeError):
            kind = ""
        if kind != "Basic" or password != "lab" or not name.isprintable() or not name.isascii():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="site"')
        else:
            self.send_response(200)
            self.send_header("X-Remote-User", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Here(socketserver.ThreadingUnixStreamServer):
    # More than concurrent requests.
    request_queue_size = 128

    def server_bind(self):
        super().server_bind()
        os.chmod(self.server_address, 0o666)

    def get_request(self):
        # A Unix socket has no client address.
        return super().get_request()[0], ("here", 0)


if __name__ == "__main__":
    Here(sys.argv[1], Who).serve_forever()
