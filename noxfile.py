# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The groups of tests/stage/all.py under the names that other collections have: nox -e lint, nox -e unit, ..."""

import nox

# tests/setup makes the only virtual environment.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "unit"]


def run(session: nox.Session, group: str) -> None:
    session.run("make", "setup", external=True)
    session.run("tests/run", *(session.posargs or [group]), external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, documentation, changelog, imports."""
    run(session, "lint")


@nox.session
def unit(session: nox.Session) -> None:
    """Unit tests."""
    run(session, "unit")


@nox.session
def sanity(session: nox.Session) -> None:
    """ansible-test sanity of every supported ansible-core; one of them: nox -e sanity -- sanity-2.21."""
    run(session, "sanity")


@nox.session
def conformance(session: nox.Session) -> None:
    """Real daemons as the oracle of configurations and key sets; as root."""
    run(session, "conformance")


@nox.session
def molecule(session: nox.Session) -> None:
    """Every scenario of make test; one of them: nox -e molecule -- molecule/remove. As root."""
    run(session, "molecule")


@nox.session
def docs(session: nox.Session) -> None:
    """The HTML documentation, without a warning."""
    run(session, "docs")


@nox.session
def build_import_check(session: nox.Session) -> None:
    """A release rehearsed: changelog, tarball, Galaxy's import, installation by name."""
    run(session, "tarball")
