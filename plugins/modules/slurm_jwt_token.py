#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_token
short_description: Make, keep and judge tokens for Slurm
version_added: 1.0.0
description:
  - Keeps files with tokens for users and services. A token is made anew only when the one in the file is missing,
    unreadable, about to expire, for another user, of other claims, or not signed by the key in force;
    the result says which.
  - Installs tokens that were made elsewhere, on hosts that have no key and are to have none.
  - Lays the next token beside the live one and has it take over at an agreed instant, for a rotation of the key.
  - Judges a token as slurmctld and slurmdbd of a given release do, and says every reason why they would refuse it.
  - Whoever holds a token is its user, for as long as it lives. Nothing takes a token back, except a change of the key.
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
      - In check mode a key, a folder or a file's owner that does not exist yet draws a warning instead of an error,
        because an earlier task may have been about to make it.
      - In check mode O(token) may be empty, for a token that an earlier task would have made.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A token without O(dest) is made at each run. That changes nothing on the host and is reported as unchanged.
      - A token about to expire is made anew.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  state:
    description:
      - V(present) sees to it that each token is there, good, and has enough of its life left.
      - V(absent) removes the files, and what a rotation has left beside them. Tokens copied from them stay good until
        they expire. A file that holds no token in that O(format) is something else, and stays with a warning.
      - V(verified) changes nothing. It judges the token in O(token), or those in files, with O(key_path).
      - V(staged) is V(present) for the file DEST.next beside O(dest), while O(dest) stays as it is. With O(key_path)
        that names the next key, it makes the tokens that will be good once that key is in force. A mode that is not
        given is that of O(dest). Where O(dest) holds such a token already, none is staged, and if one
        is, DEST.previous of an earlier rotation goes.
      - V(active) has DEST.next take the place of O(dest), see O(source). Where nothing is staged nothing is changed.
        O(dest) is missing at no instant, and the token that it held is kept in DEST.previous.
      - V(unstaged) removes DEST.next and DEST.previous.
    type: str
    choices: [present, absent, verified, staged, active, unstaged]
    default: present
  user:
    description:
      - The user the token is for. Needed with O(state=present) and O(state=staged), unless there are O(tokens) or the
        O(token) itself says it.
      - With O(state=verified), a token for anybody else counts as refused.
    type: str
  tokens:
    description:
      - Several tokens in one run, instead of O(user) and O(dest). Whatever else an entry does not say is taken from
        the option of the same name.
      - All are checked before the first is made, and all are made before the first file is written.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What to call this token in results and errors.
          - By default the file, and without one the user.
        type: str
      user:
        description: The user the token is for.
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
      - How long a new token lives, a duration.
      - A token that was made to live longer than this is made anew.
      - V(infinite) is what C(scontrol token) understands by it, some 68 years. It, more than 366 days, and more than
        O(max_lifespan) need O(allow_endless=true).
    type: str
    default: 30m
  min_remaining:
    description:
      - A token with less of its life left than this is made anew. A duration shorter than O(lifespan).
      - By default a fifth of the lifespan.
    type: str
  claims:
    description:
      - Further claims for the token. Slurm ignores them; a proxy or portal may not.
      - Those that say who and until when (C(iat), C(exp), C(sun), C(username)) cannot be given here.
      - Only with O(method=key).
    type: dict
  method:
    description:
      - V(key) signs here, with the key in O(key_path). It wants the package C(python3-jwt).
      - V(scontrol) asks slurmctld, by C(scontrol token) on this host, which has to run as root or SlurmUser for
        tokens of other users.
      - V(given) makes none. A token that has to be made anew must be given in O(token). In check mode it need not be,
        so that a host without a key tells what of its files is to be made anew, as far as that shows without one. With
        O(state=staged) and O(return_token=true) it then returns the live token where none is staged.
      - Where a O(token) is given, none is made whatever the method.
    type: str
    choices: [key, scontrol, given]
    default: key
  key_path:
    description:
      - The signing key. Needed with O(method=key), unless each O(token) is given, and with O(state=verified).
      - With O(method=scontrol) it serves to see whether a token in a file was signed by the key in force. Without it
        that is not checked, RV(tokens[].signature_checked) is false, and the token is not made anew when the key
        changes. The same holds for O(method=given), and for a O(token), which is refused if another key signed it.
      - A key for HS256, or a private RSA key in PEM, which signs with RS256. M(hpc.slurm_jwt.slurm_jwt_key) makes both.
    type: path
  algorithm:
    description:
      - What the key at O(key_path) signs with. By default it is V(RS256) for a key in PEM, and V(HS256) for any other.
      - V(HS256) is to be said where the cluster's key for HS256 may be a PEM, which Slurm accepts.
    type: str
    choices: [HS256, RS256]
  kid:
    description:
      - What Slurm knows the RSA key in O(key_path) as. It stands in the header of the tokens that the key signs.
      - By default the RFC 7638 thumbprint of the key, as RV(hpc.slurm_jwt.slurm_jwt_key#module:public_jwk) has it.
      - A key for HS256 has none.
    type: str
  dest:
    description:
      - The file that holds the token. Its folder must exist.
      - Without it the token is made and only returned, for which O(return_token) has to be set.
    type: path
  format:
    description:
      - What the file looks like.
      - V(raw) is the token and nothing else, not even a newline.
      - V(env) is C(SLURM_JWT=TOKEN), for a shell or for C(EnvironmentFile=) of a systemd unit.
      - V(header) is the two headers that slurmrestd of every release wants, for C(curl -H @FILE).
      - V(json) is an object with C(user), C(token) and C(expires).
      - V(nginx) is a line C(proxy_set_header X-SLURM-USER-TOKEN "TOKEN";) for C(include) in nginx's configuration, and
        V(apache) a line C(RequestHeader set X-SLURM-USER-TOKEN "TOKEN") for C(Include) in Apache's.
    type: str
    choices: [raw, env, header, json, nginx, apache]
    default: raw
  owner:
    description:
      - Name or number of the user who is to own the file.
      - If not given, it is the user who runs the module, root as a rule. Whoever owned a file that is there already
        keeps nothing of it.
    type: str
  group:
    description:
      - Name or number of the group that is to own the file.
      - If not given, it is the primary group of the owner.
    type: str
  mode:
    description:
      - Permissions of the file, as a quoted octal number. Allowed are V('0400'), V('0440'), V('0600') and V('0640').
      - V('0400') by default.
    type: raw
  source:
    description:
      - Which token O(state=active) has take the place of O(dest).
      - V(next) is the one that O(state=staged) has laid into DEST.next.
      - V(previous) is the one that was live before, in DEST.previous. It is the way back.
    type: str
    choices: [next, previous]
    default: next
  activate_at:
    description:
      - When O(state=active) does that, in seconds since 1970 by the clock of this host. Until then everything is made
        ready, so that at that instant there is nothing left but one rename for each file.
      - An instant that is past, or none, means at once. One that is more than 120 s ahead is refused.
    type: float
  check_user:
    description:
      - Whether each user must exist on this host. Slurm finds users on the hosts of slurmctld and slurmdbd, so this
        host should be one of these, or know the same users.
      - For tokens that are given in O(token), and with O(method=given), that was for who made them to see to.
    type: bool
    default: true
  allow_privileged:
    description:
      - Whether a token may be for root, for SlurmUser, or for a number instead of a name. Slurm takes a number for a
        uid, V(0) for root.
      - Such a token is power over the whole cluster.
    type: bool
    default: false
  allow_endless:
    description:
      - Whether a token may live longer than 366 days or than O(max_lifespan).
    type: bool
    default: false
  slurm_user:
    description:
      - The cluster's SlurmUser, to know its tokens from those of plain users.
      - By default what O(conf_path) says, and V(slurm) if there is no such file.
    type: str
  max_lifespan:
    description:
      - How long a token may live without O(allow_endless=true), a duration.
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
      - The folder of Slurm's programs, such as C(scontrol), where they are not in the usual places.
    type: path
  timeout:
    description: Seconds after which C(scontrol) counts as unanswered.
    type: int
    default: 15
  token:
    description:
      - With O(state=verified), a token to judge, instead of those in files.
      - With O(state=present) and O(state=staged), the token that is to be in the file, made elsewhere. One that is
        expired, or for another user than O(user), is refused.
    type: str
  current:
    description:
      - What the token is that a file on another host holds, empty if there is none. It is judged here as if it were in
        a file, and made anew only if that file would be. So the host with the key decides for hosts that have none.
      - Nothing is written, so it excludes O(dest). RV(tokens[].token) is the new token, and null if the current one
        stays.
    type: str
  release:
    description:
      - The release of Slurm to judge by with O(state=verified), such as V(24.11).
      - By default the one that is installed on this host.
    type: str
  fail_refused:
    description: Whether a token that would be refused is an error, with O(state=verified).
    type: bool
    default: true
  return_token:
    description:
      - Whether to return the tokens made, or found good, in RV(tokens[].token). Set C(no_log) on the task, except on
        ansible-core 2.22 and later, where the values returned are masked in all output.
      - A token that the task itself holds, in O(token) or O(current), is not returned.
    type: bool
    default: false
    aliases: [return_tokens]
requirements:
  - PyJWT >= 1.7 (package C(python3-jwt)), where a token is made with O(method=key)
  - cryptography >= 3.0 (package C(python3-cryptography)), where O(key_path) is an RSA key
seealso:
  - module: hpc.slurm_jwt.slurm_jwt_key
  - module: hpc.slurm_jwt.slurm_jwt_proof
"""

EXAMPLES = r"""
- name: A token for a dashboard, renewed whenever a day or less of its week is left
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    user: slurm-web
    lifespan: 7d
    min_remaining: 1d
    dest: /etc/slurm-web/slurm.token
    owner: slurm-web

- name: One signed with RS256, by a key whose public half Slurm trusts
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /etc/slurm-tokens/rs256.pem
    user: portal
    lifespan: 12h
    dest: /etc/portal/slurm.token
    owner: portal

- name: Several at once, for the environment of their services
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

- name: What is there of tokens on a host without a key
  hpc.slurm_jwt.slurm_jwt_token:
    method: given
    user: portal
    lifespan: 1d
    dest: /etc/portal/token
    return_token: true
  check_mode: true
  no_log: true
  register: look

- name: Have the controller make it anew if it has to be
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    user: portal
    lifespan: 1d
    current: "{{ look.token or '' }}"
    return_token: true
  delegate_to: ctl1
  no_log: true
  register: minted

- name: Install it
  hpc.slurm_jwt.slurm_jwt_token:
    token: "{{ minted.token or look.token }}"
    dest: /etc/portal/token
    owner: portal
  no_log: true

- name: Lay a token for the next key beside it
  hpc.slurm_jwt.slurm_jwt_token:
    state: staged
    key_path: /var/spool/slurmctld/jwt_hs256.key.next
    user: slurm-web
    lifespan: 7d
    dest: /etc/slurm-web/slurm.token

- name: Have it take over at the instant at which the key does
  hpc.slurm_jwt.slurm_jwt_token:
    state: active
    activate_at: "{{ instant }}"
    dest: /etc/slurm-web/slurm.token

- name: Would this cluster accept the token in that file
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
      description: The entry's name, else its file, else its user.
      returned: always
      type: str
      sample: /etc/slurm-web/slurm.token
    user:
      description: The user the token is for.
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
        - V(missing), V(unreadable) (not a token in that format), V(algorithm), V(user), V(format) (a good token with
          other text around it), V(claims), V(lifespan) (made to live longer than is asked for), V(key) (not signed by
          the key in force), V(expiring), V(given) (another token than the one given), or V(requested) where there is no
          file.
        - V(attributes) if only owner, group, mode or an access control list were mended, V(present) if the file was
          removed.
        - With O(state=active), V(next) or V(previous) if that token is live now, and V(same) if it was already, so that
          only its copy had to be removed. With O(state=unstaged), V(leftover).
      returned: always
      type: str
      sample: expiring
    expires:
      description: When the token expires, in UTC. Null if that is not known, or if it never says so.
      returned: always
      type: str
      sample: "2026-11-30T08:15:00Z"
    remaining:
      description: Seconds until then, by the clock of this host.
      returned: always
      type: int
      sample: 604800
    claims:
      description: What the token says.
      returned: always
      type: dict
      sample: {"iat": 1795420800, "exp": 1796025600, "sun": "slurm-web"}
    found:
      description:
        - With O(state=present), what the token says that was in the file, good or not. Null if there was none that
          could be read.
      returned: always
      type: dict
      sample: {"iat": 1795420800, "exp": 1796025600, "sun": "slurm-web"}
    key_fingerprint:
      description: The key that the token was found or made to be signed with. Null if that was not checked.
      returned: always
      type: str
      sample: SHA256:fcf730b6d95236ecd3c9fc2d92d7b6b2bb061514961aec041d6c7a7192f592e4
    signature_checked:
      description: Whether the token's signature was checked against a key.
      returned: always
      type: bool
    activated_at:
      description: With O(state=active), when the token became live, in seconds since 1970. Null if it did not now.
      returned: always
      type: float
      sample: 1796025600.002
    refusals:
      description: With O(state=verified), every reason why Slurm would refuse the token. Else empty.
      returned: always
      type: list
      elements: str
      sample: ["It expired 311 s ago by the clock of this host."]
    token:
      description: The token, with O(return_token=true). Else null, and null in check mode if it would be made.
      returned: always
      type: str
token:
  description: The same as RV(tokens[].token), where there is one token only.
  returned: always
  type: str
refusals:
  description: The refusals of all tokens, each with the token's name before it if there are several.
  returned: always
  type: list
  elements: str
release:
  description: The release of Slurm that tokens were judged by, with O(state=verified). Else null.
  returned: always
  type: str
  sample: 24.11.5
"""

from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.task import RunCommand, Task, TaskError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.slots import NEXT, PREVIOUS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import ClientError, forget_environment
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.absent import absent, unstaged
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.active import active
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import TokenError
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import FORMATS
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.present import Present
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verified import verified

try:
    # ansible-core 2.22 and later mask values registered here in all output.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value: str) -> None:
        """Older ansible-core masks the values of no_log options only."""


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
    tokens={"type": "list", "elements": "dict", "no_log": False, "options": dict(_TOKEN_OPTIONS, name={"type": "str"})},
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
    conf_path={"type": "path", "default": "/etc/slurm/slurm.conf"},
    bin_dir={"type": "path"},
    timeout={"type": "int", "default": 15},
    release={"type": "str"},
    fail_refused={"type": "bool", "default": True},
    return_token={"type": "bool", "default": False, "no_log": False, "aliases": ["return_tokens"]},
)


def do_task(task: Task, run: RunCommand) -> dict[str, Any]:
    state = task.params["state"]
    if state in ("present", "staged"):
        return Present(task, run).run()
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
    except (TokenError, InstantTooFar, SecretFileError, ClientError) as exc:
        module.fail_json(msg=str(exc))
    mask_tokens(result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
