# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token files before and after, without the tokens. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import NO_ACL, Acl, mode_text
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import SecretFile
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    signed_by,
    split,
    user_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import extract
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.result import utc
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.signing_key import SigningKey


def diff_of(path: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def attributes(uid: int, gid: int, mode: int, acl: Acl = NO_ACL) -> dict[str, Any]:
    """Owner, group and mode, and who else has access."""
    others = {"acl": acl.words()} if acl.grants else {}
    return {"owner": uid, "group": gid, "mode": mode_text(mode, acl), **others}


def attributes_of(file: SecretFile) -> dict[str, Any]:
    return attributes(file.uid, file.gid, file.mode, file.acl)


def file_content(file: SecretFile, form: str) -> dict[str, Any]:
    """A token file whose key is not known: its claims, attributes, and the fingerprint of its bytes."""
    return {**content(file.data, form, None), "content": fingerprint(file.data), **attributes_of(file)}


def content(data: bytes, form: str, key: SigningKey | None) -> dict[str, Any]:
    """What the token in a file says. The file may hold anything, so nothing else of it is shown."""
    try:
        token = extract(form, data)
        claims = split(token).claims
    except TokenError:
        return {"user": None, "expires": None, "key": None, "format": f"not {form}"}
    expiry = expiry_of(claims)
    signer = "not checked"
    if key is not None:
        signer = key.fingerprint if signed_by(token, key.data) else "another key"
    return {
        "user": user_of(claims),
        "expires": None if expiry is None else utc(expiry),
        "key": signer,
        "format": form,
    }
