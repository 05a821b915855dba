# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs a user in at the lab's OpenID provider, as a browser and a portal would, and prints the tokens as JSON:
python3 login.py CA REALM USER

The authorization code flow of OpenID Connect, with nothing of the collection.
"""

import json
import secrets
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

BASE = "https://idp1:4593"
REDIRECT = "https://portal.example.org/callback"
PASSWORD = "the-lab-is-open-to-all"


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow redirects: their target is the result."""

    def redirect_request(self, *args):
        return None


def main():
    authority, realm, user = sys.argv[1:]
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority))
    opener = urllib.request.build_opener(tls, Stay)
    # By hand: Python's cookie jar refuses cookies for a name without dots.
    session = {}

    def ask(method, url, data=None, kind="application/json"):
        headers = {"Content-Type": kind, **session}
        request = urllib.request.Request(url, data and data.encode(), headers, method=method)
        try:
            with opener.open(request, timeout=20) as answer:
                if "Set-Cookie" in answer.headers:
                    session["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
                return answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 302:
                return error.headers, b""
            raise SystemExit(f"{method} {url}: {error.code} {error.read().decode()[:500]}") from None

    _headers, body = ask("GET", f"{BASE}/api/{realm}/.well-known/openid-configuration")
    provider = json.loads(body)
    # The user enters the password, and allows the portal to read the name.
    ask("POST", f"{BASE}/api/auth", json.dumps({"username": user, "password": PASSWORD}))
    ask("PUT", f"{BASE}/api/auth/grant/slurm", json.dumps({"scope": "openid"}))
    query = {
        "response_type": "code", "client_id": "slurm", "redirect_uri": REDIRECT, "scope": "openid",
        "state": secrets.token_hex(8), "nonce": secrets.token_hex(8), "g_continue": "1",
    }
    headers, _body = ask("GET", f"{provider['authorization_endpoint']}?{urllib.parse.urlencode(query)}")
    answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["Location"] or "").query))
    if answer.get("state") != query["state"] or "code" not in answer:
        raise SystemExit(f"no code in {headers['Location']}")
    form = {
        "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": REDIRECT, "client_id": "slurm",
    }
    _headers, body = ask(
        "POST", provider["token_endpoint"], urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
    )
    print(body.decode())


if __name__ == "__main__":
    main()
