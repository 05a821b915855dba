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
  - Presents tokens to the daemons of a running cluster. A good token must be accepted. Bad tokens must be refused. They
    are an expired one, one signed with another key and one without a signature. slurmrestd must also refuse a request
    without a token, and a plain user's token under the name of root.
  - slurmctld is asked with C(sdiag) and slurmdbd with C(sacctmgr list cluster), both from this host. Every user may run
    these, whatever C(PrivateData) is set to. slurmrestd is asked over HTTP.
  - Distinguishes a daemon that refuses, one that does not answer, and a host that cannot ask. Some releases give the
    same answer for a refusal as for a daemon that is down. Such an answer counts as a refusal only between two good
    tokens that were accepted.
  - The tokens are made in memory. They are only in the environment of the client programs and in the headers for
    slurmrestd.
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
      - The daemons to ask. V(slurmctld) and V(slurmdbd) need Slurm's client programs and the plugin C(auth_jwt.so) on
        this host; the daemons may run on other hosts. V(slurmrestd) needs O(rest_url).
    type: list
    elements: str
    choices: [slurmctld, slurmdbd, slurmrestd]
    default: [slurmctld, slurmdbd]
  key_path:
    description:
      - The signing key for the tokens. An HS256 key, or a private RSA key in PEM, which signs with RS256. Needs the
        package C(python3-jwt), and for an RSA key also C(python3-cryptography).
      - At least one of this, O(jwks_path) and O(tokens) is required.
    type: path
  algorithm:
    description:
      - The algorithm of the key at O(key_path). By default V(RS256) for a key in PEM, and V(HS256) for any other.
      - Set V(HS256) if the cluster's HS256 key may be a PEM file, which Slurm accepts.
    type: str
    choices: [HS256, RS256]
  fingerprint:
    description:
      - The expected fingerprint of the key at O(key_path), C(SHA256:) and what C(sha256sum) prints. With another key
        the proof would prove nothing about the expected one.
    type: str
  jwks_path:
    description:
      - The key set that the daemons have loaded, as M(hpc.slurm_jwt.slurm_jwks) makes it. The daemons must refuse an
        RS256 token with the kid of one of its keys that another key signed, one with an unknown kid, and an HS256 token
        whose secret is the public key.
      - Without O(key_path), if all keys belong to an identity provider, this host cannot sign a good token. The client
        programs then use the cluster's own authentication to show that a daemon answers, and only unambiguous answers
        of slurmrestd count. Set O(sample_token) to prove that good tokens are accepted.
    type: path
  sample_token:
    description:
      - A token of the site that must be accepted, such as one of an identity provider. It is not in RV(tokens), so set
        it again in a run that uses those.
    type: str
  retired_key_path:
    description:
      - An HS256 key that is not valid any more. A token that it signed must be refused. Without the file that case is
        left out.
    type: path
  tokens:
    description:
      - The tokens to present, by case, from RV(tokens) of an earlier run. For hosts without the key, such as that of
        slurmrestd.
    type: dict
  user:
    description:
      - The user that the tokens are made for, an unprivileged one.
      - With O(tokens), the user is that of the good token, if there is one.
    type: str
    default: nobody
  lifespan:
    description: How long the good token lives, a duration.
    type: str
    default: 5m
  conf_path:
    description:
      - The slurm.conf for the client programs. If the file does not exist, they find their configuration themselves, as
        on a configless host.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description: The folder of Slurm's programs, if it is not one of the usual ones.
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
      - The user that slurmrestd runs as. If O(rest_url) is on this host, tokens are sent only to a program of that user
        or of root. While slurmrestd is down, any user may listen on a port from 1024 on.
      - Without this option tokens are sent to any program that listens there.
    type: str
  rest_slurmdb:
    description: Whether to ask slurmrestd also for data of slurmdbd. Set it to V(false) if there is no slurmdbd.
    type: bool
    default: true
  release:
    description:
      - The release of slurmrestd, such as V(24.11). Optional. It saves requests for API versions that slurmrestd does
        not have, and with 20.11.6 and later of the 20.11 series no case is left out.
    type: str
  openmetrics:
    description:
      - Asks slurmctld on this host also for its metrics, over HTTP. It must serve them for a good token. It must refuse
        a token for another user, one of the cluster's own key, and a request without a token. As a client's token it
        must refuse the one that is good for metrics. Slurm 26.05 and later.
    type: dict
    suboptions:
      key_path:
        description: The key in C(SlurmctldHttpAuthParameters), which signs the tokens.
        type: path
        required: true
      user:
        description: A user in C(MetricsAuthUsers), for whom the good token is made.
        type: str
        required: true
      users:
        description: All users in C(MetricsAuthUsers). By default the one in O(openmetrics.user).
        type: list
        elements: str
      fingerprint:
        description: The expected fingerprint of the key.
        type: str
      retired_key_path:
        description: A key that is not valid any more. A token that it signed must be refused.
        type: path
      url:
        description: Where slurmctld listens on this host.
        type: str
        default: http://127.0.0.1:6817
      listener_user:
        description:
          - The user that slurmctld runs as. Tokens are sent only to a program of that user or of root. While slurmctld
            is down, any user may listen on its port.
        type: str
  timeout:
    description:
      - Seconds to wait for each answer. A daemon that does not answer a good token is not asked again.
    type: int
    default: 5
  return_tokens:
    description:
      - Whether to return the tokens in RV(tokens), for O(tokens) of a run on another host. Set C(no_log) on the task,
        except on ansible-core 2.22 and later, where the values returned are masked in all output.
      - C(no_log) also hides why a cluster is not proven. So return the tokens in a separate task with O(daemons=[]), as
        in the examples.
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
  - Slurm also accepts a token for a user who does not exist on a daemon's host. So an accepted token does not prove
    that the user exists there.
  - slurmdbd before 20.11.6 crashes at a request under another user's name. That case is left out there, and listed in
    RV(left_out).
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

- name: Prove a cluster that trusts only the keys of an identity provider
  hpc.slurm_jwt.slurm_jwt_proof:
    jwks_path: /etc/slurm/jwks.json
    sample_token: "{{ lookup('community.hashi_vault.vault_read', 'secret/slurm/sample').data.token }}"

- name: Make tokens on the host of the key
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
  description: Whether there was an answer and each one was as expected.
  returned: always
  type: bool
  sample: true
answers:
  description: The answer of each daemon to each token.
  returned: always
  type: list
  elements: dict
  contains:
    daemon:
      description: The daemon that was asked. V(metrics) is slurmctld, asked for metrics.
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
        - The token. V(good), V(expired), V(forged) (signed with another key), V(unsigned) (algorithm none),
          V(retired) (signed with O(retired_key_path)), V(foreign_name) (a good one under the name of root), or V(none).
        - With O(jwks_path) also V(forged_kid) (RS256, the kid of a trusted key, another signature), V(unknown_kid), and
          V(confused) (HS256 with a public key as secret). V(sample) is O(sample_token).
        - V(own) is the cluster's own authentication without a token, used if there is neither a good nor a sample
          token.
        - With O(openmetrics) also V(other_user) (a user who may not read metrics), V(of_cluster) (the cluster's own
          key), and for slurmctld V(of_metrics) (the key for metrics).
      returned: always
      type: str
      sample: forged
    expected:
      description: The expected answer, V(accepted) or V(refused).
      returned: always
      type: str
      sample: refused
    answer:
      description:
        - The answer. V(accepted), V(refused), V(unreachable) (the daemon does not answer), V(unclear) (it answered, and
          the answer may mean either) or V(unasked) (this host could not ask).
      returned: always
      type: str
      sample: refused
    detail:
      description: The message of the client or of slurmrestd, without any token.
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
  description: The user of the tokens. Null if their claims do not name one.
  returned: always
  type: str
  sample: nobody
tokens:
  description: The tokens by case, with O(return_tokens=true). Otherwise, and if the module fails, empty.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible.secrets import register_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.library import LibraryMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._proof.proof import prove
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import ClientError, forget_environment
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError

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
    "conf_path": {"type": "path", "default": SLURM_CONF},
    "bin_dir": {"type": "path"},
    "rest_url": {"type": "str"},
    "rest_ca_path": {"type": "path"},
    "rest_user": {"type": "str"},
    "rest_slurmdb": {"type": "bool", "default": True},
    "release": {"type": "str"},
    "openmetrics": {
        "type": "dict",
        "options": {
            "key_path": {"type": "path", "required": True, "no_log": False},
            "user": {"type": "str", "required": True},
            "users": {"type": "list", "elements": "str"},
            "fingerprint": {"type": "str"},
            "retired_key_path": {"type": "path", "no_log": False},
            "url": {"type": "str", "default": "http://127.0.0.1:6817"},
            "listener_user": {"type": "str"},
        },
    },
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
    except (ClientError, TokenError, LibraryMissing) as exc:
        module.fail_json(msg=str(exc))
    for token in result["tokens"].values():
        register_secret(token)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
