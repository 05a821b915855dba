"""A site's own program that knows who somebody is: python3 who.py PORT

Whoever says a name and the password "lab" is that.
"""

import base64
import binascii
import http.server
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


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Who).serve_forever()
