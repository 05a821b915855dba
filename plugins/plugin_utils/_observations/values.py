# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that results of several modules have. Private to this collection."""

from __future__ import annotations

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import inventory_values
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.shapes import (
    Members,
    number,
    one_of,
    sentence,
    whole,
    word,
)

TEXT = sentence()
LINE = word()
PATH = word(r"/(?!(?:[^\x00]*/)?\.\.(?:/|$))[^\x00-\x1f\x7f]*", 4096, "an absolute path without '..'")
# Values that an administrator copies into the inventory.
COPIED_PATH = word(inventory_values.PATH, 1001, "a path that is fit for an inventory")
COPIED_UNIT = word(inventory_values.UNIT, 200, "a unit's name that is fit for an inventory")
# Active Directory has blanks and backslashes in names.
NAME = word(r"[^\x00-\x1f\x7f:/]{1,256}", 256, "the name of a user or a group")
# With a + if an access control list grants more, as ls shows it.
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
