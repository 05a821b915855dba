# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of HTML pages with a headless Chromium, if this machine has one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET = "apt-get install --no-install-recommends chromium fonts-dejavu-core"


def find() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def picture(browser: str, page: Path, target: Path, width: int, height: int) -> None:
    """A picture of the upper part of a page."""
    # Not below .work: a long path is too long for the browser's sockets.
    with tempfile.TemporaryDirectory(prefix="picture-") as profile:
        made = Path(profile) / "picture.png"
        words = [
            browser,
            "--headless=new",
            # It refuses to run as root with a sandbox. It only sees pages that we have made.
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            f"--screenshot={made}",
            page.resolve().as_uri(),
        ]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if not made.exists() or not made.stat().st_size:
            raise RuntimeError(f"{browser} made no picture of {page}: {done.stderr[-2000:]}")
        shutil.move(made, target)
