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

import grp
import json
import os
import time
from typing import Any, Callable, Iterator, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import NO_ACL, Acl, mode_text
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import NewFile, remove, replace_all
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import (
    FolderMissing,
    SecretFileError,
    SecretFileMissing,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import number_behind, ownership
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.paths import find_user
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    MODES,
    SecretFile,
    parse_mode,
    read_if_there,
    read_secret,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import fingerprint
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import NEXT, PREVIOUS, beside
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.client import (
    TIMED_OUT,
    Client,
    ClientError,
    forget_environment,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm.releases import Release, parse
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar, refuse_far
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.codec import (
    TokenError,
    expiry_of,
    is_pem,
    lifespan_of,
    signed_by,
    split,
    user_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_format import FORMATS, extract, render
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.file_state import (
    Step,
    leftovers,
    step_to,
    sweep_folders,
    take,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.freshness import differs, stale
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.issue import (
    LONGEST,
    check_user_name,
    claims_for,
    lifespan,
    sign,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.scontrol import (
    token_from_scontrol,
    why_scontrol_failed,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._tokens.verify import refusals

try:
    # ansible-core 2.22 and later mask values registered here in all output.
    from ansible.module_utils.secrets import register_secret
except ImportError:

    def register_secret(value: str) -> None:
        """Older ansible-core masks the values of no_log options only."""


_ENTRY_OPTIONS = {
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
    _ENTRY_OPTIONS,
    lifespan={"type": "str", "default": "30m"},
    format={"type": "str", "choices": list(FORMATS), "default": "raw"},
    state={"type": "str", "choices": list(STATES), "default": "present"},
    tokens={"type": "list", "elements": "dict", "no_log": False, "options": dict(_ENTRY_OPTIONS, name={"type": "str"})},
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


class TaskError(Exception):
    """What is wrong with the task or the host, in words for the person who reads it."""


class Wanted(NamedTuple):
    """One token as the task wants it."""

    name: str
    user: str
    seconds: int
    min_remaining: int
    claims: dict[str, Any]
    dest: str | None
    form: str
    uid: int | None
    gid: int | None
    mode: int | None
    given: str | None
    """The token itself, made elsewhere; empty if it is not known because this is check mode."""
    current: str | None
    """The token in a file of another host."""
    path: str | None
    """The file to write: dest, or the one beside it."""


class CurrentToken(NamedTuple):
    """What was found in place of a token that is wanted."""

    secret: SecretFile | None
    reason: str | None
    """Why the token has to be made anew, or replaced by the one that was given."""
    model: SecretFile | None
    """The file whose owner and group are kept where the task does not say them."""


class Key(NamedTuple):
    """The signing key in force."""

    data: bytes
    fingerprint: str
    kid: str | None = None
    """What Slurm knows an RSA key as, which signs with RS256. A key for HS256 has no such name."""


class Site(NamedTuple):
    """What the cluster's configuration says of tokens."""

    slurm_user: str
    limit: int | None


# -- what the task wants -----------------------------------------------------------------------------------------------


def read_site(params: dict[str, Any]) -> Site:
    """SlurmUser and max_token_lifespan, as far as the task says them or this host knows them."""
    slurm_user, limit = params["slurm_user"], params["max_lifespan"]
    if (slurm_user is None or limit is None) and os.path.exists(params["conf_path"]):
        said_user, said_limit = read_conf(params["conf_path"])
        slurm_user = said_user if slurm_user is None else slurm_user
        limit = said_limit if limit is None else limit
    try:
        return Site(slurm_user or "slurm", duration(limit) if limit else None)
    except DurationError as exc:
        raise TaskError(f"max_lifespan: {exc}") from exc


def read_conf(path: str) -> tuple[str, str | None]:
    """SlurmUser and max_token_lifespan in slurm.conf."""
    # The parser is large, and a task that says both does without it.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf.document import Conf, ConfError

    try:
        conf = Conf.load(path)
    except ConfError as exc:
        raise TaskError(f"conf_path: {exc}") from exc
    limit = conf.option("AuthAltParameters", "max_token_lifespan") or ""
    # Without SlurmUser in the file the daemons run as root. A limit that is no number is none to Slurm.
    return conf.value("SlurmUser") or "root", limit if limit.isdigit() and int(limit) else None


def entries(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Each token's options: its own, and where it has none, the task's."""
    if params["tokens"] is None:
        return [dict({option: params[option] for option in _ENTRY_OPTIONS}, name=None)]
    return [
        {option: params.get(option) if value is None else value for option, value in entry.items()}
        for entry in params["tokens"]
    ]


def name_of(entry: dict[str, Any]) -> str:
    return str(entry["name"] or entry["dest"] or entry["user"] or "token")


def wanted_token(entry: dict[str, Any], module: AnsibleModule, site: Site) -> Wanted:
    """An entry, checked. What is wrong with it is said with the option's name before it."""
    params = module.params
    option = "current"
    try:
        if entry["current"] is not None and (entry["dest"] or entry["token"]):
            raise TokenError("It is what a file on another host holds, and excludes both dest and token.")
        option = "token"
        given = check_given(entry, module)
        option = "user"
        user = check_user(entry, params, site)
        option = "lifespan"
        seconds = lifespan(entry["lifespan"], entry["allow_endless"] or given is not None, site.limit)
        option = "min_remaining"
        left = seconds // 5 if entry["min_remaining"] is None else duration(entry["min_remaining"])
        if left >= seconds:
            raise TokenError(f"{left} s is not less than the lifespan of {seconds} s: each run would make a new token.")
        option = "claims"
        # As they will be read back from the token: JSON knows only text as names.
        claims = json.loads(json.dumps(entry["claims"] or {}))
        claims_for(user, seconds, 0, extra=claims)
        if claims and params["method"] == "scontrol":
            raise TokenError("slurmctld makes tokens without further claims. Remove them, or set method=key.")
        option = "owner"
        uid = number_of(entry["owner"], find_uid, module)
        option = "group"
        gid = number_of(entry["group"], find_gid, module)
        mode = parse_mode(entry["mode"]) if entry["mode"] else None
    except SecretFileError as exc:  # it names the option itself
        raise TaskError(f"{name_of(entry)}: {exc}") from exc
    except (TokenError, ValueError) as exc:
        raise TaskError(f"{name_of(entry)}: {option}: {exc}") from exc
    dest, form, current = entry["dest"], entry["format"], entry["current"]
    path = beside(dest, NEXT) if dest and params["state"] == "staged" else dest
    name = name_of(entry)
    return Wanted(name, user, seconds, left, claims, dest, form, uid, gid, mode, given, current, path)


def check_given(entry: dict[str, Any], module: AnsibleModule) -> str | None:
    """The token that is given, if it may be installed; who it is for is taken from it where the task does not say."""
    if entry["token"] is None:
        return None
    token = str(entry["token"]).strip()
    if not token:
        if not module.check_mode:
            raise TokenError("It is empty. Give the token that is to be installed.")
        return token
    claims = split(token).claims
    expiry, user = expiry_of(claims), user_of(claims)
    if expiry is None:
        raise TokenError("It does not say when it expires, which Slurm takes for expired.")
    if expiry < time.time():
        raise TokenError(f"It expired {int(time.time()) - expiry} s ago by the clock of this host. Make a new one.")
    if (lifespan_of(claims) or expiry) > LONGEST and not entry["allow_endless"]:
        raise TokenError(f"It was made to live more than {LONGEST // 86400} days. Set allow_endless=true if it may.")
    if entry["user"] not in (None, user):
        raise TokenError(f"It is for the user {user!r}, not for {entry['user']!r}.")
    entry["user"] = user
    return token


def check_user(entry: dict[str, Any], params: dict[str, Any], site: Site) -> str:
    """The user, if this one may have a token."""
    user = entry["user"]
    if not user:
        raise TokenError("No user is given. State whom the token is for.")
    check_user_name(user)
    uid = find_uid(user)
    made_here = entry["token"] is None and params["method"] != "given"
    if uid is None and params["check_user"] and made_here:
        raise TokenError(
            f"There is no user {user!r} on this host. Slurm finds users on the hosts of slurmctld and slurmdbd: run "
            "this on a controller, create the user there, or set check_user=false if the controllers do know this user."
        )
    if not entry["allow_privileged"]:
        refuse_privileged(user, uid, site)
    return str(user)


def refuse_privileged(user: str, uid: int | None, site: Site) -> None:
    """Raise TokenError for a user who is more than a user."""
    remedy = "Name a plain user, or set allow_privileged=true."
    if user.isdigit():
        raise TokenError(f"{user!r} is a number. Slurm takes it for a uid, 0 for root. {remedy}")
    if user == "root" or uid == 0:
        raise TokenError(f"{user!r} is root, whose token is power over the whole cluster. {remedy}")
    if user == site.slurm_user or (uid is not None and uid == find_uid(site.slurm_user)):
        raise TokenError(f"{user!r} is SlurmUser, whose token is power over the whole cluster. {remedy}")


def find_uid(name: str) -> int | None:
    """The uid behind a name or a number, if such a user exists."""
    user = find_user(name)
    return user.uid if user else None


def find_gid(name: str) -> int | None:
    """The gid behind a name; a number need not be known."""
    return number_behind(name, lambda known: grp.getgrnam(known).gr_gid)


def number_of(name: str | None, find: Callable[[str], int | None], module: AnsibleModule) -> int | None:
    """The uid or gid of a file's owner or group; None if the task leaves that open."""
    if name is None:
        return None
    found = find(name)
    if found is None and find is find_uid and name.isdigit():
        found = int(name)
    if found is None:
        if not module.check_mode:
            raise TokenError(f"There is no {name!r} on this host. Create it first.")
        module.warn(f"There is no {name!r} on this host yet, so the token file cannot be given to it.")
    return found


# -- keys and tokens ---------------------------------------------------------------------------------------------------


def read_key(module: AnsibleModule) -> Key | None:
    """The key in force; None if this task has none, or in check mode if an earlier task was about to make it."""
    path = module.params["key_path"]
    if path is None:
        return None
    try:
        data = read_secret(path).data
    except SecretFileMissing as exc:
        if not module.check_mode or module.params["state"] == "verified":
            raise TaskError(f"key_path: {exc} Make it with slurm_jwt_key, or correct the path.") from exc
        module.warn(f"key_path: {exc} So it is not known which tokens it would leave as they are.")
        return None
    if not data:
        raise TaskError(f"key_path: {path} is empty. Make a key with slurm_jwt_key.")
    return Key(data, fingerprint(data), kid_of(path, data, module.params["kid"], module.params["algorithm"]))


def kid_of(path: str, data: bytes, wanted: str | None, algorithm: str | None) -> str | None:
    """The kid of an RSA key in PEM; None for a key that is none, which is one for HS256."""
    if algorithm == "HS256" or not is_pem(data):
        if wanted is not None:
            raise TaskError(f"kid: {path} is a key for HS256, and Slurm looks for a kid with RS256 only. Leave it out.")
        return None
    # What follows imports a large library.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing

    try:
        rs256.check_library()
    except LibraryMissing as exc:
        raise TaskError(str(exc)) from exc
    weak = rs256.not_a_key(data) or rs256.weakness(data)
    if weak:
        raise TaskError(f"key_path: {path} {weak}. Make a key with slurm_jwt_key and algorithm: RS256.")
    return wanted or rs256.public_jwk(data)["kid"]


def read_dest(path: str, module: AnsibleModule) -> SecretFile | None:
    """The token file as it is, None if it is not there."""
    try:
        return read_secret(path, secret=module.params["state"] != "absent")
    except FolderMissing:
        if not module.check_mode and module.params["state"] in ("present", "staged"):
            raise
        return None
    except SecretFileMissing:
        return None


def mint(wanted: Wanted, module: AnsibleModule, key: Key | None, now: float) -> str:
    """A new token."""
    if module.params["method"] == "scontrol":
        return ask_slurmctld(wanted, module, key, now)
    if key is None:
        raise TaskError("key_path is needed with method=key: it names the key to sign with.")
    claims = claims_for(wanted.user, wanted.seconds, now, extra=wanted.claims)
    return sign(claims, key.data, "RS256" if key.kid else "HS256", key.kid)


def ask_slurmctld(wanted: Wanted, module: AnsibleModule, key: Key | None, now: float) -> str:
    """A token that slurmctld has made."""
    # The words 'infinite' and 'unlimited' mean half an hour to older releases; a number means the same to all.
    client = client_of(module)
    argv = client.argv("scontrol", "token", f"lifespan={wanted.seconds}", f"username={wanted.user}")
    rc, out, err = module.run_command(argv, environ_update=client.environment())
    if rc != 0:
        raise TokenError(why_scontrol_failed(rc, err, TIMED_OUT))
    token = token_from_scontrol(out, wanted.user, wanted.seconds)
    if key is not None and not signed_by(token, key.data):
        raise TokenError(
            f"slurmctld signs with another key than the one in {module.params['key_path']}. It has not loaded that key "
            "yet: restart it, or from Slurm 23.11 on, run 'scontrol reconfigure'. Its token is not used."
        )
    left = (expiry_of(split(token).claims) or 0) - int(now)
    if left < wanted.min_remaining or left > wanted.seconds + 60:
        module.warn(
            f"{wanted.name}: a token just made for {wanted.seconds} s lives for {left} s by the clock of this host. "
            "The clocks of this host and of slurmctld's differ; look at both."
        )
    return token


def client_of(module: AnsibleModule) -> Client:
    return Client(module.params["bin_dir"], module.params["conf_path"], module.params["timeout"])


# -- states ------------------------------------------------------------------------------------------------------------


def entry_of(name: str, user: str | None, dest: str | None, form: str | None) -> dict[str, Any]:
    """One entry of the result, before anything is known of the token."""
    return {
        "name": name,
        "user": user,
        "dest": dest,
        "format": form,
        "changed": False,
        "reason": None,
        "expires": None,
        "remaining": None,
        "claims": {},
        "found": None,
        "key_fingerprint": None,
        "signature_checked": False,
        "activated_at": None,
        "refusals": [],
        "token": None,
    }


def describe(result: dict[str, Any], claims: dict[str, Any], now: float) -> None:
    """What a token says of itself, into a result."""
    expiry = expiry_of(claims)
    result["claims"] = claims
    if expiry is not None:
        result.update(expires=utc(expiry), remaining=expiry - int(now))


def utc(second: int) -> str | None:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
    except (OverflowError, ValueError, OSError):
        return None


class Present:
    """The state in which each token is there and good; or staged, if the file to look after is DEST.next."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.now = time.time()
        site = read_site(module.params)
        self.wanted = [wanted_token(entry, module, site) for entry in entries(module.params)]
        refuse_twice([each.dest for each in self.wanted])
        made_here = [each for each in self.wanted if each.given is None]
        if made_here and module.params["method"] == "key" and module.params["key_path"] is None:
            raise TaskError("key_path is needed with method=key: it names the key to sign with.")
        if any(each.dest is None for each in self.wanted):
            self.refuse_nowhere()
        self.key = read_key(module)
        for each in self.wanted:
            if self.key is not None and each.given and not signed_by(each.given, self.key.data):
                raise TaskError(f"{each.name}: token: It was not signed by the key in {module.params['key_path']}.")

    def refuse_nowhere(self) -> None:
        if self.module.params["state"] == "staged":
            raise TaskError("dest is needed with state=staged: it names the file beside which the next token is laid.")
        if not self.module.params["return_token"]:
            raise TaskError("Without dest a token goes nowhere. Give dest, or set return_token=true.")

    def run(self) -> dict[str, Any]:
        found = [self.look(each) for each in self.wanted]
        tokens = [self.token(each, there) for each, there in zip(self.wanted, found)]
        results = [self.describe(*one) for one in zip(self.wanted, found, tokens)]
        todo = {each.path: (each, there, result) for each, there, result in zip(self.wanted, found, results)}
        diffs = []
        done: list[dict[str, Any]] = []
        try:
            for path in self.written(found, tokens):
                each, there, result = todo[path]
                result.update(changed=True, reason=there.reason or "attributes")
                done.append(result)
                if self.module._diff:
                    diffs.append(self.diff(each, there, result))
        except SecretFileError as exc:
            name = todo[exc.path][0].name if exc.path in todo else "tokens"
            self.module.fail_json(msg=f"{name}: {exc}", tokens=done, changed=bool(done))
        if not self.module.check_mode:
            sweep_folders([each.path for each, result in zip(self.wanted, results) if each.path and result["changed"]])
        return finished(results, diffs)

    def look(self, wanted: Wanted) -> CurrentToken:
        """The file as it is, and why its token has to be made anew."""
        if wanted.current is not None:
            current = wanted.current.strip().encode("utf-8")
            return CurrentToken(None, self.stale(wanted, "raw", current) if current else "missing", None)
        if wanted.dest is None or wanted.path is None:
            return CurrentToken(None, "requested", None)
        try:
            secret = read_dest(wanted.path, self.module)
            model = secret if wanted.path == wanted.dest else read_dest(wanted.dest, self.module)
        except SecretFileError as exc:
            raise TaskError(f"{wanted.name}: dest: {exc}") from exc
        found = CurrentToken(secret, self.reason(wanted, secret), model or secret)
        if found.reason is not None and self.in_use(wanted, model):
            # The swap has happened already: to stage it again would cost the token before it.
            return CurrentToken(None, None, model)
        return found

    def reason(self, wanted: Wanted, secret: SecretFile | None) -> str | None:
        """Why the token in a file has to be made anew, or replaced by the one that was given."""
        if secret is None:
            return "missing"
        if wanted.given is None:
            return self.stale(wanted, wanted.form, secret.data)
        return differs(secret.data, wanted.form, wanted.given, wanted.user) if wanted.given else "given"

    def in_use(self, wanted: Wanted, live: SecretFile | None) -> bool:
        """Whether the token that is to be staged is the live one already, as far as can be known without a key."""
        if wanted.path == wanted.dest or (wanted.given is None and self.key is None):
            return False
        return self.reason(wanted, live) is None

    def stale(self, wanted: Wanted, form: str, data: bytes) -> str | None:
        signing, kid = (self.key.data, self.key.kid) if self.key else (None, None)
        return stale(
            data, form, wanted.user, wanted.seconds, wanted.min_remaining, wanted.claims, signing, self.now, kid
        )

    def token(self, wanted: Wanted, found: CurrentToken) -> str | None:
        """The token that is to be in the file; None if it is not known because this is check mode."""
        if wanted.given is not None:
            return wanted.given or None
        if found.reason is None:
            there = found.secret or found.model
            return wanted.current if there is None else extract(wanted.form, there.data)
        if self.module.check_mode:
            return self.candidate(wanted, found)
        if self.module.params["method"] == "given":
            raise TaskError(
                f"{wanted.name}: Its token has to be made anew (reason: {found.reason}), and with method=given none is "
                "made here. Give it in token."
            )
        try:
            return mint(wanted, self.module, self.key, self.now)
        except TokenError as exc:
            raise TaskError(f"{wanted.name}: {exc}") from exc

    def candidate(self, wanted: Wanted, found: CurrentToken) -> str | None:
        """Where nothing is staged, the live token: who has the key may find that it need not be staged again."""
        model = found.model
        if self.key is not None or wanted.path == wanted.dest or model is None or model is found.secret:
            return None
        return None if self.stale(wanted, wanted.form, model.data) else extract(wanted.form, model.data)

    def written(self, found: list[CurrentToken], tokens: list[str | None]) -> Iterator[str]:
        """Bring the files to what is wanted; the path of each in which something had to be done, once it is."""
        files = []
        for wanted, there, token in zip(self.wanted, found, tokens):
            if wanted.path is None:
                continue
            ownership, secret = self.ownership(wanted, there), there.secret
            drifted = secret is not None and not secret.has_ownership(*ownership)
            if self.module.check_mode:
                if drifted or there.reason is not None:
                    yield wanted.path
            elif there.reason is not None and token is not None:
                if wanted.dest is not None and wanted.path != wanted.dest:
                    # Of an earlier rotation: nobody may ever go back to it.
                    remove(beside(wanted.dest, PREVIOUS))
                files.append(NewFile(wanted.path, render(wanted.form, token, wanted.user), *ownership))
            elif drifted and secret is not None and secret.uid not in (0, ownership[0]):
                # Its owner may have it open: only another file is not his.
                files.append(NewFile(wanted.path, secret.data, *ownership))
            elif drifted and set_attributes(wanted.path, *ownership):
                yield wanted.path
        for file in replace_all(files):
            yield file.path

    def ownership(self, wanted: Wanted, found: CurrentToken) -> tuple[int, int, int]:
        """Uid, gid and mode that the file is to have."""
        model = found.model
        mode = 0o400 if wanted.mode is None else wanted.mode
        if wanted.mode is None and wanted.path != wanted.dest and model is not None and f"{model.mode:04o}" in MODES:
            mode = model.mode
        return ownership(wanted.uid, wanted.gid, mode)

    def describe(self, wanted: Wanted, found: CurrentToken, token: str | None) -> dict[str, Any]:
        result = entry_of(wanted.name, wanted.user, wanted.dest, wanted.form if wanted.dest else None)
        result["reason"] = found.reason
        result["found"] = None if found.secret is None else claims_in(found.secret, wanted.form)
        if token is None:
            describe(result, claims_for(wanted.user, wanted.seconds, self.now, extra=wanted.claims), self.now)
        else:
            describe(result, split(token).claims, self.now)
        if self.key is not None:
            result.update(signature_checked=True, key_fingerprint=self.key.fingerprint)
        # What the task itself holds it has already, and Ansible would mask it.
        known = wanted.given is not None or (wanted.current is not None and found.reason is None)
        if token is not None and not known and self.module.params["return_token"]:
            register_secret(token)
            result["token"] = token
        return result

    def diff(self, wanted: Wanted, found: CurrentToken, result: dict[str, Any]) -> dict[str, Any]:
        """The file before and after, without the token. What was in it may be anything, so only its shape is shown."""
        secret = found.secret
        after = dict(
            user=wanted.user,
            expires=result["expires"],
            key=result["key_fingerprint"] or "not checked",
            format=wanted.form,
            **as_ownership(*self.ownership(wanted, found)),
        )
        header = wanted.path or ""
        if secret is None:
            return {"before_header": header, "after_header": header, "before": {}, "after": after}
        before = dict(after) if result["reason"] in (None, "attributes") else shape(secret, wanted.form, self.key)
        before.update(as_ownership(*ownership_of_file(secret)))
        return {"before_header": header, "after_header": header, "before": before, "after": after}


def claims_in(secret: SecretFile, form: str) -> dict[str, Any] | None:
    """What the token in a file says; None if it is none."""
    try:
        return split(extract(form, secret.data)).claims
    except TokenError:
        return None


def shape(secret: SecretFile, form: str, key: Key | None) -> dict[str, Any]:
    """What the token in a file says of itself."""
    try:
        token = extract(form, secret.data)
        claims = split(token).claims
    except TokenError:
        return {"user": None, "expires": None, "key": None, "format": f"not {form}"}
    expiry = expiry_of(claims)
    signer = "not checked"
    if key is not None:
        signer = key.fingerprint if signed_by(token, key.data) else "another key"
    return {
        "user": user_of(claims),
        "expires": None if expiry is None else utc(expiry),
        "key": signer,
        "format": form,
    }


def as_ownership(uid: int, gid: int, mode: int, acl: Acl = NO_ACL) -> dict[str, Any]:
    """Owner, group and mode as a diff shows them, and who else has access."""
    others = {"acl": acl.words()} if acl.grants else {}
    return {"owner": uid, "group": gid, "mode": mode_text(mode, acl), **others}


def ownership_of_file(secret: SecretFile) -> tuple[int, int, int, Acl]:
    """What a file has, for dressed()."""
    return secret.uid, secret.gid, secret.mode, secret.acl


def refuse_twice(paths: list[str | None]) -> None:
    """Raise Failure if two tokens are to be in one file, or one where a rotation lays that of another."""
    seen = set()
    for path in paths:
        if path is not None and path in seen:
            raise TaskError(f"dest: {path} is given for two tokens. Give each a file of its own.")
        seen.add(path)
    for path in filter(None, paths):
        for taken in (beside(path, NEXT), beside(path, PREVIOUS)):
            if taken in seen:
                raise TaskError(f"dest: {taken} is where a rotation keeps a token of {path}. Give it another name.")


def absent(module: AnsibleModule) -> dict[str, Any]:
    """The state in which there is no token file, and nothing beside it."""

    def there(dest: str, form: str) -> list[str]:
        secret = read_dest(dest, module)
        if secret is None or holds_token(form, secret.data):
            return [dest, *leftovers(dest)] if secret else leftovers(dest)
        module.warn(f"{dest} holds no token in the format {form}, so it is something else and stays.")
        return leftovers(dest)

    return gone(module, there)


def holds_token(form: str, data: bytes) -> bool:
    """Whether a file is what this module writes, or what is left of it: an empty one is of no use to anybody."""
    try:
        extract(form, data)
    except TokenError:
        return not data.strip()
    return True


def unstaged(module: AnsibleModule) -> dict[str, Any]:
    """The state in which nothing of a rotation is left beside the token files."""
    return gone(module, lambda dest, _form: leftovers(dest))


def gone(module: AnsibleModule, which: Callable[[str, str], list[str]]) -> dict[str, Any]:
    """Remove files of each token; WHICH lists those there are, by path and format, the live one first."""
    results = []
    diffs = []
    for entry in entries(module.params):
        dest = dest_of(entry, module)
        result = entry_of(name_of(entry), entry["user"], dest, entry["format"])
        for path in which(dest, entry["format"]):
            reason = "present" if path == dest else "leftover"
            result.update(changed=True, reason=result["reason"] or reason)
            diffs.append(diff_of_removal(path))
            if not module.check_mode:
                remove(path)
        results.append(result)
    if not module.check_mode:
        sweep_folders([result["dest"] for result in results])
    return finished(results, diffs)


def diff_of_removal(path: str) -> dict[str, Any]:
    secret = read_if_there(path, secret=False)
    before = as_ownership(*ownership_of_file(secret)) if secret else {}
    return {
        "before_header": path,
        "after_header": path,
        "before": dict(before, state="present"),
        "after": {"state": "absent"},
    }


def active(module: AnsibleModule) -> dict[str, Any]:
    """The state in which the token beside the live one is the live one."""
    params = module.params
    source, at = params["source"], params["activate_at"]
    refuse_far(at)
    all_entries = entries(params)
    refuse_twice([dest_of(entry, module) for entry in all_entries])
    steps = [step_of(entry, source) for entry in all_entries]
    done = [None] * len(steps) if module.check_mode else take(steps, at)
    results = [swapped(entry, step, when, module) for entry, step, when in zip(all_entries, steps, done)]
    failed = [f"{name_of(entry)}: {when}" for entry, when in zip(all_entries, done) if isinstance(when, Exception)]
    if failed:
        module.fail_json(msg=" ".join(failed), tokens=results, changed=any(one["changed"] for one in results))
    return finished(results, [swap_diff(entry, step) for entry, step in zip(all_entries, steps) if step.reason])


def step_of(entry: dict[str, Any], source: str) -> Step:
    try:
        return step_to(entry["dest"], source, entry["format"])
    except (TokenError, SecretFileError) as exc:
        raise TaskError(f"{name_of(entry)}: {exc}") from exc


def swapped(entry: dict[str, Any], step: Step, when: object, module: AnsibleModule) -> dict[str, Any]:
    """The token that is live after this run."""
    result = entry_of(name_of(entry), entry["user"], step.dest, entry["format"])
    failed = isinstance(when, Exception)
    secret = step.new if step.swaps and not failed else step.live
    if not failed:
        result.update(changed=step.reason is not None, reason=step.reason, activated_at=when)
    if secret is None:
        return result
    try:
        token = extract(entry["format"], secret.data)
    except TokenError:
        return result
    claims = split(token).claims
    describe(result, claims, time.time())
    result["user"] = user_of(claims)
    if module.params["return_token"]:
        register_secret(token)
        result["token"] = token
    return result


def swap_diff(entry: dict[str, Any], step: Step) -> dict[str, Any]:
    """The live file before and after; for a copy that was only removed, that one."""
    form, files = entry["format"], [step.live, step.new]
    path = step.dest
    if not step.swaps:
        path, files = beside(step.dest, step.source), [step.new, None]
    before, after = (
        {}
        if file is None
        else dict(shape(file, form, None), content=fingerprint(file.data), **as_ownership(*ownership_of_file(file)))
        for file in files
    )
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def dest_of(entry: dict[str, Any], module: AnsibleModule) -> str:
    if entry["dest"] is None:
        state = module.params["state"]
        raise TaskError(f"{name_of(entry)}: dest is needed with state={state}: it names the token's file.")
    return str(entry["dest"])


def verified(module: AnsibleModule) -> dict[str, Any]:
    """The state in which tokens are judged and nothing is changed."""
    key = read_key(module)
    if key is None:
        raise TaskError(
            "key_path is needed with state=verified: without the key nobody can tell a token from a forgery."
        )
    release = find_release(module)
    results = [judged(entry, module, key, release) for entry in entries(module.params)]
    result = finished(results, [])
    result["release"] = str(release)
    if result["refusals"] and module.params["fail_refused"]:
        module.fail_json(msg=f"Slurm {release} would refuse this: {' '.join(result['refusals'])}", **result)
    return result


def judged(entry: dict[str, Any], module: AnsibleModule, key: Key, release: Release) -> dict[str, Any]:
    """One token, and why it would be refused."""
    now = time.time()
    result = entry_of(name_of(entry), entry["user"], entry["dest"], entry["format"] if entry["dest"] else None)
    try:
        token = token_to_judge(entry, module)
        parts = split(token)
    except (TokenError, SecretFileMissing) as exc:
        result["refusals"] = [str(exc)]
        return result
    known = (lambda user: find_uid(user) is not None) if module.params["check_user"] else None
    found = refusals(token, key.data, release, now, known, key.kid)
    user = user_of(parts.claims, release)
    if entry["user"] is not None and user != entry["user"]:
        found.append(f"It is for the user {user!r}, not for {entry['user']!r}.")
    describe(result, parts.claims, now)
    result.update(user=user, refusals=found, signature_checked=True)
    if signed_by(token, key.data):
        result["key_fingerprint"] = key.fingerprint
    if module.params["return_token"]:
        register_secret(token)
        result["token"] = token
    return result


def token_to_judge(entry: dict[str, Any], module: AnsibleModule) -> str:
    if entry["token"] is not None:
        if entry["dest"] is not None:
            raise TaskError(
                f"{name_of(entry)}: token and dest exclude each other with state=verified: give one of them."
            )
        return str(entry["token"]).strip()
    if entry["dest"] is None:
        raise TaskError("state=verified needs the token itself in token, or the file that holds it in dest.")
    return extract(entry["format"], read_secret(entry["dest"]).data)


def find_release(module: AnsibleModule) -> Release:
    """The release to judge by: the task's, or the one installed here."""
    given = module.params["release"]
    if given is None:
        dummy_rc, given, dummy_err = module.run_command(client_of(module).teller_of_release())
    try:
        return parse(given)
    except ValueError as exc:
        raise TaskError(f"release: {exc}") from exc


def finished(results: list[dict[str, Any]], diffs: list[dict[str, Any]]) -> dict[str, Any]:
    """The module's result."""
    many = len(results) != 1
    return {
        "changed": any(one["changed"] for one in results),
        "tokens": results,
        "token": None if many else results[0]["token"],
        "refusals": [f"{one['name']}: {text}" if many else text for one in results for text in one["refusals"]],
        "release": None,
        "diff": [diff for diff in diffs if diff["before"] != diff["after"]],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[(option, "tokens") for option in ("user", "dest", "token", "current")],
        supports_check_mode=True,
    )
    forget_environment()
    present = {state: lambda module: Present(module).run() for state in ("present", "staged")}
    states = dict(present, absent=absent, verified=verified, active=active, unstaged=unstaged)
    try:
        result = states[module.params["state"]](module)
    except (TaskError, TokenError, InstantTooFar, SecretFileError, ClientError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
