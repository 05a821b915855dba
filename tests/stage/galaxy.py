# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Galaxy's API on loopback as ansible-galaxy asks when it installs a collection by name and version."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml


def member(tarball: Path, name: str) -> bytes:
    with tarfile.open(tarball) as archive:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()


def manifest(tarball: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads(member(tarball, "MANIFEST.json"))["collection_info"]
    return info


def answers(tarballs: list[Path], address: str) -> Mapping[str, object]:
    """Path -> what is answered: data, or the content of a file."""
    found: dict[str, object] = {"/api/": {"available_versions": {"v3": "v3/"}}}
    versions: dict[str, list[dict[str, str]]] = {}
    for tarball in tarballs:
        info = manifest(tarball)
        namespace, name, version = info["namespace"], info["name"], info["version"]
        collection = f"/api/v3/collections/{namespace}/{name}/"
        versions.setdefault(collection, []).append({"version": version, "href": f"{collection}versions/{version}/"})
        found[f"/download/{tarball.name}"] = tarball.read_bytes()
        found[f"{collection}versions/{version}/"] = {
            "namespace": {"name": namespace},
            "collection": {"name": name},
            "version": version,
            "href": f"{collection}versions/{version}/",
            "download_url": f"{address}/download/{tarball.name}",
            "artifact": {"filename": tarball.name, "sha256": hashlib.sha256(tarball.read_bytes()).hexdigest()},
            "metadata": {"dependencies": info["dependencies"]},
            "requires_ansible": yaml.safe_load(member(tarball, "meta/runtime.yml"))["requires_ansible"],
            "signatures": [],
        }
    for collection, listed in versions.items():
        found[collection] = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        found[f"{collection}versions/"] = {"meta": {"count": len(listed)}, "links": {"next": None}, "data": listed}
    return found


@contextlib.contextmanager
def serve(tarballs: list[Path]) -> Iterator[str]:
    """Serves tarballs, and gives the address for ansible-galaxy."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = known.get(self.path.partition("?")[0])
            body = answer if isinstance(answer, bytes) else json.dumps(answer or {"code": "not_found"}).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        known = answers(tarballs, address)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"{address}/api/"
        finally:
            server.shutdown()
