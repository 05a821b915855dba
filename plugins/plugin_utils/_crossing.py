# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that crosses from one host to another, in one place. Private to this collection.

An observation decides about the host that it came from. What has to cross is here, and in the guide "Security"; a test
finds every place where a role or a playbook reads another host's results, and holds this list to it.
"""

from __future__ import annotations

# Registered result of a host -> what other hosts take of it, from whom to whom.
RESULTS = {
    "slurm_jwt_key_read": "the signing key and its fingerprint, from the host that has it to the other key hosts",
    "slurm_jwt_next_key": "the next key and when it was made, from the primary controller to the other key hosts",
    "slurm_jwt_staged": "the fingerprint of the next key, from the primary controller to the other key hosts",
    "slurm_jwt_local_key_active": "whether the next RSA key signs, from the primary controller to the other key hosts",
    "slurm_jwt_jwks": "whether a key set was written, among key hosts",
    "slurm_jwt_proof": "whether the key is proven, among key hosts; tokens of nobody, to the hosts of slurmrestd",
    "slurm_jwt_tokens_minted": "a token, from the primary controller to the host for which it is declared",
}

# Member of an observation of the primary controller -> what a plan tells other hosts of it.
OF_THE_PRIMARY = {
    "key_path": "where the key is, to key hosts, and into slurm.conf of all others",
    "state_dir.path": "the folder of the key, to hosts of slurmdbd",
    "conf.controllers": "which controller is the primary, to all",
    "key.fingerprint": "which key everybody is to have, to key hosts",
    "conf.identities": "which file slurm.conf is, to hosts that see the same one, so that they leave it alone",
    "public_jwk": "the public half of the site's own RSA key, to key hosts",
}

# What the primary controller takes from a host without a key: it judges that with the key, and makes another token.
OF_A_SERVICE = {"tokens[].token": "the token that its own file holds"}
