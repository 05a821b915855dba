# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JWT settings of a configuration: current, declared, and how they differ. Private to this collection.

To find the differences, it makes the declared edits in memory, with the code that slurm_conf uses for files.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.editor import Editor
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.keys import AUTH_ALT_OPTIONS, JWT_ALIASES
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.members import option_objection

TYPES = "AuthAltTypes"
PARAMETERS = "AuthAltParameters"


class DeclaredError(Exception):
    """The declaration is wrong, for every host."""


class AuthAlt(NamedTuple):
    """The JWT settings in force in one file."""

    types: list[str]
    parameters: dict[str, str]
    """Without the options that Slurm does not find, such as one after a blank."""
    enabled: bool
    key_path: str | None
    """The HS256 key that the daemon loads; None if it loads none."""
    jwks_path: str | None


def read(conf: Conf, default_key: str | None) -> AuthAlt:
    """AuthAltTypes and AuthAltParameters of a file.

    ``default_key`` is the path of the key without jwt_key=; slurmdbd has no default.
    """
    types = [member.strip() for member in conf.members(TYPES) if member.strip()]
    names = [member.partition("=")[0] for member in conf.members(PARAMETERS)]
    options = {name: conf.option(PARAMETERS, name.strip()) for name in names}
    parameters = {name.strip(): value for name, value in options.items() if value is not None}
    enabled = any(is_jwt(member) for member in types)
    jwks = parameters.get("jwks") or None
    key = parameters.get("jwt_key") or (None if jwks else default_key)
    return AuthAlt(types, parameters, enabled, key, jwks)


def is_jwt(member: str) -> bool:
    """Whether a member of AuthAltTypes is auth/jwt. 23.11 and later also accept jwt."""
    return member.strip() in JWT_ALIASES


class DeclaredAuthAlt(NamedTuple):
    """Declared members of AuthAltTypes and AuthAltParameters; all others stay as they are."""

    types: list[str]
    types_absent: list[str]
    parameters: dict[str, str | None]
    """Name to value, None for a flag. Paths that are not known on this host are in ``unknown``."""
    parameters_absent: list[str]
    unknown: list[str]


def declare(options: dict[str, Any], key_path: str | None, jwks_path: str | None) -> DeclaredAuthAlt:
    """What a site declares. The paths of this host replace those that the site left empty."""
    here = {"jwt_key": key_path, "jwks": jwks_path}
    present: dict[str, str | None] = {}
    absent = [str(name) for name in options.get("parameters_absent") or ()]
    unknown: list[str] = []
    for name, value in (options.get("parameters") or {}).items():
        _check_name(name)
        if value is False:
            absent.append(name)
        elif value is True:
            present[name] = _checked(name, None)
        elif value is not None and str(value) != "":
            present[name] = _checked(name, str(value))
        elif name not in here:
            raise DeclaredError(
                f"declared.parameters.{name} has no value. Only jwt_key and jwks may be left empty, for the path on the"
                " host; write true for a parameter without a value, or leave it out."
            )
        elif here[name]:
            present[name] = _checked(name, str(here[name]))
        else:
            unknown.append(name)
    both = sorted({*present, *unknown} & set(absent))
    if both:
        raise DeclaredError(f"declared has {both[0]} both as present and as absent; remove one of them.")
    types, types_absent = options.get("auth_alt_types") or [], options.get("auth_alt_types_absent") or []
    return DeclaredAuthAlt(list(types), list(types_absent), present, absent, unknown)


def _check_name(name: str) -> None:
    if not re.match(r"^[A-Za-z0-9_]+$", name):
        raise DeclaredError(f"declared.parameters has the name {name!r}; a name has letters, digits and _ only.")


def _checked(name: str, value: str | None) -> str | None:
    """The value, None for a flag."""
    reason = option_objection(name, value)
    if reason:
        raise DeclaredError(f"declared.parameters.{name} {reason}.")
    if value is not None and re.search(r"[\s,\"#\\]", value):
        raise DeclaredError(
            f"declared.parameters.{name} is {value!r}; for Slurm the value would end at a comma, blank, quote, # or \\."
        )
    return value


def for_slurmdbd(declared: DeclaredAuthAlt) -> DeclaredAuthAlt:
    """The part of the declaration for slurmdbd.conf."""
    elsewhere = {name for name, option in AUTH_ALT_OPTIONS.items() if option.is_slurmctlds}
    return declared._replace(
        parameters={name: value for name, value in declared.parameters.items() if name not in elsewhere},
        parameters_absent=[name for name in declared.parameters_absent if name not in elsewhere],
    )


def capability_of(name: str) -> str | None:
    """The capability that a member of AuthAltParameters needs to have an effect; None if it needs none."""
    option = AUTH_ALT_OPTIONS.get(name)
    return option.capability if option else None


def apply(conf: Conf, declared: DeclaredAuthAlt) -> tuple[Conf, list[dict[str, str | None]]]:
    """Make the declared edits in memory. Returns the edited configuration, and the parameters that differ.

    An unknown path on this host is a difference; its new value is None.
    """
    editor = Editor(conf)
    # Use a placeholder for an unknown path: without a path the edited file would seem to have a problem.
    parameters = {**declared.parameters, **dict.fromkeys(declared.unknown, "/not/known/here")}
    differs = {
        TYPES: editor.edit_list(TYPES, present=declared.types, absent=declared.types_absent),
        PARAMETERS: editor.edit_options(PARAMETERS, present=parameters, absent=declared.parameters_absent),
    }
    differences = []
    for key, edited in differs.items():
        unknown = key == PARAMETERS and bool(declared.unknown)
        if edited or unknown:
            setting = editor.conf.effective(key)
            after = None if unknown else editor.conf.value(key)
            path = setting.path if setting else conf.paths[0]
            differences.append({"parameter": key, "before": conf.value(key), "after": after, "path": path})
    return editor.conf, differences


def needed(declared: DeclaredAuthAlt) -> list[str]:
    """The names of the capabilities that the declaration needs."""
    capabilities = [capability_of(name) for name in [*declared.parameters, *declared.unknown]]
    return [*(["auth_jwt"] if declared.types else []), *filter(None, capabilities)]
