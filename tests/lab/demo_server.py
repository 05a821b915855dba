# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's web server, on hosts of its cluster: the report at /, and what Prometheus would read at /metrics."""

from __future__ import annotations

import http.server
import sys
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    report = Path()
    metrics = Path()

    def do_GET(self) -> None:
        if self.path == "/metrics":
            texts = [path.read_text() for path in sorted(self.metrics.glob("*.prom"))]
            self.answer("text/plain; version=0.0.4", "".join(texts).encode())
        elif self.path == "/" and self.report.is_file():
            self.answer("text/html; charset=utf-8", self.report.read_bytes())
        else:
            self.send_error(404)

    def answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    Handler.report, Handler.metrics = Path(sys.argv[1]), Path(sys.argv[2])
    http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
