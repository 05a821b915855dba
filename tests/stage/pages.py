# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the documentation that are generated from the code.

pages.py          writes them
pages.py --check  fails if one of them is out of date
"""

from __future__ import annotations

import sys

import dashboard
import imports
import releases_page
import troubleshooting_page

PAGES = {
    releases_page.PAGE: lambda: releases_page.page(releases_page.load()),
    troubleshooting_page.PAGE: troubleshooting_page.page,
    imports.PAGE: imports.page,
    dashboard.DASHBOARD: dashboard.dashboard,
    dashboard.PAGE: dashboard.page,
}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: pages.py [--check]")
        return 2
    stale = 0
    for path, made in PAGES.items():
        text, name = made(), path.relative_to(releases_page.ROOT)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if arguments:
            print(f"{name} is out of date. Run: .work/venv/bin/python tests/stage/pages.py")
            stale += 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
