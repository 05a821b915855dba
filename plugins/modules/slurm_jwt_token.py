#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_token
short_description: Make, maintain and verify tokens for Slurm
version_added: 1.0.0
description:
  - Maintains files with tokens for users and services. A token is replaced only if the one in the file is missing,
    unreadable, about to expire, for another user, with other claims, or not signed by the key in force. The result
    shows the reason.
  - Installs tokens that were made elsewhere, on hosts that must not have a key.
  - Stages the next token beside the live one and activates it at a given instant, for a rotation of the key.
  - Verifies a token as slurmctld and slurmdbd of a given release do, and returns every reason why they would refuse it.
  - Anyone who has a token can act as its user until it expires. Only a change of the key revokes a token.
author:
  - hpc.slurm_jwt contributors (@hpc-slurm-jwt)
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.safe_writes
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - In check mode no token is made, so C(token) is null even with O(return_token=true).
      - In check mode, a missing key, folder or file owner is a warning instead of an error, because an earlier task may
        have been about to create it.
      - In check mode O(token) may be empty, for a token that an earlier task would have made.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A token without O(dest) is made at each run. That changes nothing on the host and is reported as unchanged.
      - A token that is about to expire is replaced.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  state:
    description:
      - V(present) makes sure that each token exists, is valid, and does not expire within O(min_remaining).
      - V(absent) removes the files, and the files of a rotation beside them. Copies of the tokens stay valid until they
        expire. A file that holds no token in that O(format) is not removed, with a warning.
      - V(verified) changes nothing. It verifies the token in O(token), or those in files, with O(key_path).
      - V(staged) is V(present) for the file DEST.next beside O(dest), and leaves O(dest) as it is. If O(key_path) is
        the next key, the staged tokens are valid as soon as that key is in force. Without O(mode), the file has the
        mode of O(dest). If O(dest) holds such a token already, none is staged. If one is staged, DEST.previous of an
        earlier rotation is removed.
      - V(active) replaces O(dest) with DEST.next, see O(source). If nothing is staged, nothing is changed. O(dest)
        exists at every instant, and its token is kept in DEST.previous.
      - V(unstaged) removes DEST.next and DEST.previous.
    type: str
    choices: [present, absent, verified, staged, active, unstaged]
    default: present
  user:
    description:
      - The user that the token is for. Required with O(state=present) and O(state=staged), unless O(tokens) is set or
        O(token) names the user.
      - With O(state=verified), a token for another user counts as refused.
    type: str
  tokens:
    description:
      - Several tokens in one run, instead of O(user) and O(dest). For every other option that an entry does not set,
        the module's option of the same name is used.
      - All entries are checked before the first token is made, and all tokens are made before the first file is
        written.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of this token in results and messages.
          - By default the file, or the user if there is no file.
        type: str
      user:
        description: The user that the token is for.
        type: str
      lifespan:
        description: See O(lifespan).
        type: str
      min_remaining:
        description: See O(min_remaining).
        type: str
      claims:
        description: See O(claims).
        type: dict
      token:
        description: See O(token).
        type: str
      current:
        description: See O(current).
        type: str
      allow_privileged:
        description: See O(allow_privileged).
        type: bool
      allow_endless:
        description: See O(allow_endless).
        type: bool
      key_path:
        description: See O(key_path). For a token that another key signs than the others.
        type: path
      dest:
        description: See O(dest).
        type: path
      format:
        description: See O(format).
        type: str
        choices: [raw, env, header, json, nginx, apache]
      owner:
        description: See O(owner).
        type: str
      group:
        description: See O(group).
        type: str
      mode:
        description: See O(mode).
        type: raw
  lifespan:
    description:
      - How long a new token is valid, a duration.
      - A token that was made with a longer lifespan is replaced.
      - V(infinite) has the meaning that it has for C(scontrol token), some 68 years. V(infinite), more than 366 days,
        and more than O(max_lifespan) need O(allow_endless=true).
    type: str
    default: 30m
  min_remaining:
    description:
      - A token that expires within this time is replaced. A duration shorter than O(lifespan).
      - By default a fifth of the lifespan.
    type: str
  claims:
    description:
      - Further claims for the token. Slurm ignores them, but a proxy or portal may use them.
      - The claims for user and time (C(iat), C(exp), C(sun), C(username)) are reserved.
      - Only with O(method=key).
    type: dict
  method:
    description:
      - V(key) signs on this host, with the key in O(key_path). It needs the package C(python3-jwt).
      - V(scontrol) asks slurmctld, by C(scontrol token) on this host. For tokens of other users the task has to run as
        root or SlurmUser.
      - V(given) makes none. A token that has to be replaced must be given in O(token). In check mode it need not be
        given, so that a host without a key can report which of its tokens have to be replaced, as far as that shows
        without a key. With O(state=staged) and O(return_token=true) it then returns the live token if none is staged.
      - If a O(token) is given, none is made, whatever the method.
    type: str
    choices: [key, scontrol, given]
    default: key
  key_path:
    description:
      - The signing key. Required with O(method=key), unless each O(token) is given, and with O(state=verified).
      - With O(method=scontrol) it is only used to check whether the key in force signed a token. Without it the
        signature is not checked, RV(tokens[].signature_checked) is false, and the token is not replaced when the key
        changes. The same applies to O(method=given), and to a O(token), which is refused if another key signed it.
      - A key for HS256, or a private RSA key in PEM, which signs with RS256. M(hpc.slurm_jwt.slurm_jwt_key) makes both.
    type: path
  algorithm:
    description:
      - The algorithm of the key at O(key_path). By default V(RS256) for a key in PEM, and V(HS256) for any other.
      - Set V(HS256) if the cluster's key for HS256 may be a PEM, which Slurm accepts.
    type: str
    choices: [HS256, RS256]
  kid:
    description:
      - Slurm's name for the RSA key in O(key_path). It is in the header of the tokens that the key signs.
      - By default the RFC 7638 thumbprint of the key, as in RV(hpc.slurm_jwt.slurm_jwt_key#module:public_jwk).
      - A key for HS256 has none.
    type: str
  dest:
    description:
      - The file that holds the token. Its folder must exist.
      - Without it the token is only returned, and O(return_token) has to be set.
    type: path
  format:
    description:
      - The format of the file.
      - V(raw) is the token and nothing else, not even a newline.
      - V(env) is C(SLURM_JWT=TOKEN), for a shell or for C(EnvironmentFile=) of a systemd unit.
      - V(header) is the two headers that slurmrestd of every release accepts, for C(curl -H @FILE).
      - V(json) is an object with C(user), C(token) and C(expires).
      - V(nginx) is a line C(proxy_set_header X-SLURM-USER-TOKEN "TOKEN";) for C(include) in nginx's configuration, and
        V(apache) a line C(RequestHeader set X-SLURM-USER-TOKEN "TOKEN") for C(Include) in Apache's.
    type: str
    choices: [raw, env, header, json, nginx, apache]
    default: raw
  owner:
    description:
      - Name or number of the user that owns the file.
      - If not given, it is the user that runs the module, usually root, even if the file has another owner now.
    type: str
  group:
    description:
      - Name or number of the group that owns the file.
      - If not given, it is the primary group of the owner.
    type: str
  mode:
    description:
      - Permissions of the file, as a quoted octal number. Allowed are V('0400'), V('0440'), V('0600') and V('0640').
      - V('0400') by default.
    type: raw
  source:
    description:
      - Which token O(state=active) activates.
      - V(next) is the one that O(state=staged) has written to DEST.next.
      - V(previous) is the one that was live before, in DEST.previous. It rolls a rotation back.
    type: str
    choices: [next, previous]
    default: next
  activate_at:
    description:
      - When O(state=active) swaps the files, in seconds since 1970 by the clock of this host. Everything is prepared
        before, so that only one rename for each file is left to do at that instant.
      - Without it, or if it is past, the files are swapped at once. More than 120 s ahead is refused.
    type: float
  check_user:
    description:
      - Whether each user must exist on this host. Slurm looks users up on the hosts of slurmctld and slurmdbd, so this
        host should be one of them, or know the same users.
      - Not checked for tokens that are given in O(token), or with O(method=given).
    type: bool
    default: true
  allow_privileged:
    description:
      - Whether a token may be for root, for SlurmUser, or for a number instead of a name. Slurm takes a number for a
        uid, V(0) for root.
      - Such a token gives power over the whole cluster.
    type: bool
    default: false
  allow_endless:
    description:
      - Whether a token may have a lifespan of more than 366 days or more than O(max_lifespan).
    type: bool
    default: false
  slurm_user:
    description:
      - The cluster's SlurmUser, whose tokens need O(allow_privileged=true).
      - By default the one in O(conf_path), and V(slurm) if there is no such file.
    type: str
  max_lifespan:
    description:
      - The longest lifespan without O(allow_endless=true), a duration.
      - By default C(max_token_lifespan) in O(conf_path), and 366 days if there is none.
    type: str
  conf_path:
    description:
      - The cluster's slurm.conf, for SlurmUser, C(max_token_lifespan) and C(scontrol).
      - It need not exist. With O(slurm_user) and O(max_lifespan) it is not read, which saves some time.
    type: path
    default: /etc/slurm/slurm.conf
  bin_dir:
    description:
      - The folder of Slurm's programs, such as C(scontrol), if they are not in one of the usual folders.
    type: path
  timeout:
    description: Seconds that C(scontrol) may take.
    type: int
    default: 15
  token:
    description:
      - With O(state=verified), the token to verify, instead of those in files.
      - With O(state=present) and O(state=staged), the token to be installed, made elsewhere. It is refused if it is
        expired, or for another user than O(user).
    type: str
  current:
    description:
      - The token in a file on another host, empty if there is none. It is checked as if it were in a file on this host,
        and replaced for the same reasons. So the host with the key decides for hosts that have none.
      - Nothing is written, so it excludes O(dest). RV(tokens[].token) is the new token, and null if the current one
        can stay.
    type: str
  release:
    description:
      - The release of Slurm by whose rules O(state=verified) decides, such as V(24.11).
      - By default the one that is installed on this host.
    type: str
  fail_refused:
    description: Whether a token that would be refused is an error, with O(state=verified).
    type: bool
    default: true
  return_token:
    description:
      - Whether to return new tokens, and valid tokens in files, in RV(tokens[].token). Set C(no_log) on the task,
        except on ansible-core 2.22 and later, which masks the returned values in all output.
      - A token that is an option of the task, O(token) or O(current), is not returned.
    type: bool
    default: false
    aliases: [return_tokens]
requirements:
  - PyJWT >= 1.7 (package C(python3-jwt)), if a token is made with O(method=key)
  - cryptography >= 3.0 (package C(python3-cryptography)), if O(key_path) is an RSA key
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_key
  - module: hpc.slurm_jwt.slurm_jwt_proof
"""

EXAMPLES = r"""
- name: A token for a dashboard, valid for a week and replaced when less than a day is left
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    user: slurm-web
    lifespan: 7d
    min_remaining: 1d
    dest: /etc/slurm-web/slurm.token
    owner: slurm-web

- name: A token signed with RS256, by a key whose public half Slurm trusts
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /etc/slurm-tokens/rs256.pem
    user: portal
    lifespan: 12h
    dest: /etc/portal/slurm.token
    owner: portal

- name: Several tokens at once, for the environment of their services
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    format: env
    tokens:
      - user: exporter
        dest: /etc/slurm-exporter/token.env
        owner: exporter
      - user: portal
        dest: /etc/portal/token.env
        owner: portal
        lifespan: 1d

- name: A token for one hour in a variable
  hpc.slurm_jwt.slurm_jwt_token:
    method: scontrol
    user: alice
    lifespan: 1h
    return_token: true
  no_log: true
  register: alice

- name: Inspect the token on a host without a key
  hpc.slurm_jwt.slurm_jwt_token:
    method: given
    user: portal
    lifespan: 1d
    dest: /etc/portal/token
    return_token: true
  check_mode: true
  no_log: true
  register: inspection

- name: Have the controller make a new one if necessary
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    user: portal
    lifespan: 1d
    current: "{{ inspection.token or '' }}"
    return_token: true
  delegate_to: ctl1
  no_log: true
  register: minted

- name: Install it
  hpc.slurm_jwt.slurm_jwt_token:
    token: "{{ minted.token or inspection.token }}"
    dest: /etc/portal/token
    owner: portal
  no_log: true

- name: Stage a token of the next key
  hpc.slurm_jwt.slurm_jwt_token:
    state: staged
    key_path: /var/spool/slurmctld/jwt_hs256.key.next
    user: slurm-web
    lifespan: 7d
    dest: /etc/slurm-web/slurm.token

- name: Activate it at the instant at which the key is activated
  hpc.slurm_jwt.slurm_jwt_token:
    state: active
    activate_at: "{{ instant }}"
    dest: /etc/slurm-web/slurm.token

- name: Check whether this cluster would accept the token in the file
  hpc.slurm_jwt.slurm_jwt_token:
    state: verified
    key_path: /var/spool/slurmctld/jwt_hs256.key
    dest: /etc/slurm-web/slurm.token
"""

RETURN = r"""
tokens:
  description: One entry for each token, in the order given.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The entry's name, or its file, or its user.
      returned: always
      type: str
      sample: /etc/slurm-web/slurm.token
    user:
      description: The user that the token is for.
      returned: always
      type: str
      sample: slurm-web
    dest:
      description: The file, if there is one.
      returned: always
      type: str
      sample: /etc/slurm-web/slurm.token
    format:
      description: The file's format.
      returned: always
      type: str
      sample: raw
    changed:
      description: Whether the file was written, given other attributes, or removed.
      returned: always
      type: bool
    reason:
      description:
        - Why the token was made, or would be in check mode. Null if it was not.
        - V(missing), V(unreadable) (not a token in that format), V(algorithm), V(user), V(format) (a valid token with
          other text around it), V(claims), V(lifespan) (made with a longer lifespan), V(key) (not signed by the key in
          force), V(expiring), V(given) (another token than the one given), or V(requested) if there is no file.
        - V(attributes) if only owner, group, mode or an access control list were corrected, V(present) if the file was
          removed.
        - With O(state=active), V(next) or V(previous) if that token is live now, and V(same) if it was live already, so
          that only its copy was removed. With O(state=unstaged), V(leftover).
      returned: always
      type: str
      sample: expiring
    expires:
      description: When the token expires, in UTC. Null if that is not known, or if the token does not say.
      returned: always
      type: str
      sample: "2026-11-30T08:15:00Z"
    remaining:
      description: Seconds until then, by the clock of this host.
      returned: always
      type: int
      sample: 604800
    claims:
      description: The claims of the token.
      returned: always
      type: dict
      sample: {"iat": 1795420800, "exp": 1796025600, "sun": "slurm-web"}
    found:
      description:
        - With O(state=present), the claims of the token that was in the file, valid or not. Null if there was no token
          that could be read.
      returned: always
      type: dict
      sample: {"iat": 1795420800, "exp": 1796025600, "sun": "slurm-web"}
    key_fingerprint:
      description: Fingerprint of the key that signed the token. Null if that was not checked.
      returned: always
      type: str
      sample: SHA256:fcf730b6d95236ecd3c9fc2d92d7b6b2bb061514961aec041d6c7a7192f592e4
    signature_checked:
      description: Whether the token's signature was checked against a key.
      returned: always
      type: bool
    activated_at:
      description: With O(state=active), when the token became live, in seconds since 1970. Null if this run did not
        activate it.
      returned: always
      type: float
      sample: 1796025600.002
    refusals:
      description: With O(state=verified), every reason why Slurm would refuse the token. Otherwise empty.
      returned: always
      type: list
      elements: str
      sample: ["It expired 311 s ago by the clock of this host."]
    token:
      description: The token, with O(return_token=true). Otherwise null, and in check mode null for a token that would
        be made.
      returned: always
      type: str
token:
  description: The same as RV(tokens[].token), if there is only one token.
  returned: always
  type: str
refusals:
  description: The refusals of all tokens, each after the token's name if there are several.
  returned: always
  type: list
  elements: str
release:
  description: The release of Slurm by whose rules tokens were verified, with O(state=verified). Otherwise null.
  returned: always
  type: str
  sample: 24.11.5
"""

from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._ansible.secrets import register_secret
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import ClientError, forget_environment
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.conf_paths import SLURM_CONF
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.absent import absent, unstaged
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.active import active
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import FORMATS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.present import PresentTokens
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verified import verified

_TOKEN_OPTIONS = {
    "user": {"type": "str"},
    "lifespan": {"type": "str"},
    "min_remaining": {"type": "str"},
    "claims": {"type": "dict"},
    "token": {"type": "str", "no_log": True},
    "current": {"type": "str", "no_log": True},
    "allow_privileged": {"type": "bool"},
    "allow_endless": {"type": "bool"},
    "dest": {"type": "path"},
    "format": {"type": "str", "choices": list(FORMATS)},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
}

STATES = ("present", "absent", "verified", "staged", "active", "unstaged")

ARGUMENTS = dict(
    _TOKEN_OPTIONS,
    lifespan={"type": "str", "default": "30m"},
    format={"type": "str", "choices": list(FORMATS), "default": "raw"},
    state={"type": "str", "choices": list(STATES), "default": "present"},
    tokens={
        "type": "list",
        "elements": "dict",
        "no_log": False,
        "options": dict(_TOKEN_OPTIONS, name={"type": "str"}, key_path={"type": "path", "no_log": False}),
    },
    method={"type": "str", "choices": ["key", "scontrol", "given"], "default": "key"},
    key_path={"type": "path", "no_log": False},
    algorithm={"type": "str", "choices": ["HS256", "RS256"]},
    kid={"type": "str"},
    source={"type": "str", "choices": [NEXT, PREVIOUS], "default": NEXT},
    activate_at={"type": "float"},
    check_user={"type": "bool", "default": True},
    allow_privileged={"type": "bool", "default": False},
    allow_endless={"type": "bool", "default": False},
    slurm_user={"type": "str"},
    max_lifespan={"type": "str"},
    conf_path={"type": "path", "default": SLURM_CONF},
    bin_dir={"type": "path"},
    timeout={"type": "int", "default": 15},
    release={"type": "str"},
    fail_refused={"type": "bool", "default": True},
    return_token={"type": "bool", "default": False, "no_log": False, "aliases": ["return_tokens"]},
)


def do_task(task: Task, run: RunCommand) -> dict[str, Any]:
    state = task.params["state"]
    if state in ("present", "staged"):
        return PresentTokens(task, run).run()
    if state == "verified":
        return verified(task, run)
    return {"absent": absent, "active": active, "unstaged": unstaged}[state](task)


def mask_tokens(result: Mapping[str, Any]) -> None:
    for entry in result.get("tokens") or ():
        if entry["token"] is not None:
            register_secret(entry["token"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[(option, "tokens") for option in ("user", "dest", "token", "current")],
        supports_check_mode=True,
    )
    forget_environment()

    def run(argv: list[str], more: dict[str, str]) -> tuple[int, str, str]:
        code, out, err = module.run_command(argv, environ_update=more)
        return code, out, err

    try:
        result = do_task(Task(module.params, module.check_mode, module._diff, module.warn), run)
    except TaskError as exc:
        mask_tokens(exc.result)
        module.fail_json(msg=str(exc), **exc.result)
    except (TokenError, DurationError, InstantTooFar, SecretFileError, ClientError) as exc:
        module.fail_json(msg=str(exc))
    mask_tokens(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
