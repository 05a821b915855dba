#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_identity
short_description: Which user slurmctld or slurmdbd reads from a token
version_added: 1.0.0
description:
  - Reads a sample token, such as one of an identity provider, and returns which claim Slurm of this host's release
    would read, which user of this host that is, whether the daemon would accept the token, and if not, why.
  - Also returns what to consider before tokens like it are trusted. Slurm checks neither issuer nor audience, the
    claims C(sun) and C(username) come before C(userclaimfield), and users can change some claims themselves.
  - Uses the current configuration of the daemon, and the files that it names. A daemon that has not loaded them yet may
    decide differently.
  - Changes nothing and asks no daemon.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.info_module
options:
  token:
    description:
      - The token. Anyone who has it can act as its user until it expires, so use one that has expired or soon will.
    type: str
    required: true
  daemon:
    description: The daemon whose configuration is read.
    type: str
    choices: [slurmctld, slurmdbd]
    default: slurmctld
  conf_path:
    description:
      - The file slurm.conf, or slurmdbd.conf with O(daemon=slurmdbd).
      - If not given, it is the file of that name in C(/etc/slurm).
    type: path
  release:
    description:
      - The release of Slurm by whose rules the module decides, such as V(24.11).
      - If not given, it is the one that is installed on this host.
    type: str
  bin_dir:
    description: The folder of Slurm's programs, if they are not in one of the usual folders.
    type: path
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_token
  - module: hpc.slurm_jwt.slurm_jwks
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Check which user Alice's token of the identity provider stands for
  hpc.slurm_jwt.slurm_jwt_identity:
    token: "{{ lookup('ansible.builtin.env', 'SAMPLE_TOKEN') }}"
  register: alice

- name: The same for slurmdbd
  hpc.slurm_jwt.slurm_jwt_identity:
    token: "{{ lookup('ansible.builtin.env', 'SAMPLE_TOKEN') }}"
    daemon: slurmdbd
  delegate_to: dbd1
"""

RETURN = r"""
daemon:
  description: The daemon whose configuration was used.
  returned: success
  type: str
  sample: slurmctld
release:
  description: The release of Slurm by whose rules the token was checked.
  returned: success
  type: str
  sample: 24.11.5
claim:
  description:
    - The claim that Slurm reads the user from. V(id) stands for the claims that C(use_jwt_client_ids) reads.
    - Null if there is none.
  returned: success
  type: str
  sample: preferred_username
user:
  description: The value of that claim, the name of a user or a uid in digits.
  returned: success
  type: str
  sample: alice
uid:
  description: The uid of that user on this host. Null if there is no such user here; Slurm treats it as nobody.
  returned: success
  type: int
  sample: 1001
signer:
  description:
    - V(HS256), or the kid of the key in C(jwks=) that signed the token. Null if no trusted key did.
  returned: success
  type: str
  sample: FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE
accepted:
  description:
    - Whether the daemon would accept the token.
    - Slurm accepts a token for a user that the host does not know, as nobody's. RV(cautions) then says so.
  returned: success
  type: bool
refusals:
  description: Every reason why the daemon would refuse the token.
  returned: success
  type: list
  elements: str
  sample: ["It expired 311 s ago by the clock of this host."]
cautions:
  description: What to consider before tokens like this one are trusted.
  returned: success
  type: list
  elements: str
  sample: ["Slurm reads preferred_username only because there is no sun and no username. ..."]
claims:
  description: All claims of the token. They are proven only if RV(signer) is set.
  returned: success
  type: dict
  sample: {"iss": "https://keycloak.example.org/realms/hpc", "preferred_username": "alice", "exp": 1796025600}
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import ConfError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import find_user
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import read_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect import facts
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._jwks.key_set import (
    OWN_LIMITS,
    KeySet,
    KeySetEmpty,
    KeySetError,
    parse,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.jwk import LEAST_BITS, Rules
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import Client, ClientError, forget_environment
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF, SLURMDBD_CONF
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.identity import identify
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verifying_daemon import VerifyingDaemon

_OLD_LIBJWT = "libjwt.so.0"

_CONF_PATHS = {"slurmctld": SLURM_CONF, "slurmdbd": SLURMDBD_CONF}


def configured_daemon(module: AnsibleModule) -> VerifyingDaemon:
    """What the daemon would load if it started now."""
    kind = module.params["daemon"]
    path = module.params["conf_path"] or _CONF_PATHS[kind]

    def run(argv: list[str]) -> str:
        return str(module.run_command(argv)[1])

    release = Client(module.params["bin_dir"], None, 15).release(module.params["release"], run)
    try:
        file = facts.load(path, kind if kind == "slurmdbd" else "slurm")
    except (ConfError, OSError) as exc:
        raise TaskError(f"conf_path: {exc}") from exc
    jwt = file.jwt
    return VerifyingDaemon(
        release,
        jwt.enabled,
        jwt.parameters,
        read_key(jwt.key_path),
        read_keys(jwt.jwks_path),
        # Without SlurmUser in the file the daemons run as root.
        file.conf.value("SlurmUser") or "root",
        has_old_libjwt(file.conf.value("PluginDir"), module.params["bin_dir"]),
    )


def has_old_libjwt(plugin_dir: str | None, bin_dir: str | None) -> bool:
    """Whether Slurm's libjwt on this host accepts the name of an algorithm in upper and lower case."""
    program = install_paths.find_program("slurmctld", [bin_dir] if bin_dir else [])
    folder = install_paths.plugin_dir(plugin_dir, program)
    libjwt = None if folder is None else install_paths.find_libjwt(os.path.join(folder, "auth_jwt.so"))
    return libjwt is not None and libjwt.name == _OLD_LIBJWT


def read_key(path: str | None) -> bytes | None:
    """The key for HS256; None if the daemon has none."""
    if path is None:
        return None
    try:
        return read_secret(path).data
    except SecretFileError as exc:
        raise TaskError(f"jwt_key=: {exc} The daemon would not start.") from exc


def read_keys(path: str | None) -> KeySet | None:
    """The keys for RS256; None if the daemon has none."""
    if path is None:
        return None
    try:
        with open(path, "rb") as stream:
            return parse(stream.read(), Rules(LEAST_BITS), limits=OWN_LIMITS)
    except KeySetEmpty:
        return KeySet([], [], frozenset())
    except KeySetError as exc:
        raise TaskError(f"jwks=: {path} {exc} Have slurm_jwks write it.") from exc
    except OSError as exc:
        raise TaskError(f"jwks=: {path} cannot be read: {exc.strerror}. The daemon would not start.") from exc


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "token": {"type": "str", "required": True, "no_log": True},
            "daemon": {"type": "str", "choices": sorted(_CONF_PATHS), "default": "slurmctld"},
            "conf_path": {"type": "path"},
            "release": {"type": "str"},
            "bin_dir": {"type": "path"},
        },
        supports_check_mode=True,
    )
    forget_environment()
    try:
        daemon = configured_daemon(module)
    except (TaskError, ClientError) as exc:
        module.fail_json(msg=str(exc))
    identity = identify(module.params["token"].strip(), daemon, find_user, time.time())
    module.exit_json(
        changed=False,
        daemon=module.params["daemon"],
        release=str(daemon.release),
        accepted=not identity.refusals,
        **identity._asdict(),
    )


if __name__ == "__main__":
    main()
