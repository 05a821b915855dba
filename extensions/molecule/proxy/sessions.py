# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS sessions that must be refused, and a body without a header: python3 sessions.py VERSION FOLDER BACKEND

Run on the proxy's host, which takes certificates, beside another server of the site's at the same port, foreign-*.conf.
slurmrestd is stopped: this program listens on BACKEND in its place, and records what the proxy sends.

Prints a line for each check that did not end as it has to, and then one that counts them.
"""

import pathlib
import re
import socket
import ssl
import subprocess
import sys
import threading

VERSION, FOLDER, BACKEND = sys.argv[1:4]
OURS, FOREIGN = socket.gethostname(), "elsewhere.example"
PATH = f"/slurm/{VERSION}/ping"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
received: list[bytes] = []


def stand_in():
    """Answers each request, and records all of them."""
    pathlib.Path(BACKEND).parent.mkdir(exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(BACKEND)
    pathlib.Path(BACKEND).chmod(0o777)
    server.listen()
    threading.Thread(target=serve, args=(server,), daemon=True).start()


def serve(server):
    while True:
        channel, _peer = server.accept()
        channel.settimeout(0.3)
        data = b""
        try:
            while chunk := channel.recv(65536):
                data += chunk
        except socket.timeout:
            pass
        received.append(data)
        channel.sendall(ANSWER)
        channel.close()


def context_for(certificate, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(f"{FOLDER}/{certificate}.pem")
    return context


def ask(context, name, session=None):
    """The status, the session and whether it was resumed. name is the client's SNI."""
    answer = b""
    try:
        raw = socket.create_connection(("127.0.0.1", 443), timeout=5)
        with context.wrap_socket(raw, server_hostname=name, session=session) as channel:
            channel.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {OURS}\r\nConnection: close\r\n\r\n".encode())
            while chunk := channel.recv(65536):
                answer += chunk
            session, reused = channel.session, channel.session_reused
    except OSError:
        return 0, None, False
    status = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(status[1]) if status else 0, session, reused


def checks():
    """The attempts, and whether they ended as expected."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        stranger, alice = context_for("forged", version), context_for("alice", version)
        yield f"{version.name}: alice", ask(alice, OURS)[0] == 200
        for name in (OURS, None, FOREIGN):
            yield f"{version.name}: a foreign authority's alice, who asks for {name}", ask(stranger, name)[0] != 200
        _status, session, _reused = ask(stranger, FOREIGN)
        for name in (OURS, None):
            taken_up = ask(stranger, name, session)[0]
            yield f"{version.name}: {FOREIGN}'s session, taken up for {name}", taken_up != 200
        _status, session, _reused = ask(alice, OURS)
        status, _session, reused = ask(alice, OURS, session)
        yield f"{version.name}: alice's session, taken up again", not (reused and status == 200)
    for protocol in ("--http1.1", "--http2"):
        for words in (["--data", "hidden"], ["--upload-file", "-"]):
            received.clear()
            argv = ["curl", "--silent", "--insecure", "--output", "/dev/null", protocol, "--request", "GET", *words,
                    "--header", "Expect:", "--cert", f"{FOLDER}/alice.pem", f"https://{OURS}{PATH}"]
            subprocess.run(argv, input=b"hidden", check=False)
            heads = [data.lower().partition(b"\r\n\r\n") for data in received]
            bodies = [body or b"chunks" for head, _blank, body in heads if body or b"transfer-encoding" in head]
            yield f"{protocol} {words[0]}: a body with a GET: {bodies}", not bodies


def main():
    stand_in()
    done = list(checks())
    wrong = [name for name, right in done if not right]
    for name in wrong:
        print(name)
    print(f"{len(done)} checks, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
