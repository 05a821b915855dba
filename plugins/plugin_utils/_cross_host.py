# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All values that cross from one host to another. Private to this collection.

An observation decides only about the host that it comes from. The exceptions are listed here and in the guide
"Security". A test compares this list with every place where a role or a playbook reads the results of another host.
"""

from __future__ import annotations

# Registered result of a host -> what other hosts use of it.
RESULTS = {
    "slurm_jwt_key_read": "the signing key and its fingerprint, from the key host that has it to the others",
    "slurm_jwt_openmetrics_key_read": "the key for metrics, from the controller that has it to the others",
    "slurm_jwt_openmetrics_next_key": "the next key for metrics, from the primary controller to the others",
    "slurm_jwt_openmetrics_staged": "fingerprint of the next key for metrics, from the primary to the others",
    "slurm_jwt_openmetrics_proof": "whether the key for metrics is proven, among controllers",
    "slurm_jwt_staged": "the next key, its fingerprint and time of creation, from the primary controller to the others",
    "slurm_jwt_local_key_active": "whether the next RSA key signs, from the primary controller to the other key hosts",
    "slurm_jwt_jwks": "whether a key set was written, among key hosts",
    "slurm_jwt_proof": "whether the key is proven, among key hosts; tokens of user nobody, to the hosts of slurmrestd",
    "slurm_jwt_tokens_minted": "a token, from the primary controller to the host for which it is declared",
}

# Member of the observation of the primary controller -> how plans use it for other hosts.
OF_THE_PRIMARY = {
    "key_path": "path of the key, for key hosts, and for slurm.conf of all others",
    "state_dir.path": "folder of the key, for hosts of slurmdbd",
    "conf.controllers": "which controller is the primary, for all",
    "key.fingerprint": "which key all must have, for key hosts",
    "openmetrics.key.fingerprint": "which key for metrics all must have, for controllers",
    "conf.identities": "identity of slurm.conf, for hosts that see the same file and must not edit it",
    "clusters": "whether another cluster uses the key of the same slurmdbd, which refuses a rotation",
    "public_jwk": "public half of the local signing key, for key hosts",
}

# What the primary controller gets from a host without a key: it checks that with the key, and signs a new token.
OF_A_SERVICE = {"tokens[].token": "the token in its own file"}
