# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd timers that run one command once, even if the run that set them is killed. Private to this collection."""

from __future__ import annotations

from typing import Callable, Sequence, Tuple

Run = Callable[[Sequence[str]], Tuple[int, str, str]]


def begin(run: Run, name: str, seconds: int, argv: Sequence[str]) -> tuple[int, str]:
    """Have systemd run a command in so many seconds. Returns exit code and errors of systemd-run."""
    code, dummy_out, err = run(
        ["systemd-run", "--quiet", "--collect", "--unit", name, "--on-active", str(seconds), *argv]
    )
    return code, err.strip()


def end(run: Run, name: str) -> None:
    """Cancel the timer. Harmless if there is none."""
    run(["systemctl", "stop", f"{name}.timer"])
