# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HS256 signing keys: how they are made, and whether one is strong enough. Private to this collection.

Slurm takes the bytes of the key file as they are, a newline at the end included, and accepts any file that is not
empty. Anyone who guesses them is root on the cluster, so this collection asks for more. The strength of a key can only
be estimated. The output of a random generator passes, also in hexadecimal or base64. Typed text, repetitions and files
of another kind do not.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re

MIN_SIZE = 32  # bytes, what RFC 7518 asks for HS256
MAX_SIZE = 4096  # bytes; a larger file is not a key
_MIN_BITS = 128
_FULL_BITS = 256
_MIN_ENTROPY = 96  # bits; 32 random bytes show 150, 32 random hexadecimal digits 115
_ALPHABETS = (
    (re.compile(r"^[0-9]+$"), 3.3, "decimal digits"),
    (re.compile(r"^[0-9a-f]+$|^[0-9A-F]+$"), 4.0, "hexadecimal digits"),
    (re.compile(r"^[A-Z2-7]+=*$"), 5.0, "base32"),
    (re.compile(r"^[A-Za-z0-9+/]+=*$|^[A-Za-z0-9_-]+=*$"), 6.0, "base64"),
)
# In a text three of four pairs of letters are among these, in random letters one of seven.
_PAIRS = (
    "th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld"
    " ur ro co me ne io ic ri ta ce li ch ll be ma om us ec el la rt wa il ho ee em ut no wh ge pe ad ot so di lo tr ac"
    " un fo ly na ai wi ss ow ns ie su ir ct mo ke pr ol po ay oo id pl rs"
)
_COMMON_PAIRS = frozenset(_PAIRS.split())
_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_TOKEN = re.compile(r"^(SLURM_JWT=)?eyJ[\w-]+\.[\w-]*\.[\w-]*$")
_PAGE = re.compile(r"^\s*<(!doctype|\?xml|html|head|body)\b", re.IGNORECASE)
_SSH = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")


def generate(size: int = MIN_SIZE) -> bytes:
    """A new key of that many random bytes."""
    while True:
        data = os.urandom(size)
        if weakness(data) is None:  # always true, but this collection must not refuse its own keys
            return data


def fingerprint(data: bytes) -> str:
    """Identifies a key without revealing it; the part after the colon is what sha256sum prints."""
    return "SHA256:" + hashlib.sha256(data).hexdigest()


def not_a_key(data: bytes) -> str | None:
    """Why this is another kind of file; a predicate that follows the file's name."""
    if len(data) > MAX_SIZE:
        return f"has {len(data)} bytes, which is no HS256 key ({MAX_SIZE} at most)"
    if _is_der(data):
        return "is an RSA key or a certificate (DER), not an HS256 key"
    text = _text(data)
    if text is None:
        return None
    if "-----BEGIN " in text:
        label = text.split("-----BEGIN ", 1)[1].split("-----", 1)[0]
        return f"is a PEM file ({label[:40]}), not an HS256 key; anyone with the other half or a copy could sign tokens"
    for known, kind in (
        (text.startswith(_SSH), "an SSH public key"),
        (text.startswith("$ANSIBLE_VAULT;"), "a file that is still encrypted by Ansible Vault"),
        (_TOKEN.match(text), "a token"),
        (_PAGE.match(text), "an HTML or XML page"),
        (_is_json(text), "JSON, perhaps a JWK"),
        (_joined(text) is None, "text of several lines, perhaps a configuration file"),
    ):
        if known:
            return f"is {kind}, not an HS256 key"
    return None


def weakness(data: bytes) -> str | None:
    """Why this key should not be used; a predicate that follows the file's name. None for a good key."""
    if not data:
        return "is empty, and Slurm's daemons do not start with an empty key"
    return not_a_key(data) or _too_short(data) or _not_random(data) or _weak_text(data)


def remark(data: bytes) -> str | None:
    """What the administrator should know about a good key; a predicate, or None."""
    text = _text(data)
    if text is None:
        return None
    bits, kind = _text_bits(text)
    if bits < _FULL_BITS:
        return f"is text ({kind}) worth about {bits} bits; a random key of {MIN_SIZE} bytes is worth {8 * MIN_SIZE}"
    if text[-1:] in ("\n", "\r"):
        return (
            "is text that ends with a newline, and for Slurm the newline is part of the key: all key hosts"
            " must have it"
        )
    return None


def _is_der(data: bytes) -> bool:
    """Whether this is one ASN.1 sequence with a length of one or two bytes, as every RSA key and certificate is."""
    if data[:2] == b"\x30\x82":
        return int.from_bytes(data[2:4], "big") + 4 == len(data)
    return data[:2] == b"\x30\x81" and int.from_bytes(data[2:3], "big") + 3 == len(data)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text(data: bytes) -> str | None:
    """The key as text, if it is text. 32 random bytes never are."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if "".join(text.split()).isprintable() else None


def _joined(text: str) -> str | None:
    """The text without line ends, if it is one line, or lines wrapped by a tool such as base64; else None."""
    lines = text.splitlines()
    if len(lines) < 2:
        return text.rstrip("\r\n")
    joined = "".join(lines)
    return joined if not joined or any(alphabet.match(joined) for alphabet, _bits, _kind in _ALPHABETS) else None


def _too_short(data: bytes) -> str | None:
    if len(data) < MIN_SIZE:
        return f"has {len(data)} bytes only; an HS256 key has {MIN_SIZE} at least"
    period = _period(data)
    if period == 1:
        return "is one byte over and over"
    if period < MIN_SIZE and period * 2 <= len(data):
        return f"is the same {period} bytes over and over"
    return None


def _period(data: bytes) -> int:
    """The length of the shortest piece that the data repeats; that of the data if nothing repeats."""
    return next((size for size in range(1, len(data)) if data[size:] == data[:-size]), len(data))


def _not_random(data: bytes) -> str | None:
    steps = {(after - before) % 256 for before, after in zip(data, data[1:])}
    if len(steps) == 1:
        return "is a plain sequence of bytes, not random"
    counts = [data.count(byte) for byte in set(data)]
    entropy = sum(count * math.log2(len(data) / count) for count in counts)
    if entropy < _MIN_ENTROPY:
        return f"consists of {len(counts)} different bytes only, so it cannot be random"
    return None


def _weak_text(data: bytes) -> str | None:
    text = _text(data)
    if text is None:
        return None
    bits, kind = _text_bits(text)
    return f"is text ({kind}) worth about {bits} bits; {_MIN_BITS} is the least" if bits < _MIN_BITS else None


def _text_bits(text: str) -> tuple[int, str]:
    """How many bits an attacker who knows the kind of text would have to guess, and the kind."""
    line = (_joined(text) or text).strip()
    if _UUID.match(line):
        return 122, "a UUID"
    if _reads_like_words(line):
        return 2 * len(line), "words"
    for alphabet, bits, kind in _ALPHABETS:
        if alphabet.match(line):
            return int(bits * len(line.rstrip("="))), kind
    return 6 * len(line), "a password"


def _reads_like_words(line: str) -> bool:
    """Whether pairs of letters are as common as in words; that is true of less than one in 50,000 random keys."""
    if " " in line:
        return True
    pairs = [pair.lower() for pair in map("".join, zip(line, line[1:])) if pair.isalpha()]
    known = sum(pair in _COMMON_PAIRS for pair in pairs)
    chance = len(_COMMON_PAIRS) / 26**2
    expected, spread = len(pairs) * chance, math.sqrt(len(pairs) * chance * (1 - chance))
    return known > expected + 6.5 * spread
