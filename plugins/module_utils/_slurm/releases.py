# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each release of Slurm can do with JWT, and what it refuses: the one table for all other code.

Private to the collection hpc.slurm_jwt: no other collection and no playbook may rely on it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"(?<![\d.])(\d{1,2})\.(\d{1,2})(?:\.(\d+))?")
_ANSWER = re.compile(r"slurm(?:-wlm)? (\d{2})\.(\d{2})(?:\.(\d+))?(?![\d.])")


class ReleaseTooOld(Exception):
    """A capability that the installed Slurm does not have. The text names both releases."""


class Release(NamedTuple):
    """A release of Slurm. Releases compare as numbers."""

    major: int
    minor: int
    patch: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor:02d}.{self.patch}"

    @property
    def train(self) -> str:
        """The release in its short form, such as 24.11."""
        return f"{self.major}.{self.minor:02d}"


class Capability(NamedTuple):
    """Something that only some releases do."""

    name: str
    since: Release | None
    """The first release that does it; None if every release does."""
    until: Release | None
    """The first later release that does not do it; None if all do."""
    summary: str
    label: str = ""
    """Its name in an error message, if the identifier would read badly."""


CAPABILITIES: tuple[Capability, ...] = (
    Capability("auth_jwt", Release(20, 2, 0), None, "The plugin auth/jwt exists.", "auth/jwt"),
    Capability(
        "name_override_safe_in_slurmdbd",
        Release(20, 11, 6),
        None,
        "A token of one user with the name of another in C(X-SLURM-USER-NAME) is refused by slurmdbd. "
        "Before this release it kills slurmdbd: any holder of a token can do it through C(/slurmdb).",
        "A slurmdbd that survives a token with another user's name",
    ),
    Capability(
        "jwks",
        Release(21, 8, 0),
        None,
        "C(AuthAltParameters=jwks=FILE): RS256 tokens of an identity provider.",
        "jwks=",
    ),
    Capability(
        "username_claim",
        Release(21, 8, 0),
        None,
        "The user may be named by the claim C(username); before, only by C(sun).",
        "The claim username",
    ),
    Capability(
        "slurmrestd_refuses_root",
        Release(21, 8, 0),
        None,
        "slurmrestd does not start as root.",
        "A slurmrestd that refuses to run as root",
    ),
    Capability(
        "slurmrestd_security_env",
        Release(21, 8, 0),
        None,
        "slurmrestd reads C(SLURMRESTD_SECURITY), for example to start where unshare(2) is forbidden.",
        "SLURMRESTD_SECURITY",
    ),
    Capability(
        "max_token_lifespan",
        Release(22, 5, 0),
        None,
        "C(AuthAltParameters=max_token_lifespan=SECONDS): bounds what C(scontrol token) gives to ordinary users.",
        "max_token_lifespan=",
    ),
    Capability(
        "slurmrestd_survives_slurmdbd_restart",
        Release(22, 5, 0),
        None,
        "slurmrestd lives on when slurmdbd is restarted. 20.11 crashes and has to be started again; with "
        "C(AccountingStorageBackupHost) also at each token that slurmdbd refuses.",
        "A slurmrestd that survives a restart of slurmdbd",
    ),
    Capability(
        "slurmrestd_sockets_for_all",
        Release(22, 5, 7),
        None,
        "slurmrestd opens its Unix sockets to all users. Before, its umask keeps other users, and a proxy, out.",
        "Sockets of slurmrestd for all users",
    ),
    Capability(
        "userclaimfield",
        Release(23, 2, 0),
        None,
        "C(AuthAltParameters=userclaimfield=CLAIM): the claim that names the user, where a token has no C(sun).",
        "userclaimfield=",
    ),
    Capability(
        "lifespan_bounds",
        Release(23, 2, 0),
        None,
        "C(scontrol token) refuses a lifespan that is no positive integer. Before, text means 1800 seconds in "
        "silence, and a negative number gives a token that is expired already.",
        "A scontrol token that checks the lifespan",
    ),
    Capability(
        "bearer_header",
        Release(23, 2, 0),
        None,
        "slurmrestd accepts C(Authorization: Bearer TOKEN).",
        "The header Authorization: Bearer",
    ),
    Capability(
        "name_header_optional",
        Release(23, 2, 0),
        None,
        "slurmrestd accepts C(X-SLURM-USER-TOKEN) without C(X-SLURM-USER-NAME).",
        "A request without X-SLURM-USER-NAME",
    ),
    Capability(
        "reconfigure_reloads_auth",
        Release(23, 11, 0),
        None,
        "C(scontrol reconfigure) and SIGHUP load AuthAltTypes, key and JWKS again in the acting slurmctld, and the old "
        "process goes on if that fails. Before, only a restart does. slurmdbd and standby controllers always "
        "need a restart.",
        "Loading keys by scontrol reconfigure",
    ),
    Capability(
        "insecure_key_fatal",
        Release(23, 11, 0),
        None,
        "A key file with any permission for others keeps slurmctld and slurmdbd from starting. Before, nobody looks.",
        "The check of the key file's mode",
    ),
    Capability(
        "reject_blank_member",
        Release(23, 11, 0),
        None,
        "A blank after a comma in AuthAltParameters hides the option that follows.",
        "Options matched exactly",
    ),
    Capability(
        "bare_type_name",
        Release(23, 11, 0),
        None,
        "C(AuthAltTypes=jwt) means C(auth/jwt). Before, the daemon does not start.",
        "AuthAltTypes=jwt without auth/",
    ),
    Capability(
        "rest_plugins_by_daemon",
        Release(23, 11, 0),
        None,
        "C(slurmrestd -s) takes C(slurmctld) and C(slurmdbd). Before, each version of the API is a plugin of its own, "
        "such as C(v0.0.38) and C(dbv0.0.38).",
        "slurmrestd -s slurmctld",
    ),
    Capability(
        "infinite_lifespan",
        Release(23, 11, 2),
        None,
        "C(scontrol token lifespan=infinite) gives a token for about 68 years.",
        "lifespan=infinite",
    ),
    Capability(
        "slurmrestd_refuses_slurm_user",
        Release(24, 5, 4),
        None,
        "slurmrestd does not start as SlurmUser. From 22.05.7 to 24.05.3 it looks for that too early and runs.",
        "A slurmrestd that refuses to run as SlurmUser",
    ),
    Capability(
        "auth_failure_reply",
        Release(24, 11, 0),
        None,
        "A refused token is answered with an authentication error. Before, the client sees "
        "\"Zero Bytes were transmitted or received\".",
        "An answer to refused tokens",
    ),
    Capability(
        "slurmdbd_conf_group_readable",
        Release(25, 11, 0),
        None,
        "slurmdbd.conf may have the mode 0640 and belong to root. Before, anything but 0600 and SlurmUser is fatal.",
        "A slurmdbd.conf of mode 0640",
    ),
    Capability(
        "openmetrics",
        Release(25, 11, 0),
        None,
        "slurmctld serves metrics by HTTP at its own port, with C(MetricsType=metrics/openmetrics).",
        "Metrics of slurmctld",
    ),
    Capability(
        "job_environment_carries_token",
        Release(20, 2, 0),
        Release(26, 5, 0),
        "sbatch copies C(SLURM_JWT) into the job's environment. Later releases leave it out, unless C(--export) is "
        "given.",
        "SLURM_JWT in the environment of jobs",
    ),
    Capability(
        "client_ids",
        Release(26, 5, 0),
        None,
        "C(AuthAltParameters=use_jwt_client_ids): uid, gid and groups may come from the token.",
        "use_jwt_client_ids",
    ),
    Capability(
        "http_auth",
        Release(26, 5, 0),
        None,
        "C(MetricsAuthUsers) and C(SlurmctldHttpAuthParameters): metrics under a token of a key of its own. Before, "
        "daemons and commands that find these names in slurm.conf do not start.",
        "Metrics under a token",
    ),
)

#: "20.11 to 26.05" in a text means these: the oldest and the newest release that tests run, and all between them.
MEASURED = (Release(20, 11), Release(26, 5))

_BY_NAME = {capability.name: capability for capability in CAPABILITIES}

# The versions of the REST API that a train carries: the oldest, the newest, and the oldest with /slurmdb.
_REST_VERSIONS = (
    (Release(20, 11), 35, 36, 36),
    (Release(21, 8), 35, 37, 36),
    (Release(22, 5), 36, 38, 36),
    (Release(23, 2), 37, 39, 37),
    (Release(23, 11), 38, 40, 38),
    (Release(24, 5), 39, 41, 39),
    (Release(24, 11), 40, 42, 40),
    (Release(25, 5), 40, 43, 40),
    (Release(25, 11), 41, 44, 41),
    (Release(26, 5), 42, 45, 42),
    (Release(26, 11), 43, 46, 43),
)


def of_program(rc: int, out: str) -> Release | None:
    """The release that a program of Slurm prints with ``-V``: "slurm 24.11.5", or "slurm-wlm 24.11.5" from Debian.

    None for everything else. A program with a mistake in its configuration file exits with 1. Its message begins with
    the time, whose seconds look like a release.
    """
    match = _ANSWER.match(out) if rc == 0 else None
    return Release(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def parse(text: str) -> Release:
    """The release in the text of a package manager or a person, such as "slurm 24.11.5"."""
    match = _VERSION.search(text)
    if match is None:
        raise ValueError(
            f"{text.strip()[:80]!r} names no release of Slurm; expected something like 'slurm 24.11.5' or '24.11'."
        )
    major, minor, patch = match.groups()
    return Release(int(major), int(minor), int(patch or 0))


def has(release: Release, name: str) -> bool:
    """Whether that release has the capability of that name."""
    capability = _BY_NAME[name]
    if capability.since is not None and release < capability.since:
        return False
    return capability.until is None or release < capability.until


def demand(release: Release, name: str) -> None:
    """Raise ReleaseTooOld unless the release has the capability."""
    if has(release, name):
        return
    capability = _BY_NAME[name]
    label = capability.label or name
    if capability.since is not None and release < capability.since:
        raise ReleaseTooOld(f"{label} needs Slurm {_spoken(capability.since)} or later; found {release}.")
    raise ReleaseTooOld(f"{label} ended with Slurm {_spoken(capability.until)}; found {release}.")


def capabilities(release: Release) -> dict[str, bool]:
    """Every capability by name, and whether that release has it."""
    return {capability.name: has(release, capability.name) for capability in CAPABILITIES}


def rest_versions(release: Release, slurmdb: bool = False) -> list[str]:
    """The versions of the REST API that slurmrestd of that release serves, oldest first.

    ``slurmdb`` asks for those that have ``/slurmdb`` too. A release newer than the table gets the table's last row;
    one without slurmrestd gets none.
    """
    found: list[str] = []
    for train, oldest, newest, oldest_with_slurmdb in _REST_VERSIONS:
        if release >= train:
            first = oldest_with_slurmdb if slurmdb else oldest
            found = [f"v0.0.{number}" for number in range(first, newest + 1)]
    return found


def _spoken(release: Release | None) -> str:
    """21.08 rather than 21.08.0, as in Slurm's own documentation."""
    if release is None:
        return "?"
    return str(release) if release.patch else release.train
