#!/usr/bin/python
# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slurm_jwt_key
short_description: The key that signs Slurm's JSON Web Tokens
version_added: 1.0.0
description:
  - Makes, installs, rotates and removes the file that C(AuthAltParameters=jwt_key=) names. Whoever can read it can
    sign a token for root, so it is readable by its owner and, on request, by one group, from its first instant on.
  - A key that exists is never replaced unless the task asks for it, and never truncated. slurmctld and slurmdbd map
    their key into memory and die of a signal when it is cut short, which is what C(dd), C(cp) and a shell's C(>) do.
  - A new key takes the place of the old one by rename. Daemons that run go on with the old key until they are reloaded
    or restarted.
  - A rotation without a failed request is made of three states. V(staged) lays the next key beside the live one,
    V(active) brings it into force, in place if so asked, and V(unstaged) tidies up. The playbook
    C(hpc.slurm_jwt.rotate) does it on all key hosts together.
  - With O(algorithm=RS256) it makes the private key of a site that signs tokens itself and has Slurm trust its public
    half. Slurm's daemons never hold such a key.
  - Any number of runs at once, on one host or on several that share a file system, make one key, and one of them
    reports a change. This needs hard links, or else locks; a file system that has neither is refused.
  - A key that anyone could guess is reported. A key is judged by how strong it is, not by how it looks. 32 random
    bytes in hexadecimal or base64 are as good as 32 raw ones and pass. What a person typed, what repeats itself, what
    is shorter than 32 bytes, and what is another kind of file, such as a PEM, does not.
extends_documentation_fragment:
  - hpc.slurm_jwt.attributes
  - hpc.slurm_jwt.attributes.files
  - hpc.slurm_jwt.durations
attributes:
  check_mode:
    support: full
    details:
      - The folder and the owner need not exist yet in check mode.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true) and without O(content), every run replaces the key.
  platform:
    platforms: posix
  safe_file_operations:
    support: full
options:
  path:
    description:
      - Absolute path of the key file. Slurm's default is C(jwt_hs256.key) in the StateSaveLocation.
      - The folder must exist and must not be writable by every user of the host. A symbolic link in the place of
        the file is refused, and so is one on the way to it that an unprivileged user could have put there.
      - What the site says of the key, its O(serial) and when it was O(created), is kept beside it in a file of the
        same name with C(.record) added and of the same owner and mode.
    type: path
    required: true
  state:
    description:
      - V(present) makes the key if it is missing.
      - V(absent) removes the key, its record, and the next and previous key of a rotation. Copies that O(backup) has
        kept stay.
      - V(staged) lays the next key beside the one in force, as a file of the same name with C(.next) added, if
        O(serial), O(max_age), O(content) or O(force) ask for another key than the one in force. A key that is staged
        already stays.
      - V(active) brings the staged key into force, and keeps the old one with C(.previous) added. Nothing happens if
        the staged key is in force already.
      - V(unstaged) takes the C(.next) file away. After V(active) that ends the rotation, before it nothing has ever
        been. The previous key stays for one way back, until the next rotation.
    type: str
    choices: [present, absent, staged, active, unstaged]
    default: present
  algorithm:
    description:
      - The algorithm that the key is for. V(HS256) is a file of random bytes, which slurmctld and slurmdbd hold too.
      - V(RS256) is a private RSA key in PEM, for tokens with a C(kid). It belongs on the hosts where tokens are made
        and nowhere else. Slurm gets its public half, RV(public_jwk), by M(hpc.slurm_jwt.slurm_jwks).
    type: str
    choices: [HS256, RS256]
    default: HS256
  size:
    description:
      - With V(HS256), bytes of a key that is made here, from 32 to 4096, by default 32. More than 64 add no strength.
      - With V(RS256), bits of its modulus, from 2048 to 8192, by default 3072.
      - With O(state=staged) by default as many as the key in force has, so that it can be activated in place.
      - An existing key of another size stays as it is.
    type: int
  content:
    description:
      - The key to install, its bytes in base64, for a host that must hold the same key as another. A key in PEM may
        also be given as it is.
      - A different key that exists is replaced, because giving this option asks for it.
    type: str
  created:
    description:
      - When the key in O(content) was made, as RV(created) of the host that made it says, so that the records of all
        key hosts agree and O(max_age) counts from there.
      - Without it, a key that is installed counts as made at that moment.
    type: str
  serial:
    description:
      - A label for the key, such as V(2026-11), that the site declares. The key is replaced when another label
        is on record for it, so declaring a new one rotates the key, once, however often the task runs.
      - A key that has no label on record gets this one and is not replaced. The site has just declared what it has.
        A record that was written for another key counts as none. With O(state=staged) it does count as another label,
        since who asks for a rotation wants one.
      - With O(content), the label of that key. It then replaces nothing by itself.
      - A number with a decimal point is refused, since YAML makes no difference between 2026.1 and 2026.10. Quote it.
    type: raw
  max_age:
    description:
      - The key is replaced when it is as old as this duration or older.
      - The age counts from the time on record, or from the file's modification time if there is no record.
      - With O(content), it replaces nothing by itself.
    type: str
  weak:
    description:
      - What to do about a key that is empty, shorter than 32 bytes, or estimated to be worth less than 128 bits, or an
        RSA key that is shorter than 2048 bits or that anybody could take apart.
      - V(fail) leaves it as it is and fails. This also refuses such a key in O(content).
      - V(keep) accepts it with a warning. An empty key is still refused, since Slurm's daemons do not start with it.
      - V(replace) makes a new key in its place. Every token that the old one signed becomes invalid.
      - A file that is no key of that O(algorithm) at all, such as a PEM with V(HS256), JSON or a configuration file, is
        refused in each case and replaced or removed only with O(force=true).
      - The key that O(fingerprint) names is accepted with a warning, whatever it looks like.
    type: str
    choices: [fail, keep, replace]
    default: fail
  force:
    description:
      - Make a new key in the place of whatever file is there, at every run. For an emergency, on the command line.
      - With O(content) or O(state=absent), consent to replacing or removing a file that is no key of that O(algorithm).
    type: bool
    default: false
  method:
    description:
      - How O(state=active) brings a key into force.
      - V(rename) puts another file in the place of the old one. Daemons that run go on with the old key until they load
        the new one.
      - V(in_place) changes the bytes of the file where they are. Running slurmctld and slurmdbd have mapped it and take
        the new key for the old one from that instant on, without a reload. That is how every release that was measured
        behaves (20.11 to 26.05), and no promise of Slurm's. It is refused where the two keys differ in length, and with
        O(algorithm=RS256), since no daemon has that key.
    type: str
    choices: [rename, in_place]
    default: rename
  source:
    description:
      - Which key O(state=active) brings into force. V(previous) is the way back.
    type: str
    choices: [next, previous]
    default: next
  activate_at:
    description:
      - The instant at which O(state=active) swaps the keys, in seconds since 1970 by the clock of this host. All is
        prepared before, so that several hosts can do it together.
      - An instant that has passed means now. One that is more than 120 seconds ahead is refused.
    type: float
  fingerprint:
    description:
      - The key that O(state=active) is to bring into force must have this fingerprint, or nothing is done.
      - With V(present), V(absent) and V(staged), consent to the very key of this fingerprint, be it the one that is
        there or the one in O(content), although it is weak or is no key of that O(algorithm). Slurm takes any file for
        a key, and one that is in force has to be kept until it is rotated. An empty one is refused still.
    type: str
  by:
    description:
      - Who has the key made, for the record, for example V(root@mgmt1).
    type: str
  run:
    description:
      - A name for the run that stages the key, so that two runs at once are told apart. O(state=staged) refuses where a
        key is staged under another name, and O(state=unstaged) leaves such a key alone. Without a name,
        O(state=staged) refuses any key that a named run has staged, and O(state=unstaged) takes it away.
    type: str
  take_over:
    description:
      - The name of a run that has died, whose staged key O(state=staged) goes on with.
    type: str
  keep_previous:
    description:
      - Whether O(state=unstaged) leaves the previous key for a way back.
    type: bool
    default: true
  backup:
    description:
      - Keep a key that is replaced, under its own name with the time in UTC and C(.bak) added, or one that is removed,
        with the time and C(.removed). The copy has mode 0400 and the owner of the key.
      - The old key verifies nothing once the daemons have the new one, but it is a secret still. Destroy it in time.
    type: bool
    default: false
  return_content:
    description:
      - Return the key in base64 as RV(content). Use it with C(no_log) on the task, to hand the key to other hosts
        without a file in between. With O(state=staged) it is the next key.
    type: bool
    default: false
  owner:
    description:
      - Name or number of the user who is to own the key. SlurmUser can use it with every release of Slurm.
      - If not given, it is the user who runs the module, root as a rule. A key that belongs to anybody else is refused
        then. It is neither left to a user whom nobody has declared, nor taken from a daemon that runs as that user.
    type: str
  mode:
    description:
      - Permissions of the key, V('0400'), V('0440'), V('0600') or V('0640'). Everything else is refused.
      - Write it in quotes. An unquoted V(400) is a decimal number to YAML and is refused, not guessed at.
      - Where the daemons read the key as members of its group, V('0440') must be said here.
    type: raw
    default: '0400'
notes:
  - Whoever owns a key that the module finds, or could read it, may have copied it. The module mends owner, mode and
    access control list and warns, and leaves it to the site to rotate the key.
  - A run that is killed leaves the old key or the new one, complete. What else it leaves has a name that
    begins with C(.slurm_jwt.) and is as private as the key. The next run after ten minutes removes it.
requirements:
  - cryptography >= 3.0 (package C(python3-cryptography)), with O(algorithm=RS256)
seealso:
  - module: hpc.slurm_jwt.slurm_jwks
  - name: Slurm's guide to JWT
    description: What the key is for, in Slurm's own words.
    link: https://slurm.schedmd.com/jwt.html
author:
  - The hpc.slurm_jwt contributors (@hpc-slurm-jwt)
"""

EXAMPLES = r"""
- name: The signing key of a controller
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm

- name: The same, rotated whenever the site declares another serial
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm
    serial: 2026-11

- name: Read the key on the controller
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    group: slurm
    return_content: true
  register: made
  no_log: true

- name: Install it where slurmdbd runs, label and age included
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm/jwt_hs256.key
    owner: slurm
    group: slurm
    content: "{{ made.content }}"
    created: "{{ made.created }}"
    serial: "{{ made.serial | default('', true) }}"
  no_log: true

- name: A key for RS256, on the host where tokens are made
  hpc.slurm_jwt.slurm_jwt_key:
    path: /etc/slurm-tokens/rs256.pem
    algorithm: RS256
    owner: slurm-tokens
  register: signer

- name: Have Slurm trust its public half
  hpc.slurm_jwt.slurm_jwks:
    path: /etc/slurm/jwks.json
    owner: slurm
    sources:
      - data: "{{ signer.public_jwk }}"

- name: Stage the next key beside the one in force, once for each serial
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: staged
    serial: 2026-12

- name: Bring it into force in all daemons of this host, without a reload
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: active
    method: in_place

- name: Replace a key made by hand that is too weak, and keep the old one
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    owner: slurm
    weak: replace
    backup: true

- name: Take the key away, and keep it under another name
  hpc.slurm_jwt.slurm_jwt_key:
    path: /var/spool/slurmctld/jwt_hs256.key
    state: absent
    backup: true
"""

RETURN = r"""
path:
  description: The key file.
  returned: success
  type: str
  sample: /var/spool/slurmctld/jwt_hs256.key
algorithm:
  description: The algorithm that the key is for.
  returned: success
  type: str
  sample: HS256
size:
  description: Bytes of the key, or bits of an RSA key's modulus. Null if there is none.
  returned: success
  type: int
  sample: 32
fingerprint:
  description:
    - SHA-256 of the key file, to compare the keys of several hosts. What follows the colon is what C(sha256sum) prints.
    - Null if there is no key, and in check mode for a random key that would be made.
  returned: success
  type: str
  sample: SHA256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
previous_fingerprint:
  description: Fingerprint of the key that this run replaced or removed. Null if it did neither.
  returned: success
  type: str
  sample: SHA256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
differs:
  description:
    - Whether the key, its record, its owner or its mode were not as they were to be. For whoever only looks, in check
      mode, and so says C(changed_when=false).
  returned: success
  type: bool
  sample: false
next_fingerprint:
  description: Fingerprint of the staged key. Null if there is none, and with O(state=absent).
  returned: success
  type: str
  sample: SHA256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730
next_created:
  description: When the staged key was made, for O(created) where the same key is staged on another host.
  returned: success
  type: str
  sample: "2026-11-23T03:45:00Z"
public_jwk:
  description:
    - The public half of an RS256 key as a JSON Web Key, for M(hpc.slurm_jwt.slurm_jwks). Its C(kid) is the RFC 7638
      thumbprint. Null for HS256, and in check mode for a key that would be made.
  returned: success
  type: dict
  sample:
    kid: NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
    kty: RSA
    alg: RS256
    n: sfT9GvX0
    e: AQAB
next_public_jwk:
  description: The same of the staged key. Null if there is none.
  returned: success
  type: dict
  sample: null
next_serial:
  description: The label on record for the staged key. Null if there is none.
  returned: success
  type: str
  sample: 2026-12
next_by:
  description: Who had the staged key made, where that is on record.
  returned: success
  type: str
  sample: root@mgmt1
next_run:
  description: The name of the run that is at work on the staged key, where it has one.
  returned: success
  type: str
  sample: "mgmt1:0f3a:4026531836:4711:123456"
next_run_age:
  description: Seconds since that run took the staged key up. Null if there is none.
  returned: success
  type: int
  sample: 12
activated:
  description: When this run brought a key into force, in seconds since 1970. Null if it did not.
  returned: success
  type: float
  sample: 1795405500.25
by:
  description: Who had the key made, where that is on record.
  returned: success
  type: str
  sample: root@mgmt1
reason:
  description:
    - Why this run wrote another key. One of V(missing), V(content), V(force), V(serial), V(max_age) and V(weak).
    - Null if the key stays as it is or is removed.
  returned: success
  type: str
  sample: serial
serial:
  description: The label on record for the key. Null if there is none.
  returned: success
  type: str
  sample: 2026-11
created:
  description:
    - When the key was made, in UTC. From its record, or the file's modification time if there is no record. Null if
      there is no key.
  returned: success
  type: str
  sample: '2026-11-23T03:45:00Z'
age:
  description: Seconds since RV(created). Null if there is no key.
  returned: success
  type: int
  sample: 86400
backup_file:
  description: Where the key that was replaced or removed is kept. Null if it is not kept.
  returned: success
  type: str
  sample: /var/spool/slurmctld/jwt_hs256.key.20261123T034500Z.bak
content:
  description: The key in base64. Null in check mode for a random key that would be made.
  returned: when O(return_content=true)
  type: str
  sample: '**************'
owner:
  description: Name of the key's owner, or the number if there is no name.
  returned: success
  type: str
  sample: slurm
group:
  description: Name of the key's group, or the number if there is no name.
  returned: success
  type: str
  sample: slurm
mode:
  description: Permissions of the key.
  returned: success
  type: str
  sample: '0400'
uid:
  description: Number of the key's owner. Null in check mode if there is no such user yet.
  returned: success
  type: int
  sample: 64030
gid:
  description: Number of the key's group. Null in check mode if there is no such group yet.
  returned: success
  type: int
  sample: 64030
state:
  description: What is at the path, V(file) or V(absent).
  returned: success
  type: str
  sample: file
"""

import base64
import os
import re
import time
from typing import Any, Callable, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.acl import mode_text
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.atomic import (
    AtomicFile,
    create,
    move,
    remove,
    remove_stale,
    replace,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.folder import SecretFileError, SecretFileMissing
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.lock import file_lock
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.names import group_name, user_name
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.ownership import (
    Declared,
    Ownership,
    OwnershipError,
    declared,
    ownership,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._files.secret_file import (
    SecretFile,
    read_if_there,
    refuse_public_folder,
    set_attributes,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import (
    MAX_SIZE,
    MIN_SIZE,
    KeyRecord,
    fingerprint,
    format_record,
    format_time,
    generate,
    not_a_key,
    parse_record,
    parse_time,
    record_path,
    remark,
    weakness,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import (
    IN_PLACE,
    NEXT,
    PREVIOUS,
    RENAME,
    RotationError,
    Slot,
    Slots,
    activate,
    beside,
    claim,
    is_due,
    left_to_unstage,
    stage,
    unstage,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.rotation import read_slots as look_at_all
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.instant import InstantTooFar

_RESTLESS = "Something makes {0} and takes it away again all the time; find out who."
_ATTEMPTS = 100  # against runs that do the opposite at the same time


class Refusal(Exception):
    """What was asked for is not done; str() says why and what to do."""


class Kind(NamedTuple):
    """What an algorithm asks of its key."""

    unit: str
    least: int
    most: int
    default: int
    size: Callable[[bytes], int]
    generate: Callable[[int], bytes]
    not_a_key: Callable[[bytes], str | None]
    weakness: Callable[[bytes], str | None]
    remark: Callable[[bytes], str | None]
    public_jwk: Callable[[bytes], dict[str, str] | None]


_HS256 = Kind(
    "bytes", MIN_SIZE, MAX_SIZE, MIN_SIZE, len, generate, not_a_key, weakness, remark, public_jwk=lambda data: None
)


def kind_of(algorithm: str) -> Kind:
    if algorithm == "HS256":
        return _HS256
    # What follows imports a large library.
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys import rs256 as rsa
    from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.pem import LibraryMissing

    try:
        rsa.check_library()
    except LibraryMissing as exc:
        raise Refusal(str(exc)) from exc
    of_key = (rsa.bits, rsa.generate, rsa.not_a_key, rsa.weakness, rsa.remark, rsa.public_jwk)
    return Kind("bits", rsa.MIN_BITS, rsa.MAX_BITS, rsa.DEFAULT_BITS, *of_key)


class CurrentKey(NamedTuple):
    """The key, and the record beside it, which may speak of another key."""

    key: SecretFile | None = None
    record_file: SecretFile | None = None
    record: KeyRecord | None = None


class KeyChange(NamedTuple):
    """What is to be done about a key that exists: why another one takes its place, or what is mended."""

    ownership: Ownership
    reason: str | None = None
    record: KeyRecord | None = None  # to be written
    mend: bool = False  # owner or mode of the key or its record

    @property
    def acts(self) -> bool:
        return bool(self.reason or self.record or self.mend)


class KeyFile:
    """One key file, and what the task wants of it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params = module.params
        self.path: str = module.params["path"]
        self.now = time.time()
        self.kind = kind_of(module.params["algorithm"])
        self._check_size()
        self.content = self._content()
        self.serial = _serial(module.params["serial"])
        self.max_age = _seconds(module.params["max_age"])
        self.created = _created(module.params["created"])
        self.size = module.params["size"] or self.kind.default
        self.declared = declared(self.params, module.check_mode or self.params["state"] == "absent")
        self.outcome: dict[str, Any] = {"changed": False}

    def present(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        if not self.module.check_mode:
            remove_stale(self.path)
        for _attempt in range(_ATTEMPTS):
            found = self._look()
            if found.key is None:
                plan = KeyChange(self.declared.ownership(None), reason="missing")
                if self.module.check_mode or self._make(plan):
                    return self._report(found, plan)
                continue  # another run was first: see to its key
            plan = self._plan(found)
            if not plan.acts or self.module.check_mode:
                return self._report(found, plan)
            try:
                with file_lock(self.path):
                    # Whoever held it before us may have done all there was to do.
                    found = self._look()
                    plan = self._plan(found)
                    self._carry_out(found, plan)
                return self._report(found, plan)
            except SecretFileMissing:
                continue  # removed by another run while we waited
        raise Refusal(_RESTLESS.format(self.path))

    def absent(self) -> dict[str, Any]:
        for _attempt in range(_ATTEMPTS):
            found = self._look()
            if found.key:
                self._refuse_to_remove(found.key)
            there = [name for name in self._belongings() if self._read(name)]
            if self.module.check_mode or not there:
                return self._report_absent(found, bool(there))
            try:
                with file_lock(there[0]):
                    now = self._look()
                    if bool(now.key) == bool(found.key):
                        return self._report_absent(now, self._take_away(now))
            except SecretFileMissing:
                continue  # another run was first
        raise Refusal(_RESTLESS.format(self.path))

    def _check_size(self) -> None:
        size, kind = self.params["size"], self.kind
        if size is not None and not kind.least <= size <= kind.most:
            raise Refusal(
                f"size: {size} is out of range; an {self.params['algorithm']} key has {kind.least} to {kind.most}"
                f" {kind.unit}."
            )

    def _belongings(self) -> list[str]:
        """The key, and all that is its own in the folder."""
        keys = [self.path, beside(self.path, NEXT), beside(self.path, PREVIOUS)]
        return [name for key in keys for name in (key, record_path(key))]

    def _refuse_to_remove(self, key: SecretFile) -> None:
        strange = self.kind.not_a_key(key.data)
        if strange and not self.params["force"] and not self._is_named(key.data):
            raise Refusal(
                f"{self.path} {strange}. It was left as it is. Correct the path, or remove the file with force: true."
            )

    def _is_named(self, data: bytes) -> bool:
        """Whether the task consents to this very key, whatever it looks like."""
        return bool(data) and fingerprint(data) == self.params["fingerprint"]

    # What is there

    def _look(self) -> CurrentKey:
        key = self._read(self.path)
        if key is None and self.params["state"] == "present":
            return CurrentKey()
        record_file = self._read(record_path(self.path))
        record = parse_record(record_file.data) if record_file else None
        if key and record and record.fingerprint != fingerprint(key.data):
            record = None
        return CurrentKey(key, record_file, record)

    def _read(self, path: str) -> SecretFile | None:
        removes = self.params["state"] == "absent"
        return read_if_there(path, self.module.check_mode or removes, secret=not removes)

    # What is to be done

    def _plan(self, found: CurrentKey) -> KeyChange:
        key = found.key
        if key is None:
            raise SecretFileMissing(f"{self.path} does not exist.")
        ownership = self.declared.ownership(key)
        reason = self._reason(key, found.record)
        if reason:
            self._refuse_during_rotation()
            return KeyChange(ownership, reason)
        record = self._wanted_record(key, found.record)
        files = [key] + ([found.record_file] if found.record_file and found.record else [])
        mend = any(not file.has_ownership(*ownership) for file in files)
        return KeyChange(ownership, None, None if record == found.record else record, mend)

    def _refuse_during_rotation(self) -> None:
        staged = beside(self.path, NEXT)
        if os.path.lexists(staged):
            raise Refusal(
                f"{staged} is there, so a rotation is under way. {self.path} was left as it is. Let the rotation end,"
                " or take its key away with state: unstaged."
            )

    def _reason(self, key: SecretFile, record: KeyRecord | None) -> str | None:
        """Why the key is to be replaced, None if it stays."""
        strange = self.kind.not_a_key(key.data)
        if strange and not self.params["force"] and not self._is_named(key.data):
            raise Refusal(
                f"{self.path} {strange}. It was left as it is. Correct the path, or have a key made in its place with"
                " force: true (and backup: true to keep the file)."
            )
        if self.content is not None:
            return "content" if self.content != key.data else None
        if self.params["force"]:
            return "force"
        if self.serial and record and record.serial and record.serial != self.serial:
            return "serial"
        if self.max_age is not None and self._age(key, record) >= self.max_age:
            return "max_age"
        return self._reason_of_weakness(key.data)

    def _reason_of_weakness(self, data: bytes) -> str | None:
        weak = self.kind.weakness(data)
        if weak and self.params["weak"] == "replace":
            return "weak"
        if weak and not self._is_named(data) and (self.params["weak"] == "fail" or not data):
            accept = ", weak: keep accepts this one" if data else ""
            raise Refusal(
                f"{self.path} {weak}. It was left as it is. weak: replace makes a new key in its place (tokens signed"
                f" so far become invalid; backup: true keeps the old key){accept}."
            )
        return None

    def _wanted_record(self, key: SecretFile, record: KeyRecord | None) -> KeyRecord | None:
        """The record the key is to have; the one it has if the task declares nothing else."""
        if not self.serial and self.created is None and not self.params["by"]:
            return record
        serial = self.serial or (record.serial if record else None)
        created = self._born(key, record) if self.created is None else self.created
        # Who runs this task has not had the key made, unless it comes with the task.
        known = [record.by if record else None, self.params["by"]]
        by = next(filter(None, known if self.content is None else reversed(known)), None)
        return KeyRecord(serial, created, fingerprint(key.data), by)

    def _born(self, key: SecretFile, record: KeyRecord | None) -> int:
        return record.created if record else int(key.mtime)

    def _age(self, key: SecretFile, record: KeyRecord | None) -> int:
        return max(0, int(self.now) - self._born(key, record))

    # Doing it

    def _prepared(self, plan: KeyChange) -> tuple[AtomicFile, AtomicFile]:
        data = self.kind.generate(self.size) if self.content is None else self.content
        created = int(self.now) if self.created is None else self.created
        record = KeyRecord(self.serial, created, fingerprint(data), self.params["by"])
        return (
            AtomicFile(self.path, data, *plan.ownership),
            AtomicFile(record_path(self.path), format_record(record), *plan.ownership),
        )

    def _make(self, plan: KeyChange) -> bool:
        """Make the key; False if another run was first. Its record is complete on disk before the key appears."""
        key, record = self._prepared(plan)
        with key, record:
            if not key.link():
                return False
            record.rename()
        return True

    def _carry_out(self, found: CurrentKey, plan: KeyChange) -> None:
        if found.key and plan.reason:
            key, record = self._prepared(plan)
            with key, record:
                self._keep(found.key)
                key.rename()
                # Killed here, the key is new and its record speaks of the old one: it counts as none, and the next
                # run writes it anew. The other way round a declared rotation would be forgotten.
                record.rename()
        elif plan.acts:
            set_attributes(self.path, *plan.ownership)
            if plan.record:
                replace(record_path(self.path), format_record(plan.record), *plan.ownership)
            elif found.record:
                set_attributes(record_path(self.path), *plan.ownership)

    def _keep(self, key: SecretFile) -> None:
        if self.params["backup"]:
            spare = self._spare("bak")
            if not create(spare, key.data, *Declared.of_copy(key, self.declared.ownership(key))):
                raise Refusal(f"{spare} exists already: another run wrote it. Nothing was replaced; run again.")
            self.outcome["backup_file"] = spare

    def _take_away(self, found: CurrentKey) -> bool:
        _key, _record, *others = self._belongings()
        # The record first: as long as the key is there nobody makes another, whose record this one could be taken for.
        gone = [remove(name) for name in (*others, record_path(self.path))]
        if found.key and self.params["backup"]:
            spare = self._spare("removed")
            wanted = ownership(self.declared.uid, self.declared.gid, 0o400)
            set_attributes(self.path, *Declared.of_copy(found.key, wanted))
            move(self.path, spare)
            self.outcome["backup_file"] = spare
            return True
        return remove(self.path) or any(gone)

    def _spare(self, suffix: str) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now))
        names = [f"{self.path}.{stamp}{number}.{suffix}" for number in ("", *(f"-{again}" for again in range(2, 100)))]
        return next((name for name in names if not os.path.lexists(name)), names[-1])

    # What is said about it

    def _report(self, found: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        """The result of state=present; FOUND is what the plan was made for."""
        changed = plan.acts
        after = found if self.module.check_mode or not changed else self._look()
        if found.key and not plan.reason:
            self._warn(found.key)
        described = self._describe(after, plan)
        self.outcome.update(described, changed=changed, reason=plan.reason, state="file")
        self._tell_next(look_at_all(self.path).next)
        if plan.reason and found.key:
            self.outcome["previous_fingerprint"] = fingerprint(found.key.data)
            if self.module.check_mode and self.params["backup"]:
                self.outcome["backup_file"] = self._spare("bak")
        if self.params["return_content"]:
            self._return_content(after, plan)
        if self.module._diff:
            self._diff(self._summary(found), self._summary_after(after, plan))
        return self._complete()

    def _describe(self, after: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        key, record = after.key, after.record
        if self.module.check_mode and plan.reason:
            key = record = None
        if key is None:
            return self._expected(plan)
        if self.module.check_mode and plan.record:
            record = plan.record
        return {
            "size": self.kind.size(key.data),
            "fingerprint": fingerprint(key.data),
            "public_jwk": self._public_jwk(key.data),
            "serial": record.serial if record else None,
            "created": format_time(self._born(key, record)),
            "age": self._age(key, record),
            "by": record.by if record else None,
            **self.declared.names(plan.ownership),
        }

    def _expected(self, plan: KeyChange) -> dict[str, Any]:
        """What can be said in check mode of a key that is not made yet."""
        created = int(self.now) if self.created is None else self.created
        return {
            "size": self.size if self.content is None else self.kind.size(self.content),
            "fingerprint": None if self.content is None else fingerprint(self.content),
            "public_jwk": None if self.content is None else self._public_jwk(self.content),
            "serial": self.serial,
            "created": format_time(created),
            "age": max(0, int(self.now) - created),
            "by": self.params["by"],
            **self.declared.names(plan.ownership),
        }

    def _public_jwk(self, data: bytes) -> dict[str, str] | None:
        """The public half of a key that has one; what is too weak to be trusted is not offered for it."""
        return None if self.kind.weakness(data) else self.kind.public_jwk(data)

    def _report_absent(self, found: CurrentKey, changed: bool) -> dict[str, Any]:
        if not self.module.check_mode and os.path.isdir(os.path.dirname(self.path)):
            remove_stale(self.path)
        self.outcome["changed"] = changed
        if found.key:
            self.outcome["previous_fingerprint"] = fingerprint(found.key.data)
            if self.module.check_mode and self.params["backup"]:
                self.outcome["backup_file"] = self._spare("removed")
        if self.params["return_content"]:
            self.outcome["content"] = None
        if self.module._diff:
            self._diff(self._summary(found), {"state": "absent"})
        return self._complete()

    def _complete(self) -> dict[str, Any]:
        nothing = dict.fromkeys(
            ("size", "fingerprint", "serial", "created", "age", "by", "owner", "group", "mode", "uid", "gid")
            + ("previous_fingerprint", "next_fingerprint", "next_created", "activated", "reason", "backup_file")
            + ("public_jwk", "next_public_jwk", "next_serial", "next_by", "next_run", "next_run_age")
        )
        always = {"path": self.path, "algorithm": self.params["algorithm"], "state": "absent"}
        return {**nothing, **always, **self.outcome, "differs": self.outcome["changed"]}

    def _tell_next(self, staged: Slot | None) -> None:
        if staged is None:
            return
        record = staged.spoken
        self.outcome.update(
            next_fingerprint=staged.fingerprint,
            next_created=format_time(record.created),
            next_public_jwk=self._public_jwk(staged.key.data),
            next_serial=record.serial,
            next_by=record.by,
            next_run=record.run,
            next_run_age=None if staged.recorded is None else max(0, int(self.now - staged.recorded)),
        )

    def _summary(self, found: CurrentKey) -> dict[str, Any]:
        """What a diff shows: enough to see that two keys differ, and nothing of what is in them."""
        if found.key is None:
            return {"state": "absent"}
        return {
            "state": "present",
            "size": self.kind.size(found.key.data),
            "fingerprint": fingerprint(found.key.data),
            "serial": found.record.serial if found.record else None,
            "owner": user_name(found.key.uid),
            "group": group_name(found.key.gid),
            "mode": mode_text(found.key.mode, found.key.acl),
            **({"acl": found.key.acl.words()} if found.key.acl.grants else {}),
        }

    def _summary_after(self, after: CurrentKey, plan: KeyChange) -> dict[str, Any]:
        if not self.module.check_mode:
            return self._summary(after)
        told = self._describe(after, plan)
        names = ("size", "fingerprint", "serial", "owner", "group", "mode")
        summary = {"state": "present", **{name: told[name] for name in names}}
        summary["fingerprint"] = summary["fingerprint"] or "(of a new random key)"
        return summary

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self.outcome["diff"] = {
            "before_header": self.path,
            "after_header": self.path,
            "before": before,
            "after": after,
        }

    def _return_content(self, after: CurrentKey, plan: KeyChange) -> None:
        data = after.key.data if after.key else None
        if self.module.check_mode and plan.reason:
            data = self.content
        self.outcome["content"] = None if data is None else base64.b64encode(data).decode()
        _register_secret(self.outcome["content"])

    def _warn(self, key: SecretFile) -> None:
        """Things about a key that stays which its owner should know."""
        mended = "would be mended" if self.module.check_mode else "were mended"
        if key.acl.grants:
            self.module.warn(
                f"{self.path} had an access control list that let in the {key.acl.words()}. Its permissions {mended},"
                " but take the key as known to them, and rotate it."
            )
        elif key.mode & 0o037:
            who = "every user of the host" if key.mode & 0o007 else "its group"
            did = "write" if key.mode & 0o022 else "read"
            self.module.warn(
                f"{self.path} had mode {key.mode:04o}, so {who} could {did} it. Its permissions {mended}, but take"
                " the key as known to them, and rotate it."
            )
        if key.uid not in (0, os.geteuid(), self.declared.ownership(key).uid):
            self.module.warn(
                f"{self.path} belonged to {user_name(key.uid)}, who may have kept a copy. Rotate the key unless that"
                " user is trusted as root is."
            )
        weak = self.kind.weakness(key.data)
        said = self.kind.remark(key.data) if weak is None else weak
        if said:
            self.module.warn(f"{self.path} {said}.")

    # What the task says

    def _content(self) -> bytes | None:
        text = self.params["content"]
        if text is None or self.params["state"] == "absent":
            return None
        data = _decode(text)
        if not data:
            raise Refusal("content is empty. Give the key in base64, or leave the option out to have a key made here.")
        weak = self.kind.not_a_key(data) or (None if self.params["weak"] == "keep" else self.kind.weakness(data))
        if weak and not self._is_named(data):
            raise Refusal(f"The key in content {weak}. It was not installed, and {self.path} was left as it is.")
        return data


class Rotating(KeyFile):
    """The states of a rotation: what the task wants of the next, the live and the previous key together."""

    def __init__(self, module: AnsibleModule) -> None:
        super().__init__(module)
        self.before = look_at_all(self.path)

    def staged(self) -> dict[str, Any]:
        refuse_public_folder(self.path, "a key")
        slots = self._see()
        reason = self._reason_to_stage(slots)
        if reason and slots.live:
            self.declared.ownership(slots.live.key)  # refuses in check mode, too
        if reason and not self.module.check_mode:
            remove_stale(self.path)
            with file_lock(self.path):
                # Whoever held it before us may have staged a key.
                slots = self._see()
                reason = self._reason_to_stage(slots)
                self._stage(slots, reason)
        self.outcome["reason"] = None if reason == "take_over" else reason
        return self._tell(bool(reason))

    def active(self) -> dict[str, Any]:
        slots = self._see()
        source, method, expected, at = (
            self.params[name] for name in ("source", "method", "fingerprint", "activate_at")
        )
        if method == IN_PLACE and self.kind is not _HS256:
            raise Refusal("method: in_place is for HS256. No daemon has an RS256 key in its memory; use rename.")
        new = slots.next if source == NEXT else slots.previous
        # In check mode state=staged, a task before this one, has staged nothing.
        swap = is_due(self.path, source, expected, at) if new or not self.module.check_mode else False
        if swap and new and slots.live:
            self._refuse_other_length(len(slots.live.key.data), len(new.key.data))
        if not self.module.check_mode:
            remove_stale(self.path)
            self.outcome["activated"] = activate(self.path, source, method, expected, at)
            swap = self.outcome["activated"] is not None
        if swap and slots.live:
            self.outcome["previous_fingerprint"] = slots.live.fingerprint
        return self._tell(swap)

    def unstaged(self) -> dict[str, Any]:
        slots = self._see(must_be=False)
        left = left_to_unstage(self.path, self.params["keep_previous"])
        changed = bool(left) and not self._of_another_run(slots)
        if not self.module.check_mode and (left or slots.live):
            remove_stale(self.path)
        if changed and not self.module.check_mode:
            with file_lock(self.path if slots.live else left[0]):
                # Whoever held it before us may have been another run that staged a key.
                changed = not self._of_another_run(self._see(must_be=False)) and unstage(
                    self.path, self.params["keep_previous"]
                )
        return self._tell(changed)

    def _see(self, must_be: bool = True) -> Slots:
        slots = look_at_all(self.path)
        if must_be and slots.live is None:
            raise Refusal(
                f"There is no key at {self.path} to rotate. Make one with state: present, or correct the path."
            )
        return slots

    def _reason_to_stage(self, slots: Slots) -> str | None:
        """Why a key is to be staged, "take_over" if only the run is to be another, None if all is as it should be."""
        if slots.next is None:
            return self._reason_to_rotate(slots)
        claimed = slots.next.record.run if slots.next.record else None
        if claimed and claimed not in (self.params["run"], self.params["take_over"]):
            who = slots.next.spoken
            raise Refusal(
                f"{who.by or 'Somebody'} has been rotating {self.path} since {format_time(who.created)}, as the run"
                f" {who.run}. Nothing was changed. Wait until that is done; if it has died, name it in take_over."
            )
        if not slots.swapped:
            if self.content is not None and self.content != slots.next.key.data:
                return "content"
            if self.content is None and self.serial and slots.next.spoken.serial != self.serial:
                return "serial"
        return "take_over" if self._of_another_run(slots) else None

    def _reason_to_rotate(self, slots: Slots) -> str | None:
        live = slots.live
        if live is None:
            return None
        reason = self._reason(live.key, live.record)
        # A key without a label is not the one that the site asks for.
        unlabelled = self.content is None and self.serial and live.spoken.serial != self.serial
        return reason or ("serial" if unlabelled else None)

    def _of_another_run(self, slots: Slots) -> bool:
        claimed = slots.next.record.run if slots.next and slots.next.record else None
        return bool(self.params["run"] and claimed and claimed != self.params["run"])

    def _stage(self, slots: Slots, reason: str | None) -> None:
        if slots.live is None or reason is None:
            return
        if reason == "take_over" and slots.next:
            claim(self.path, slots.next.spoken._replace(run=self.params["run"], by=self.params["by"]))
            return
        size = self.kind.size(slots.live.key.data)
        if not self.params["size"] and self.kind.least <= size <= self.kind.most:
            self.size = size
        data = self.kind.generate(self.size) if self.content is None else self.content
        created = int(self.now) if self.created is None else self.created
        record = KeyRecord(self.serial, created, fingerprint(data), self.params["by"], self.params["run"])
        stage(self.path, data, record, *self.declared.ownership(slots.live.key))

    def _refuse_other_length(self, live: int, new: int) -> None:
        if self.params["method"] == IN_PLACE and live != new:
            raise Refusal(
                f"{self.path} has {live} bytes and the {self.params['source']} key has {new}. Daemons have mapped the"
                " file and would die of another length, so it was left as it is. Use method: rename, and have them load"
                " the key."
            )

    def _tell(self, changed: bool) -> dict[str, Any]:
        slots = look_at_all(self.path)
        self.outcome["changed"] = changed
        if slots.live:
            key, record = slots.live.key, slots.live.spoken
            self.outcome.update(
                state="file",
                size=self.kind.size(key.data),
                fingerprint=slots.live.fingerprint,
                public_jwk=self._public_jwk(key.data),
                serial=record.serial,
                created=format_time(record.created),
                age=max(0, int(self.now) - record.created),
                by=record.by,
                **self.declared.names(Ownership(key.uid, key.gid, key.mode)),
            )
        self._tell_next(slots.next)
        if self.params["return_content"]:
            data = slots.next.key.data if slots.next else None
            self.outcome["content"] = None if data is None else base64.b64encode(data).decode()
            _register_secret(self.outcome["content"])
        if self.module._diff:
            self._diff_rotation(slots, changed)
        return self._complete()

    def _diff_rotation(self, after: Slots, changed: bool) -> None:
        """Fingerprints of the files before and after; in check mode, of what is there and a word on what would be."""
        told = _fingerprints(after)
        if self.module.check_mode and changed:
            told = {**told, "in check mode": f"{self.params['state']} would change this"}
        self._diff(_fingerprints(self.before), told)


def _fingerprints(slots: Slots) -> dict[str, Any]:
    return {
        name: {"fingerprint": kept.fingerprint, "serial": kept.spoken.serial} if kept else None
        for name, kept in zip(slots._fields, slots)
    }


def _decode(text: str) -> bytes:
    if text.lstrip().startswith("-----BEGIN "):
        return text.encode()
    packed = "".join(text.split())
    if re.match(r"^(?:[0-9a-f]{2}){16,}$|^(?:[0-9A-F]{2}){16,}$", packed):
        raise Refusal(
            "content is hexadecimal, which read as base64 would be another key. Give the bytes of the key file in"
            " base64, for example with the b64encode filter."
        )
    try:
        return base64.b64decode(packed.encode(), validate=True)
    except ValueError:
        raise Refusal("content is not base64. Give the bytes of the key file in base64.") from None


def _serial(value: Any) -> str | None:
    """The label as text. Ansible has turned unquoted numbers into numbers, and not all of them come back."""
    if isinstance(value, (bool, float, list, dict)):
        raise Refusal(f"serial: {value!r} is not text. Put it in quotes, for example serial: '2026.10'.")
    text = "" if value is None else str(value).strip()
    if len(text) > 255 or not text.isprintable():
        raise Refusal("serial is a label of one line, 255 characters at most.")
    return text or None


def _seconds(text: str | None) -> int | None:
    if not text:
        return None
    try:
        seconds = duration(text)
    except DurationError as exc:
        raise Refusal(f"max_age: {exc}") from None
    if seconds == 0:
        raise Refusal("max_age: 0 would replace the key at every run. For a new key now, say force: true.")
    return seconds


def _created(text: str | None) -> int | None:
    try:
        return parse_time(text) if text else None
    except ValueError as exc:
        raise Refusal(f"created: {exc}") from None


def _register_secret(text: str | None) -> None:
    """Have ansible-core 2.22 and later hide the key wherever a result is shown."""
    try:
        from ansible.module_utils.secrets import register_secret
    except ImportError:
        return
    if text:
        register_secret(text)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {
                "type": "str",
                "choices": ["present", "absent", "staged", "active", "unstaged"],
                "default": "present",
            },
            "algorithm": {"type": "str", "choices": ["HS256", "RS256"], "default": "HS256"},
            "size": {"type": "int"},
            "content": {"type": "str", "no_log": True},
            "created": {"type": "str"},
            "serial": {"type": "raw"},
            "max_age": {"type": "str"},
            "weak": {"type": "str", "choices": ["fail", "keep", "replace"], "default": "fail"},
            "force": {"type": "bool", "default": False},
            "method": {"type": "str", "choices": [RENAME, IN_PLACE], "default": RENAME},
            "source": {"type": "str", "choices": [NEXT, PREVIOUS], "default": NEXT},
            "activate_at": {"type": "float"},
            "fingerprint": {"type": "str"},
            "by": {"type": "str"},
            "run": {"type": "str"},
            "take_over": {"type": "str"},
            "keep_previous": {"type": "bool", "default": True},
            "backup": {"type": "bool", "default": False},
            "return_content": {"type": "bool", "default": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "raw", "default": "0400"},
        },
        required_by={"created": ("content",)},
        supports_check_mode=True,
    )
    # Ansible would look at the path once more, and crash if another run has just removed the key.
    module.add_path_info = lambda result: result
    state = module.params["state"]
    try:
        key_file = (KeyFile if state in ("present", "absent") else Rotating)(module)
        result = getattr(key_file, state)()
    except (Refusal, RotationError, InstantTooFar, OwnershipError, SecretFileError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
