# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the good and bad tokens of a proof, and hides them in what is reported. Private to this collection."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import MIN_BITS, Jwk
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rs256 import generate, public_jwk, public_pem
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import Answer
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import claims_for, sign


class ProofSigner(NamedTuple):
    """Signs tokens as the site does."""

    key: bytes
    kid: str | None = None
    """The kid of an RSA key; None for an HS256 key."""

    def sign(self, claims: dict[str, Any]) -> str:
        return sign(claims, self.key, "RS256" if self.kid else "HS256", self.kid)


def mint(
    user: str, signer: ProofSigner | None, now: float, lifespan: int, retired: bytes | None = None
) -> dict[str, str]:
    """A good token for the user, and bad ones that each differ in one thing. Without a signer: only bad ones."""
    claims = claims_for(user, lifespan, now)
    tokens = {"retired": sign(claims, retired)} if retired else {}
    if signer is not None:
        tokens.update(good=signer.sign(claims), expired=signer.sign(claims_for(user, 3600, now - 7200)))
    return {**tokens, "forged": sign(claims, os.urandom(32)), "unsigned": sign(claims, b"", "none")}


def forge(user: str, trusted: Jwk, now: float, lifespan: int) -> dict[str, str]:
    """Tokens of an attacker who knows the trusted public keys, but no private key."""
    claims = claims_for(user, lifespan, now)
    untrusted = generate(MIN_BITS)
    return {
        "forged_kid": sign(claims, untrusted, "RS256", trusted.kid),
        "unknown_kid": sign(claims, untrusted, "RS256", public_jwk(untrusted)["kid"]),
        "confused": sign_with_public_half(claims, trusted),
    }


def sign_with_public_half(claims: dict[str, Any], trusted: Jwk) -> str:
    """A token that a verifier accepts if it lets the token choose the algorithm."""
    public = public_pem(trusted.n, trusted.e)
    header = {"alg": "HS256", "typ": "JWT", "kid": trusted.kid}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encode(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def without_tokens(answer: Answer, tokens: dict[str, str]) -> Answer:
    """The answer without any token that was echoed."""
    return answer._replace(detail=hide_tokens(answer.detail, tokens))


def hide_tokens(text: str, tokens: dict[str, str]) -> str:
    """The text without any of the tokens."""
    for case, token in tokens.items():
        if token:
            text = text.replace(token, f"<{case} token>")
    return text
