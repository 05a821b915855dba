#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_proof
short_description: Prove that running Slurm daemons accept good tokens and refuse bad ones
version_added: 1.0.0
description:
  - Presents tokens to the daemons of a running cluster. A good one must be accepted. An expired one, one signed with
    another key, one without a signature, and through slurmrestd also none at all and a plain user's under the name of
    root, must be refused.
  - slurmctld is asked by C(sdiag) and slurmdbd by C(sacctmgr list cluster), both from this host. These are allowed to
    everybody, whatever C(PrivateData) says. slurmrestd is asked over HTTP.
  - Tells apart a daemon that refuses, one that does not answer, and a host that cannot ask. Where a release says the
    same for a refusal as for a daemon that is down, it counts as a refusal only between two good tokens that were
    accepted.
  - The tokens are made in memory. They reach the client programs in their environment and slurmrestd in headers, and
    are nowhere else.
  - A proof takes well under a second, unless a daemon does not answer.
author:
  - hpc.slurm_jwt contributors (@hpc-slurm-jwt)
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.info_module
  - hpc.slurm_jwt.durations
options:
  daemons:
    description:
      - What to ask. V(slurmctld) and V(slurmdbd) need Slurm's client programs and the plugin C(auth_jwt.so) on this
        host, and nothing of them needs to run here. V(slurmrestd) needs O(rest_url).
    type: list
    elements: str
    choices: [slurmctld, slurmdbd, slurmrestd]
    default: [slurmctld, slurmdbd]
  key_path:
    description:
      - The signing key, to make the tokens with, one for HS256 or a private RSA key in PEM, which signs with RS256. It
        wants the package C(python3-jwt), and an RSA key C(python3-cryptography), too.
      - One of this, O(jwks_path) and O(tokens) is needed.
    type: path
  algorithm:
    description:
      - What the key at O(key_path) signs with. By default it is V(RS256) for a key in PEM, and V(HS256) for any other.
      - V(HS256) is to be said where the cluster's key for HS256 may be a PEM, which Slurm accepts.
    type: str
    choices: [HS256, RS256]
  fingerprint:
    description:
      - The fingerprint that the key at O(key_path) has to have, C(SHA256:) and what C(sha256sum) prints. Another key
        proves nothing of the one that is meant.
    type: str
  jwks_path:
    description:
      - The key set that the daemons have loaded, as M(hpc.slurm_jwt.slurm_jwks) makes it. RS256 tokens with the kid of
        one of its keys, signed with another, must be refused, and so must be one of an unknown kid, and one that takes
        the public key for the secret of HS256.
      - Where there is no O(key_path) either, because all keys are those of an identity provider, nothing here can sign
        a good token. Client programs then show by the cluster's own authentication that a daemon is there, and of
        slurmrestd only clear answers count. Give O(sample_token) to prove that good ones are accepted.
    type: path
  sample_token:
    description:
      - A token of the site that ought to be accepted, such as one of an identity provider. It is not among RV(tokens),
        so give it again to a run that takes those.
    type: str
  retired_key_path:
    description:
      - A key that counts no more, one for HS256. A token that it signed must be refused. The file need
        not be there; without it that case is left out.
    type: path
  tokens:
    description:
      - The tokens to present, by case, as RV(tokens) of an earlier run has them. For hosts that have no key, such as
        that of slurmrestd.
    type: dict
  user:
    description:
      - The user the tokens are made for, a plain one.
      - With O(tokens), the user is that of the good token, if there is one.
    type: str
    default: nobody
  lifespan:
    description: How long the good token lives, a duration.
    type: str
    default: 5m
  conf_path:
    description:
      - The slurm.conf for the client programs. If there is no such file, they look for theirs themselves, as on a
        configless host.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, where they are not in the usual places.
    type: path
  rest_url:
    description:
      - Where slurmrestd listens, such as V(http://127.0.0.1:6820) or V(unix:/run/slurmrestd/slurmrestd.socket).
    type: str
  rest_ca_path:
    description: The file of CA certificates to check an C(https) address against. By default those of the host.
    type: path
  rest_user:
    description:
      - The user that slurmrestd runs as. Where O(rest_url) is on this host, tokens are sent only to a program of that
        user or of root. Any user may listen on a port from 1024 on while slurmrestd does not.
      - Left out, tokens are sent to whatever is there.
    type: str
  rest_slurmdb:
    description: Whether to ask slurmrestd for something of slurmdbd, too. Not where there is no slurmdbd.
    type: bool
    default: true
  release:
    description:
      - The release of slurmrestd, such as V(24.11). It is not needed. Knowing it spares requests for versions of its
        API that it has not, and lets slurmdbd 20.11.6 and later of the 20.11 series be asked everything.
    type: str
  timeout:
    description:
      - Seconds to wait for each answer. A daemon that did not answer a good token is not asked again.
    type: int
    default: 5
  return_tokens:
    description:
      - Whether to return the tokens in RV(tokens), for O(tokens) of a run on another host. Set C(no_log) on the task,
        except on ansible-core 2.22 and later, where the values returned are masked in all output.
      - With C(no_log) nobody reads why a cluster is not proven. So have the tokens returned by a task of their own
        with O(daemons=[]), as in the examples.
    type: bool
    default: false
  fail_unproven:
    description: Whether a cluster that is not proven is an error.
    type: bool
    default: true
requirements:
  - PyJWT >= 1.7 (package C(python3-jwt)), with O(key_path) or O(jwks_path)
  - cryptography >= 3.0 (package C(python3-cryptography)), with O(jwks_path) or an RSA key
notes:
  - A token for a user who does not exist on a daemon's host is accepted by Slurm, as that of nobody in particular. So
    an accepted token does not prove that the user exists there.
  - Slurm before 20.11.6 has a slurmdbd that dies of a request under another user's name. That case is left out there,
    and RV(left_out) says so.
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_token
"""

EXAMPLES = r"""
- name: Prove that slurmctld and slurmdbd check tokens
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key

- name: Wait until slurmdbd, just restarted, is proven
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    daemons: [slurmdbd]
  register: proof
  until: proof is success
  retries: 10
  delay: 1

- name: Prove a cluster whose keys are all an identity provider's
  hpc.slurm_jwt.slurm_jwt_proof:
    jwks_path: /etc/slurm/jwks.json
    sample_token: "{{ lookup('community.hashi_vault.vault_read', 'secret/slurm/sample').data.token }}"

- name: Make tokens where the key is
  hpc.slurm_jwt.slurm_jwt_proof:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    daemons: []
    return_tokens: true
  no_log: true
  delegate_to: controller
  register: cases

- name: Prove slurmrestd from its own host
  hpc.slurm_jwt.slurm_jwt_proof:
    tokens: "{{ cases.tokens }}"
    daemons: [slurmrestd]
    rest_url: http://127.0.0.1:6820
"""

RETURN = r"""
proven:
  description: Whether each answer was the expected one, and there was one at all.
  returned: always
  type: bool
  sample: true
answers:
  description: What each daemon did with each token.
  returned: always
  type: list
  elements: dict
  contains:
    daemon:
      description: The daemon that was asked.
      returned: always
      type: str
      sample: slurmdbd
    asked:
      description: How it was asked.
      returned: always
      type: str
      sample: sacctmgr list cluster
    case:
      description:
        - The token presented. V(good), V(expired), V(forged) (signed with another key), V(unsigned) (algorithm none),
          V(retired) (signed with O(retired_key_path)), V(foreign_name) (a good one under the name of root), or V(none).
        - With O(jwks_path) also V(forged_kid) (RS256, the kid of a trusted key, another signature), V(unknown_kid), and
          V(confused) (HS256 with a public key as secret). V(sample) is O(sample_token).
        - V(own) is no token but the cluster's own authentication, where there is neither a good nor a sample token.
      returned: always
      type: str
      sample: forged
    expected:
      description: What it should do, V(accepted) or V(refused).
      returned: always
      type: str
      sample: refused
    answer:
      description:
        - What it did. V(accepted), V(refused), V(unreachable) (the daemon does not answer), V(unclear) (it answered,
          and the answer may mean either) or V(unasked) (this host could not ask).
      returned: always
      type: str
      sample: refused
    detail:
      description: The words of the client or of slurmrestd, without any token.
      returned: always
      type: str
      sample: "slurm_get_statistics: Protocol authentication error"
left_out:
  description: Cases that were left out, with C(daemon), C(asked), C(case) and C(reason).
  returned: always
  type: list
  elements: dict
  sample: []
user:
  description: The user of the tokens. Null if they name none that is known here.
  returned: always
  type: str
  sample: nobody
tokens:
  description: The tokens by case, with O(return_tokens=true). Else, and where the module fails, empty.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.cases import ProofError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.proof import prove
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import ClientError, forget_environment
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError

try:
    # ansible-core 2.22 and later mask values registered here in all output.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value: str) -> None:
        """Older ansible-core masks the values of no_log options only."""


ARGUMENTS = {
    "daemons": {
        "type": "list",
        "elements": "str",
        "choices": ["slurmctld", "slurmdbd", "slurmrestd"],
        "default": ["slurmctld", "slurmdbd"],
    },
    "key_path": {"type": "path", "no_log": False},
    "algorithm": {"type": "str", "choices": ["HS256", "RS256"]},
    "fingerprint": {"type": "str"},
    "jwks_path": {"type": "path"},
    "sample_token": {"type": "str", "no_log": True},
    "retired_key_path": {"type": "path", "no_log": False},
    "tokens": {"type": "dict", "no_log": True},
    "user": {"type": "str", "default": "nobody"},
    "lifespan": {"type": "str", "default": "5m"},
    "conf_path": {"type": "path", "default": "/etc/slurm/slurm.conf"},
    "bin_dir": {"type": "path"},
    "rest_url": {"type": "str"},
    "rest_ca_path": {"type": "path"},
    "rest_user": {"type": "str"},
    "rest_slurmdb": {"type": "bool", "default": True},
    "release": {"type": "str"},
    "timeout": {"type": "int", "default": 5},
    "return_tokens": {"type": "bool", "default": False, "no_log": False},
    "fail_unproven": {"type": "bool", "default": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("key_path", "tokens"), ("jwks_path", "tokens")],
        required_one_of=[("key_path", "jwks_path", "tokens")],
        supports_check_mode=True,
    )
    forget_environment()

    def run(argv: list[str], more: dict[str, str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(argv, environ_update=more)
        return code, out, err

    try:
        result = prove(Task(module.params, module.check_mode, module._diff, module.warn), run)
    except TaskError as exc:
        module.fail_json(msg=str(exc), **exc.result)
    except (ProofError, ClientError, TokenError, LibraryMissing) as exc:
        module.fail_json(msg=str(exc))
    for token in result["tokens"].values():
        register_secret(token)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
