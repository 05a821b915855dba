# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on the proxy, each with its expected outcome: python3 attacks.py KIND VERSION FOLDER

Run on the proxy's host, where port 443 is the proxy. If port 8443 is one that lets headers through (naive.conf),
attacks by headers have to succeed with that: else they would prove nothing. KIND is basic, hook, certificate or openid;
FOLDER has certificates, and tokens.json. Jobs show in whose name a request was answered: alice and bob have some
each, called by their owner's name; everybody sees their own, SlurmUser and root all.

Prints a line for each attack that did not end as it has to, and then one that counts them.
"""

import base64
import json
import pathlib
import re
import socket
import ssl
import sys

KIND, VERSION, FOLDER = sys.argv[1:4]
TOKENS = json.loads(pathlib.Path(FOLDER, "tokens.json").read_text(encoding="utf-8")) if KIND == "openid" else {}
JOBS = f"/slurm/{VERSION}/jobs"
PROXY, NAIVE = 443, 8443
ALICE, REFUSED, OTHERS = "alice", "refused", "others"
REFUSALS = {400, 401, 403, 404, 405, 408, 411, 413, 414, 429, 431, 494, 501, 505}


def ask(port, data, certificate):
    """All answers until the connection ends, or a timeout."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(f"{FOLDER}/{certificate}.pem")
    answer = b""
    raw = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        with context.wrap_socket(raw, server_hostname=socket.gethostname()) as channel:
            channel.sendall(data)
            while chunk := channel.recv(65536):
                answer += chunk
    except (OSError, ssl.SSLError):
        pass
    return answer


def outcome(answer):
    """Whose jobs were shown, or that none were. The worst of several answers counts."""
    owners = set(re.findall(rb'"name": *"(alice|bob)"', answer))
    codes = [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer) if code != b"100"]
    if owners - {b"alice"}:
        return OTHERS
    if owners == {b"alice"}:
        return ALICE
    if 200 in codes:
        return "let through"
    return REFUSED if set(codes) <= REFUSALS else f"codes {codes}"


def basic(user, password="lab"):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def who(user):
    """The user's credentials: a header, and the name of a certificate."""
    if KIND == "openid":
        return [bearer(TOKENS["good"][user])], None
    return ([], user) if KIND == "certificate" else ([basic(user)], None)


# In lower case it is "k", and kim is a user.
KELVIN = "\u212a"


def bearer(token):
    return f"Authorization: Bearer {token}"


def naive_is_there():
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", NAIVE)) == 0


def get(path=JOBS, headers=(), method="GET", body="", target=None, version="HTTP/1.1", end="\r\n"):
    lines = [f"{method} {target or path} {version}", "Host: rest", "Connection: close", *headers, "", body]
    return end.join(lines).encode("utf-8", "surrogateescape")


MINE, CERTIFICATE = who("alice")
ATTACKS = []


def attack(name, data, expected, naive=None, certificate=CERTIFICATE):
    ATTACKS.append((name, data, expected if isinstance(expected, tuple) else (expected,), naive, certificate))


# -- headers in addition to alice's credentials. The last column: the outcome with the naive proxy ---------------------

for header, expected, naive in (
    ("X-Harmless: yes", ALICE, ALICE),
    ("X-SLURM-USER-NAME: root", ALICE, OTHERS),
    ("X-SLURM-USER-NAME: bob", ALICE, OTHERS),
    ("X-SLURM-USER-NAME: slurm", ALICE, OTHERS),
    ("X-SLURM-USER-NAME: 0", ALICE, OTHERS),
    ("x-slurm-user-name: root", ALICE, OTHERS),
    ("X-Slurm-User-Name: root", ALICE, OTHERS),
    ("x-SLURM-uSER-nAME:root", ALICE, OTHERS),
    ("X-SLURM-USER-NAME:\troot", (ALICE, REFUSED), None),
    ("X-SLURM-USER-NAME : root", (ALICE, REFUSED), None),
    ("X_SLURM_USER_NAME: root", (ALICE, REFUSED), OTHERS),
    ("X-SLURM_USER-NAME: root", (ALICE, REFUSED), OTHERS),
    ("x_slurm_user_name: root", (ALICE, REFUSED), OTHERS),
    ("X.SLURM.USER.NAME: root", (ALICE, REFUSED), None),
    ("X-SLURM-USER-NAME: alice\r\nX-SLURM-USER-NAME: root", (ALICE, REFUSED), None),
    ("X-SLURM-USER-NAME: root\r\nX-SLURM-USER-NAME: alice", (ALICE, REFUSED), None),
    ("X-SLURM-USER-NAME: alice, root", ALICE, OTHERS),
    ("X-SLURM-USER-NAME:", ALICE, None),
    ("X-SLURM-USER-NAME:\r\n root", (ALICE, REFUSED), None),
    ("X-Harmless: yes\r\n X-SLURM-USER-NAME: root", (ALICE, REFUSED), None),
    ("X-Harmless: yes\nX-SLURM-USER-NAME: root", (ALICE, REFUSED), OTHERS),
    ("X-Harmless: yes\rX-SLURM-USER-NAME: root", (ALICE, REFUSED), None),
    ("X-Harmless: yes\0\r\nX-SLURM-USER-NAME: root", (ALICE, REFUSED), None),
    ("\x00X-SLURM-USER-NAME: root", (ALICE, REFUSED), None),
    ("X-SLURM-USER-TOKEN: x", ALICE, REFUSED),
    ("x-slurm-user-token: x", ALICE, REFUSED),
    ("X_SLURM_USER_TOKEN: x", (ALICE, REFUSED), REFUSED),
    ("X-SLURM-USER-TOKEN:", ALICE, None),
    ("X-SLURM-USER-TOKEN: x\r\nX-SLURM-USER-TOKEN: y", (ALICE, REFUSED), REFUSED),
    ("Connection: X-SLURM-USER-NAME", ALICE, None),
    ("Connection: close, X-SLURM-USER-NAME, X-SLURM-USER-TOKEN", ALICE, None),
    ("X-Name: root", ALICE, None),
    ("X-User: root", ALICE, None),
    ("Remote-User: root", ALICE, None),
    ("X-Remote-User: root", ALICE, None),
    ("X-Forwarded-User: root", ALICE, None),
    ("X-Forwarded-For: 127.0.0.1", ALICE, None),
    ("X-Original-URL: /slurm_jwt_proxy/health", ALICE, None),
    ("X-Rewrite-URL: /slurm_jwt_proxy/health", ALICE, None),
    ("X-Accel-Redirect: /slurm_jwt_proxy/health", ALICE, None),
    ("X-HTTP-Method-Override: DELETE", ALICE, None),
    ("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", ALICE, None),
    ("Sec-Fetch-Site: cross-site", REFUSED, ALICE),
    ("X-Large: " + "x" * 20000, (ALICE, REFUSED), None),
):
    attack(f"header {header[:60]!r}", get(headers=[*MINE, header]), expected, naive)
    attack(f"before {header[:60]!r}", get(headers=[header, *MINE]), expected, naive)

for trailer in ("X-SLURM-USER-NAME: root", "X_SLURM_USER_NAME: root", "X-SLURM-USER-TOKEN: x"):
    chunked = ["Transfer-Encoding: chunked", "Trailer: X-SLURM-USER-NAME", "TE: trailers"]
    ended = get(headers=[*MINE, *chunked], body=f"1\r\n \r\n0\r\n{trailer}\r\n\r\n")
    attack(f"trailer {trailer!r}", ended, (ALICE, REFUSED))

# -- other credentials in addition to the right ones, and none --------------------------------------------------------

attack("no proof at all", get(), REFUSED, None, None)
attack("a name alone", get(headers=["X-SLURM-USER-NAME: alice"]), REFUSED, ALICE, None)
attack("bearer alone", get(headers=["Authorization: Bearer x"]), REFUSED, None, None)
attack("bearer beside it", get(headers=[*MINE, "Authorization: Bearer x"]), (ALICE, REFUSED))
attack("bearer before it", get(headers=["Authorization: Bearer x", *MINE]), (ALICE, REFUSED))
if KIND in ("basic", "hook"):
    attack("wrong password", get(headers=[basic("alice", "wrong")]), REFUSED)
    attack("no password", get(headers=[basic("alice", "")]), REFUSED)
    attack("a second name", get(headers=[*MINE, basic("root")]), (ALICE, REFUSED))
    attack("a second name, first", get(headers=[basic("root"), *MINE]), (ALICE, REFUSED))
    attack("another name without its password", get(headers=[*MINE, basic("bob", "x")]), (ALICE, REFUSED))
    attack("another name without its password, first", get(headers=[basic("bob", "x"), *MINE]), (ALICE, REFUSED))
    attack("what follows base64", get(headers=[MINE[0] + "cm9vdDpsYWI="]), (ALICE, REFUSED))
    attack("two names in one", get(headers=[MINE[0] + ", " + basic("root").partition(" ")[2]]), (ALICE, REFUSED))
    for name in (
        "alice\r\nX-Name: root", "alice\nX-User: root", "alice\0root", "root\0", "alice\x7f", "../alice", "alice:root",
        KELVIN + "im", "kim@" + KELVIN + "example.org", "kim\u00a0", "\x1fkim", "kim\x85", "{SSHA}", "#",
    ):
        attack(f"user {name!r}", get(headers=[basic(name)]), REFUSED)
    for name in ("", " ", "al,ice", "alice bob", "alice,root", "a" * 300, "aliceé", "bob@elsewhere.example"):
        attack(f"user {name[:20]!r}", get(headers=[basic(name)]), REFUSED)
    attack("user alice.liddell@example.org", get(headers=[basic("alice.liddell@example.org")]), ALICE)
    attack("user bob@example.org", get(headers=[basic("bob@example.org")]), OTHERS)
elif KIND == "openid":
    for name, token in TOKENS["bad"].items():
        attack(f"token {name}", get(headers=[bearer(token)]), REFUSED)
    good = TOKENS["good"]["alice"]
    attack("a token and another one", get(headers=[*MINE, bearer(TOKENS["good"]["bob"])]), (ALICE, REFUSED))
    attack("two tokens in one", get(headers=[MINE[0] + ", Bearer " + TOKENS["good"]["bob"]]), REFUSED)
    attack("a token in the query", get(JOBS + "?access_token=" + good), REFUSED)
    attack("a token in a cookie", get(headers=["Cookie: access_token=" + good]), REFUSED)
    attack("a token as a password", get(headers=[basic("alice", good)]), REFUSED)
    attack("a token and a password", get(headers=[basic("root"), *MINE]), (ALICE, REFUSED))
    attack("a token in lower case", get(headers=[MINE[0].replace("Bearer", "bearer")]), ALICE)
    attack("a token cut short", get(headers=[MINE[0][:-2]]), REFUSED)
    attack("a token without a signature", get(headers=[MINE[0].rpartition(".")[0] + "."]), REFUSED)
    attack("user alice.liddell@example.org", get(headers=who("alice.liddell@example.org")[0]), ALICE)
    attack("user bob@example.org", get(headers=who("bob@example.org")[0]), OTHERS)
    for name in (
        "", " ", "al,ice", "alice bob", "alice\nX-User: root", "aliceé", "a" * 300, "bob@elsewhere.example",
        KELVIN + "im", "kim\u00a0", "kim@example.org\u00a0",
    ):
        attack(f"user {name[:20]!r}", get(headers=who(name)[0]), REFUSED)
else:
    for name in (
        "forged", "expired", "none", "twice", "plus", "comma", "newline", "long", "accent", "alice root", "lower",
        "joined", "kelvin",
    ):
        attack(f"certificate {name}", get(), REFUSED, None, name)
    attack("certificate both", get(), ALICE, None, "both")
    attack("certificate nemo and a password", get(headers=[basic("alice")]), REFUSED, None, "nemo")
for name in ("root", "toor", "slurm", "slurm2", "daemon", "nobody", "nemo", "eve", "0", "64030"):
    proof, certificate = who(name)
    attack(f"user {name}", get(headers=proof), REFUSED, None, certificate)
proof, certificate = who("Alice")
attack("user Alice", get(headers=proof), ALICE, None, certificate)
proof, certificate = who("bob")
attack("bob is another user than alice", get(headers=proof), OTHERS, None, certificate)

# -- paths and methods ------------------------------------------------------------------------------------------------

for path in (
    "/", "/slurm", "/SLURM/" + JOBS[7:], "/" + JOBS, JOBS.replace("/jobs", "//jobs"), "/x/.." + JOBS,
    "/slurm/.." + JOBS, "/slurm/%2e%2e" + JOBS, "/slurm/.%2E" + JOBS, "/slurm/./" + JOBS[7:], JOBS + "/.", JOBS + "/..",
    JOBS + "/%2e%2e/diag",
    JOBS + ";x=1", JOBS + "%3bx", JOBS.replace("/jobs", "%2fjobs"), JOBS.replace("/jobs", "%5cjobs"),
    JOBS.replace("/jobs", "\\jobs"), JOBS + "%00", JOBS + "%0d%0aX-SLURM-USER-NAME:%20root", JOBS + "%252e",
    "/%73lurm/.." + JOBS,
    JOBS + "\t", JOBS + "\x01", "slurm", "*", "/slurm_jwt_proxy/user", "/slurm_jwt_proxy/health", "/metrics", "/config",
    "/healthz/../" + JOBS[1:], JOBS + "#/healthz",
):
    attack(f"path {path!r}", get(path, MINE), REFUSED)
attack("path within an address", get(target=f"http://127.0.0.1:6820{JOBS}", headers=MINE), (ALICE, REFUSED))
attack("path within an address with a user", get(target=f"https://root@rest{JOBS}", headers=MINE), (ALICE, REFUSED))
for method in ("PATCH", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "get", "GET\0", "X" * 300):
    attack(f"method {method[:20]!r}", get(headers=MINE, method=method), REFUSED)
attack("HTTP/0.9", f"GET {JOBS}\r\n".encode(), (ALICE, REFUSED))
attack("HTTP/1.0", get(headers=MINE, version="HTTP/1.0"), (ALICE, REFUSED))
attack("HTTP/2.0", get(headers=MINE, version="HTTP/2.0"), REFUSED)

# -- requests with an ambiguous end ------------------------------------------------------------------------------------

HIDDEN = get(headers=["X-SLURM-USER-NAME: root"]).decode()
LENGTH = len(HIDDEN)


def smuggle(name, headers, body, end="\r\n"):
    keep = [f"GET {JOBS} HTTP/1.1", "Host: rest", *MINE, *headers, "", ""]
    attack(f"smuggled {name}", (end.join(keep) + body).encode(), (ALICE, REFUSED))


smuggle("CL.TE", [f"Content-Length: {LENGTH + 5}", "Transfer-Encoding: chunked"], "0\r\n\r\n" + HIDDEN)
smuggle("TE.CL", ["Content-Length: 4", "Transfer-Encoding: chunked"], f"{LENGTH:x}\r\n{HIDDEN}\r\n0\r\n\r\n")
smuggle("TE.TE", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n" + HIDDEN)
for coding in (
    "xchunked", "chunked, identity", "identity, chunked", " chunked", "\x0bchunked", "chunked\x00", "CHUNKED",
):
    both = [f"Transfer-Encoding: {coding}", "Content-Length: 5"]
    smuggle(f"Transfer-Encoding: {coding!r}", both, "0\r\n\r\n" + HIDDEN)
smuggle("Transfer-Encoding with a blank", ["Transfer-Encoding : chunked", "Content-Length: 5"], "0\r\n\r\n" + HIDDEN)
smuggle("Transfer_Encoding", ["Transfer_Encoding: chunked", "Content-Length: 0"], HIDDEN)
smuggle("two lengths", ["Content-Length: 0", f"Content-Length: {LENGTH}"], HIDDEN)
smuggle("two lengths in one", [f"Content-Length: 0, {LENGTH}"], HIDDEN)
smuggle("a negative length", [f"Content-Length: -{LENGTH}"], HIDDEN)
smuggle("a length with a sign", [f"Content-Length: +{LENGTH}"], HIDDEN)
smuggle("an octal length", ["Content-Length: 0x0"], HIDDEN)
smuggle("a length of a GET", [f"Content-Length: {LENGTH}"], HIDDEN)
smuggle("no length", [], HIDDEN)
smuggle("bare LF", [f"Content-Length: {LENGTH}"], HIDDEN, end="\n")
smuggle("bare LF in chunks", ["Transfer-Encoding: chunked"], f"0\n\n{HIDDEN}")
smuggle("chunk extension", ["Transfer-Encoding: chunked"], f"1;x=\n\r\n0\r\n\r\n\r\n0\r\n\r\n{HIDDEN}")
smuggle("chunk of an overlong size", ["Transfer-Encoding: chunked"], f"{'f' * 17}0\r\n{HIDDEN}")
smuggle("Expect", ["Expect: 100-continue", f"Content-Length: {LENGTH}"], HIDDEN)


def main():
    wrong = 0
    by_naive = 0
    naive_too = naive_is_there()
    for name, data, expected, naive, certificate in ATTACKS:
        actual = outcome(ask(PROXY, data, certificate))
        if actual not in expected:
            wrong += 1
            print(f"{name}: {actual}, and not {' or '.join(expected)}")
        if naive and naive_too:
            by_naive += 1
            actual = outcome(ask(NAIVE, data, certificate))
            if actual != naive:
                wrong += 1
                print(f"{name}: the naive proxy answers {actual}, and not {naive}")
    print(f"{len(ATTACKS)} attacks, {by_naive} of them on the naive proxy, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
