# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends the proxy requests as alice, ten per second, until it is stopped: traffic.py VERSION FILE

FILE gets the number of answers of each status, and the number of answers by mallory.
"""

import base64
import collections
import http.client
import json
import pathlib
import ssl
import sys
import time

counts = collections.Counter()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
headers = {"Authorization": "Basic " + base64.b64encode(b"alice:lab").decode()}
while True:
    connection = http.client.HTTPSConnection("127.0.0.1", 443, timeout=10, context=context)
    try:
        connection.request("GET", f"/slurm/{sys.argv[1]}/diag", headers=headers)
        answer = connection.getresponse()
        counts["by mallory"] += b"mallory" in answer.read()
        counts[str(answer.status)] += 1
    except (OSError, http.client.HTTPException) as error:
        counts[type(error).__name__] += 1
    connection.close()
    # The file may be read at any time.
    written = pathlib.Path(f"{sys.argv[2]}.new")
    written.write_text(json.dumps(counts), encoding="utf-8")
    written.replace(sys.argv[2])
    time.sleep(0.1)
