# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members that a result of each module may have, and how long a host may take for it. Private to this collection.

The documentation of the modules says what each member means; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import rest_unit
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._shape import (
    Members,
    Shape,
    either,
    flag,
    json_value,
    lines,
    list_of,
    map_of,
    maybe,
    number,
    one_of,
    sentence,
    whole,
    word,
)

# -- words that several modules share ---------------------------------------------------------------------------------

TEXT = sentence()
LINE = word()
PATH = word(r"/(?!(?:[^\x00]*/)?\.\.(?:/|$))[^\x00-\x1f\x7f]*", 4096, "an absolute path without '..'")
# What a person is told to copy into the inventory: nothing that YAML or Jinja would take for anything else.
COPIED_PATH = word(r"/(?!(?:[^\x00]*/)?\.\.(?:/|$))[A-Za-z0-9_./+@-]+", 1001, "a path that is fit for an inventory")
COPIED_NAME = word(r"[A-Za-z0-9_.@-]+", 200, "a unit's name that is fit for an inventory")
# Active Directory has blanks and backslashes in names.
NAME = word(r"[^\x00-\x1f\x7f:/]{1,256}", 256, "the name of a user or a group")
# With a + where an access control list gives more, as ls shows it.
MODE = word(r"[0-7]{3,5}\+?", 6, "permissions in octal")
FINGERPRINT = word(r"SHA256:[0-9a-f]{64}", 71, "a fingerprint")
CHECKSUM = word(r"[0-9a-f]{40,128}", 128, "a checksum")
BASE64 = word(r"[A-Za-z0-9+/=]*", 40_000, "base64")
TOKEN = word(r"[A-Za-z0-9_.=-]*", 65_536, "a token")
RELEASE = word(r"[0-9]{2}\.[0-9]{2}(?:\.[0-9]+)?(?:[-.][0-9A-Za-z.-]+)?", 40, "a release of Slurm")
TIME = word(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", 20, "a time")
IDENTIFIER = word(r"[A-Za-z0-9_.@/+-]{0,256}", 256, "a name of letters, digits and ._@/+-")
PACKAGE = word(r"[A-Za-z0-9][A-Za-z0-9.+:~_-]*(?:=[A-Za-z0-9.+:~_-]+)?", 256, "a package")
PORT = whole(0, 65_535)
ID = whole(0, 2**32)
SECONDS = number(-1e12, 1e12)
KID = word(longest=2048, what="the kid of a key")

JWK = Members(
    {
        "kid": KID,
        "kty": one_of("RSA"),
        "alg": one_of("RS256"),
        "n": word(r"[A-Za-z0-9_=-]+", 6_000, "base64url"),
        "e": word(r"[A-Za-z0-9_=-]+", 6_000, "base64url"),
    }
)

# -- any module -------------------------------------------------------------------------------------------------------

_DIFF = Members(
    {},
    {
        "before": json_value(lines(), most=10_000),
        "after": json_value(lines(), most=10_000),
        "before_header": TEXT,
        "after_header": TEXT,
        "prepared": lines(),
    },
)
STANDARD: Mapping[str, Shape] = {
    "changed": flag,
    # A job in the background has numbers for these.
    "failed": either(flag, whole(0, 1)),
    "skipped": flag,
    "msg": sentence(16_000),
    "diff": either(_DIFF, list_of(_DIFF)),
    "module_stderr": TEXT,
    "rc": whole(-256, 2**16),
}
# What AnsibleModule adds where a result names a path.
OF_A_PATH: Mapping[str, Shape] = {
    "uid": maybe(ID),
    "gid": maybe(ID),
    "owner": maybe(NAME),
    "group": maybe(NAME),
    "mode": maybe(MODE),
    "state": IDENTIFIER,
    "size": maybe(whole()),
    "secontext": LINE,
}
# What Ansible itself says of a job in the background.
JOB: Mapping[str, Shape] = {
    "ansible_job_id": word(r"j?[0-9.]+", 64, "the number of a job"),
    "started": either(flag, whole(0, 1)),
    "finished": either(flag, whole(0, 1)),
    "results_file": PATH,
    "erased": PATH,
}


class Observation(NamedTuple):
    """What a result of one module may be."""

    members: Members
    seconds: int
    """How long a host may take to answer. One that takes longer has failed."""
    names_dropped: bool = True
    """Whether each member that was not declared is named. Builtin modules have many that nobody asks for."""


def observation(
    always: Mapping[str, Shape],
    optional: Mapping[str, Shape] | None = None,
    seconds: int = 60,
    names_dropped: bool = True,
) -> Observation:
    members = Members(always, {**STANDARD, **OF_A_PATH, **JOB, **(optional or {})})
    return Observation(members, seconds, names_dropped)


# -- slurm_jwt_info ---------------------------------------------------------------------------------------------------

_OWNERSHIP: Mapping[str, Shape] = {"owner": maybe(NAME), "group": maybe(NAME), "mode": maybe(MODE)}
_MINIMAL_CONF: Mapping[str, Shape] = {"path": PATH, "exists": flag}
_IDENTITY = Members(
    {
        "path": LINE,
        "here": maybe(word(r"[0-9a-f-]{1,64}:[0-9]{1,20}:[0-9]{1,20}", 110, "the identity of a file")),
        "anywhere": word(r"[0-9]{1,20}:[0-9]{1,20}:[0-9]{1,20}", 64, "the identity of a file"),
        "network": flag,
        "may_be_shared": flag,
        "obstacle": maybe(TEXT),
    }
)
_ANY_CONF: Mapping[str, Shape] = {
    **_MINIMAL_CONF,
    **_OWNERSHIP,
    "files": list_of(LINE),
    "identities": list_of(_IDENTITY),
    "checksum": CHECKSUM,
    "slurm_user": NAME,
    "auth_type": maybe(LINE),
    "plugin_dir": maybe(LINE),
    "auth_alt_types": list_of(LINE, 100),
    "auth_alt_parameters": map_of(LINE, LINE, 100),
    "jwt_enabled": flag,
    "key_path": maybe(LINE),
    "jwks_path": maybe(LINE),
}


def _read(whole_file: Shape, minimal: Shape) -> Shape:
    """A file that was read, or what is said of one that could not be."""

    def fit(value: object, member: str) -> object:
        shape = whole_file if isinstance(value, Mapping) and "auth_alt_parameters" in value else minimal
        return shape(value, member)

    return fit


_CONF = Members(
    {
        **_ANY_CONF,
        "configless": flag,
        "cluster_name": maybe(LINE),
        "state_save_location": LINE,
        "controllers": list_of(Members({"name": LINE, "address": LINE}), 100),
        "controller_index": maybe(whole(0, 100)),
        "enable_configless": flag,
        "accounting": flag,
        "accounting_storage_host": LINE,
        "accounting_storage_backup_host": maybe(LINE),
        "slurmctld_port": PORT,
        "slurmdbd_port": PORT,
        "slurmctld_log_file": maybe(LINE),
    }
)
_DBD_CONF = Members(
    {
        **_ANY_CONF,
        "dbd_host": maybe(LINE),
        "dbd_backup_host": maybe(LINE),
        "standby": flag,
        "dbd_port": PORT,
        "log_file": maybe(LINE),
    }
)
_KEY_COPY: Mapping[str, Shape] = {
    **_OWNERSHIP,
    "fingerprint": maybe(FINGERPRINT),
    "serial": maybe(LINE),
    "created": maybe(TIME),
    "age": maybe(whole()),
    "by": maybe(LINE),
    "run": maybe(LINE),
    "run_age": maybe(whole()),
}
_KEY = Members(
    {
        **_KEY_COPY,
        "path": PATH,
        "exists": flag,
        "folder_exists": flag,
        "size": maybe(whole()),
        "weakness": maybe(TEXT),
        "inode": maybe(whole(0, 2**64)),
        "modified": maybe(number()),
        "next": maybe(Members(_KEY_COPY)),
        "previous": maybe(Members(_KEY_COPY)),
    }
)
_STATE_DIR = Members(
    {
        **_OWNERSHIP,
        "path": PATH,
        "exists": flag,
        "writable_by_others": flag,
        "mount": maybe(LINE),
        "source": maybe(LINE),
        "fstype": maybe(LINE),
        "network": flag,
        "identity": maybe(word(r"[0-9:]+", 64, "the identity of a folder")),
    }
)
_DAEMON = Members(
    {
        "service": IDENTIFIER,
        "exists": maybe(flag),
        "active": maybe(IDENTIFIER),
        "sub": maybe(IDENTIFIER),
        "enabled": maybe(IDENTIFIER),
        "needs_reload": maybe(flag),
        "pid": whole(),
        "started": maybe(number()),
        "user": maybe(NAME),
        "uid": maybe(ID),
        "command": list_of(TEXT, 500),
        "slurm_jwt": maybe(flag),
        "key_loaded": one_of("current", "copied", "replaced", "absent", "unknown"),
        "stale": list_of(TEXT, 100),
        "listens": list_of(LINE, 100),
        "before_jwt": maybe(one_of(*rest_unit.STATES)),
        "dropin": maybe(FINGERPRINT),
    }
)
_DIFFERENCES = list_of(
    Members(
        {"parameter": IDENTIFIER, "before": maybe(json_value()), "after": maybe(json_value())}, {"path": maybe(TEXT)}
    ),
    100,
)
_WANTED = Members(
    {
        "parameters": map_of(IDENTIFIER, either(flag, maybe(number()), LINE), 100),
        "parameters_absent": list_of(IDENTIFIER, 100),
    }
)
PROBLEM = Members(
    {
        "severity": one_of("error", "warning", "info"),
        "code": IDENTIFIER,
        "component": IDENTIFIER,
        "path": maybe(TEXT),
        "found": TEXT,
        "effect": TEXT,
        "remedy": TEXT,
    }
)

INFO = observation(
    {
        "now": number(),
        "clock_lag": maybe(SECONDS),
        "hostname": IDENTIFIER,
        "os_family": maybe(IDENTIFIER),
        "components": list_of(one_of("slurmctld", "slurmdbd", "slurmrestd", "node"), 4),
        "program": maybe(PATH),
        "release": maybe(RELEASE),
        "capabilities": map_of(IDENTIFIER, flag, 200),
        "rest_versions": list_of(word(r"v0\.0\.[0-9]{1,4}", 12, "a version of the REST API"), 20),
        "conf": maybe(_read(_CONF, Members({**_MINIMAL_CONF, "configless": flag}))),
        "dbd_conf": maybe(_read(_DBD_CONF, Members(_MINIMAL_CONF))),
        "slurm_user": maybe(
            Members({"name": NAME, "exists": flag, "uid": maybe(ID), "gid": maybe(ID), "group": maybe(NAME)})
        ),
        "key_path": maybe(PATH),
        "key": maybe(_KEY),
        "jwks": maybe(Members({**_OWNERSHIP, "path": PATH, "exists": flag, "kids": list_of(KID)})),
        "state_dir": maybe(_STATE_DIR),
        "plugins": maybe(
            Members(
                {
                    "dir": maybe(PATH),
                    "auth_jwt": maybe(PATH),
                    "rest_auth_jwt": maybe(PATH),
                    "libjwt": maybe(Members({"name": LINE, "path": maybe(LINE)})),
                    "packages": list_of(PACKAGE, 50),
                    "unavailable": list_of(PACKAGE, 50),
                }
            )
        ),
        "python": Members(
            {
                **dict.fromkeys(("executable", "pyjwt", "cryptography", "distributions"), maybe(LINE)),
                "version": LINE,
                "served": maybe(flag),
                "unavailable": list_of(PACKAGE, 10),
            }
        ),
        "daemons": Members({}, dict.fromkeys(("slurmctld", "slurmdbd", "slurmrestd", "slurmd"), _DAEMON)),
        "differences": Members({"slurm_conf": _DIFFERENCES, "slurmdbd_conf": _DIFFERENCES}),
        "wanted": Members({"slurm_conf": maybe(_WANTED), "slurmdbd_conf": maybe(_WANTED)}),
        "undeclared": Members(
            {},
            {
                **dict.fromkeys(("slurm_jwt_conf_path", "slurm_jwt_dbd_conf_path", "slurmrestd_binary"), COPIED_PATH),
                "slurm_jwt_bin_dirs": list_of(COPIED_PATH, 20),
                **dict.fromkeys(
                    ("slurm_jwt_slurmctld_service", "slurm_jwt_slurmdbd_service", "slurmrestd_service"), COPIED_NAME
                ),
            },
        ),
        "problems": list_of(PROBLEM, 500),
    }
)

# -- files ------------------------------------------------------------------------------------------------------------

_FILE: Mapping[str, Shape] = {name: OF_A_PATH[name] for name in ("owner", "group", "mode", "uid", "gid", "state")}
CONF = observation(
    {
        "path": PATH,
        "files": list_of(LINE),
        "changed_files": list_of(LINE),
        "backup_files": map_of(LINE, LINE),
        "pruned_backups": list_of(LINE),
        "before": map_of(IDENTIFIER, maybe(TEXT)),
        "effective": map_of(IDENTIFIER, maybe(TEXT)),
        "problems": list_of(
            Members(
                {
                    "severity": one_of("error", "warning"),
                    "path": TEXT,
                    "line": maybe(whole()),
                    "found": TEXT,
                    "effect": TEXT,
                    "remedy": TEXT,
                }
            )
        ),
    }
)
KEY = observation(
    {
        **_FILE,
        "path": PATH,
        "algorithm": one_of("HS256", "RS256"),
        "size": maybe(whole()),
        "fingerprint": maybe(FINGERPRINT),
        "previous_fingerprint": maybe(FINGERPRINT),
        "differs": flag,
        "next_fingerprint": maybe(FINGERPRINT),
        "next_created": maybe(TIME),
        "public_jwk": maybe(JWK),
        "next_public_jwk": maybe(JWK),
        "next_serial": maybe(LINE),
        "next_by": maybe(LINE),
        "next_run": maybe(LINE),
        "next_run_age": maybe(whole()),
        "activated": maybe(number()),
        "by": maybe(LINE),
        "reason": maybe(IDENTIFIER),
        "serial": maybe(LINE),
        "created": maybe(TIME),
        "age": maybe(whole()),
        "backup_file": maybe(PATH),
    },
    {"content": maybe(BASE64)},
    seconds=120,
)
JWKS = observation(
    {
        **_FILE,
        "path": PATH,
        "content_changed": flag,
        "differs": flag,
        "backup_files": map_of(LINE, LINE),
        "kids": list_of(KID),
        "added": list_of(KID),
        "kept": list_of(KID),
        "retired": list_of(Members({"kid": KID, "until": TIME})),
        "removed": list_of(Members({"kid": KID, "reason": TEXT})),
        "dropped": list_of(Members({"source": TEXT, "kid": TEXT, "reason": TEXT}), 10_000),
        "failed_sources": list_of(Members({"source": TEXT, "reason": TEXT})),
        "distrusts": flag,
        "next_change": maybe(TIME),
        "jwks": maybe(Members({"keys": list_of(JWK)})),
        "size": maybe(whole()),
        "fingerprint": maybe(FINGERPRINT),
        "previous_fingerprint": maybe(FINGERPRINT),
    },
    seconds=300,
)

METRICS = observation({"path": PATH, "exists": flag})

# -- tokens and timers ------------------------------------------------------------------------------------------------

_CLAIMS = json_value()
TOKENS = observation(
    {
        "tokens": list_of(
            Members(
                {
                    "name": LINE,
                    "user": maybe(LINE),
                    "dest": maybe(LINE),
                    "format": maybe(IDENTIFIER),
                    "changed": flag,
                    "reason": maybe(IDENTIFIER),
                    "expires": maybe(TIME),
                    "remaining": maybe(SECONDS),
                    "claims": _CLAIMS,
                    "key_fingerprint": maybe(FINGERPRINT),
                    "signature_checked": flag,
                    "activated_at": maybe(number()),
                    "refusals": list_of(TEXT, 100),
                    "token": maybe(TOKEN),
                },
                {"found": maybe(_CLAIMS)},
            ),
            100_000,
        ),
        "token": maybe(TOKEN),
        "refusals": list_of(TEXT, 100_000),
        "release": maybe(RELEASE),
    },
    seconds=180,
)


def _attempt(**more: Shape) -> Shape:
    shared: dict[str, Shape] = {"at": maybe(number()), "result": maybe(IDENTIFIER), "said": maybe(TEXT)}
    return maybe(Members({}, {**shared, **more}))


TOKEN_TIMERS = observation(
    {
        "timers": list_of(
            Members(
                {
                    "name": LINE,
                    "unit": LINE,
                    "changed": flag,
                    "active": IDENTIFIER,
                    "enabled": flag,
                    "next": TEXT,
                    "attempt": _attempt(
                        expires=maybe(number()), renewed_at=maybe(number()), offset=maybe(SECONDS), untold=maybe(flag)
                    ),
                }
            ),
            10_000,
        ),
        "removed": list_of(LINE, 10_000),
    },
    seconds=180,
)
JWKS_TIMER = observation(
    {
        "unit": LINE,
        "active": maybe(IDENTIFIER),
        "attempt": _attempt(
            reached=maybe(number()), loaded=maybe(number()), kids=maybe(list_of(KID)), next_change=maybe(json_value())
        ),
    },
    seconds=120,
)

# -- daemons and proofs -----------------------------------------------------------------------------------------------

DAEMON = observation(
    {"pid": whole(), "seconds": number(), "held": flag}, {"last_words": list_of(TEXT, 100)}, seconds=300
)
IDENTITY = observation(
    {
        "daemon": IDENTIFIER,
        "release": RELEASE,
        "claim": maybe(TEXT),
        "user": maybe(TEXT),
        "uid": maybe(ID),
        "signer": maybe(KID),
        "accepted": flag,
        "refusals": list_of(TEXT, 100),
        "cautions": list_of(TEXT, 100),
        "claims": _CLAIMS,
    }
)
_CASE: Mapping[str, Shape] = {
    "daemon": one_of("slurmctld", "slurmdbd", "slurmrestd"),
    "asked": TEXT,
    "case": IDENTIFIER,
}
PROOF = observation(
    {
        "proven": flag,
        "answers": list_of(
            Members(
                {
                    **_CASE,
                    "expected": one_of("accepted", "refused"),
                    "answer": one_of("accepted", "refused", "unreachable", "unclear", "unasked"),
                    "detail": TEXT,
                }
            ),
            200,
        ),
        "left_out": list_of(Members({**_CASE, "reason": TEXT}), 200),
        "user": maybe(LINE),
        "tokens": map_of(IDENTIFIER, TOKEN, 20),
    },
    seconds=600,
)

MODULES: Mapping[str, Observation] = {
    "slurm_conf": CONF,
    "slurm_jwks": JWKS,
    "slurm_jwks_timer": JWKS_TIMER,
    "slurm_jwt_daemon": DAEMON,
    "slurm_jwt_identity": IDENTITY,
    "slurm_jwt_info": INFO,
    "slurm_jwt_key": KEY,
    "slurm_jwt_metrics": METRICS,
    "slurm_jwt_proof": PROOF,
    "slurm_jwt_token_timer": TOKEN_TIMERS,
    "slurm_jwt_token": TOKENS,
}

# -- builtin modules that the roles use -------------------------------------------------------------------------------


def _builtin(optional: Mapping[str, Shape], seconds: int = 60) -> Observation:
    return observation({}, optional, seconds, names_dropped=False)


_COMMAND: Mapping[str, Shape] = {"stdout": lines(), "stderr": lines(), "stdout_lines": list_of(TEXT, 10_000)}
_WRITTEN: Mapping[str, Shape] = {"dest": LINE, "checksum": maybe(CHECKSUM), "backup_file": PATH, **_COMMAND}

BUILTINS: Mapping[str, Observation] = {
    "command": _builtin(_COMMAND, 120),
    "copy": _builtin(_WRITTEN),
    "file": _builtin({"dest": LINE}),
    "package": _builtin(_COMMAND, 900),
    "stat": _builtin(
        {
            "stat": Members(
                {"exists": flag},
                {
                    **dict.fromkeys(("isdir", "isreg", "issock"), flag),
                    **{"pw_name": NAME, "gr_name": NAME, "mode": MODE, "checksum": CHECKSUM},
                },
            )
        }
    ),
    "systemd_service": _builtin({"status": Members({}, {"ActiveState": IDENTIFIER})}, 180),
    "template": _builtin(_WRITTEN),
    "uri": _builtin({"status": whole(-1, 999)}, 120),
    # Its group is a number.
    "user": _builtin({"name": NAME, "uid": ID, "group": maybe(either(ID, NAME))}, 120),
    "wait_for": _builtin({"elapsed": number()}, 400),
}


def of_job(module: str) -> Observation:
    """What ``async_status`` may say of a job that runs one of our modules: before its end nothing of the result."""
    shape = MODULES[module]
    return Observation(Members({}, {**shape.members.always, **shape.members.optional}), 60, names_dropped=False)
